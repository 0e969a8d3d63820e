"""What every EC2 machine of this program has in common: Amazon Linux 2023, no keys, no public address, IMDSv2, SSM.

Nobody signs in over SSH; there is no key pair and no open port. People come in through Session Manager, which knows who
they are and writes down that they came. User data holds names of secrets and never a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents
from ticketly_infra.naming import Scope

_IMAGE: Final = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
_PLACE: Final = re.compile(r"@([a-z][a-z-]*)@")


def image(parent: pulumi.Resource) -> pulumi.Output[str]:
    """The newest Amazon Linux 2023 for Graviton; machines that hold data ignore a newer one."""
    found: pulumi.Output[str] = aws.ssm.get_parameter_output(
        name=_IMAGE, opts=pulumi.InvokeOutputOptions(parent=parent)
    ).value
    return found


def metadata_options(hops: int) -> dict[str, Any]:
    """IMDSv2 only. One hop keeps pods away from the machine's role, two let them use it."""
    return {
        "http_endpoint": "enabled",
        "http_tokens": "required",
        "http_put_response_hop_limit": hops,
        "instance_metadata_tags": "disabled",
    }


def role(
    scope: Scope, parent: pulumi.Resource, word: str, description: str, policy: pulumi.Input[str] | None
) -> tuple[aws.iam.Role, aws.iam.InstanceProfile]:
    """A machine's role with Session Manager and the given policy, and the profile that carries it."""
    name = scope.name(word)
    made = aws.iam.Role(
        name,
        description=description,
        assume_role_policy=documents.trust("ec2.amazonaws.com"),
        tags=scope.tags(word),
        opts=scope.inside(parent),
    )
    aws.iam.RolePolicyAttachment(
        f"{name}-sessions",
        role=made.name,
        policy_arn=f"arn:{scope.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore",
        opts=scope.inside(parent),
    )
    if policy is not None:
        aws.iam.RolePolicy(name, role=made.name, policy=policy, opts=scope.inside(parent))
    profile = aws.iam.InstanceProfile(name, role=made.name, tags=scope.tags(word), opts=scope.inside(parent))
    return made, profile


def boot_script(name: str, values: Mapping[str, str]) -> str:
    """A script of `boot/` with its `@places@` filled. Raises KeyError for a place that nobody fills."""
    text = (resources.files("ticketly_infra") / "boot" / name).read_text(encoding="utf-8")
    return _PLACE.sub(lambda found: values[found[1]], text)
