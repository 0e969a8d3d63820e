"""Container images: one repository each. A tag never moves, every image is scanned, old ones go.

Names are fixed, because the platform file composes them from the registry and the service; so a repository is the one
stateful thing here that cannot stand beside its replacement.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra.naming import Scope, component_type

_COMPONENT: Final = "registry"
SERVICES: Final = ("event-command", "event-query", "order", "scheduler", "email")
OTHERS: Final = ("operator", "connect", "keycloak")
_KEPT_TAGGED: Final = 50
_KEPT_UNTAGGED_DAYS: Final = 14


@dataclass(frozen=True, slots=True)
class RegistryArgs:
    """`key_arn` encrypts the images."""

    scope: Scope
    key_arn: pulumi.Input[str]


class Registry(pulumi.ComponentResource):
    """`prefix` is what stands before `/<service>` in an image's name; `arns[name]`."""

    def __init__(self, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the repositories."""
        scope = args.scope
        super().__init__(component_type("Registry"), scope.name(_COMPONENT), None, opts)
        host = f"{scope.account}.dkr.ecr.{scope.region}.amazonaws.com"
        self.prefix = f"{host}/{scope.name()}"
        self.arns: dict[str, pulumi.Output[str]] = {}
        for image in (*SERVICES, *OTHERS):
            repository = aws.ecr.Repository(
                scope.name("image", image),
                name=f"{scope.name()}/{image}",
                image_tag_mutability="IMMUTABLE",
                image_scanning_configuration={"scan_on_push": True},
                encryption_configurations=[{"encryption_type": "KMS", "kms_key": args.key_arn}],
                force_delete=False,
                tags=scope.tags(_COMPONENT, image),
                opts=scope.keeping(self),
            )
            aws.ecr.LifecyclePolicy(
                scope.name("image", image),
                repository=repository.name,
                policy=life_cycle(),
                opts=scope.inside(self),
            )
            self.arns[image] = repository.arn
        self.register_outputs({"prefix": self.prefix})


def life_cycle() -> str:
    """Untagged images leave after two weeks, of tagged ones the newest fifty stay."""
    rules = [
        {
            "rulePriority": 1,
            "description": "untagged",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": _KEPT_UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        },
        {
            "rulePriority": 2,
            "description": "old releases",
            "selection": {
                "tagStatus": "tagged",
                "tagPatternList": ["*"],
                "countType": "imageCountMoreThan",
                "countNumber": _KEPT_TAGGED,
            },
            "action": {"type": "expire"},
        },
    ]
    return json.dumps({"rules": rules})
