"""Who may do what: no wildcard rights, no static keys, IMDSv2, a firewall that nothing walks around."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ticketly_infra.policies.model import Rule, Seen, many, number, of, statements

_POLICY_INPUTS: Final = {
    "ec2/vpcEndpoint:VpcEndpoint": "policy",
    "iam/policy:Policy": "policy",
    "iam/role:Role": "assumeRolePolicy",
    "iam/rolePolicy:RolePolicy": "policy",
    "kms/key:Key": "policy",
    "s3/bucketPolicy:BucketPolicy": "policy",
    "secretsmanager/secretPolicy:SecretPolicy": "policy",
    "sns/topicPolicy:TopicPolicy": "policy",
    "sqs/queuePolicy:QueuePolicy": "policy",
}
_FORBIDDEN: Final = {
    "ec2/keyPair:KeyPair": "is a key for SSH; people come in through Session Manager",
    "iam/accessKey:AccessKey": "is a static key",
    "iam/group:Group": "is for users, and there are none",
    "iam/sshKey:SshKey": "is a static key",
    "iam/user:User": "is a user; people and programs take roles",
    "iam/userLoginProfile:UserLoginProfile": "is a password",
}
_WIDE_MANAGED: Final = ("AdministratorAccess", "PowerUserAccess", "FullAccess", "SystemAdministrator")


def wildcards(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """No `*` actions with `*` resources, nothing allowed by exclusion or to everybody without condition."""
    for one in of(resources, *_POLICY_INPUTS):
        for statement in statements(one.get(_POLICY_INPUTS[one.type])):
            if statement.get("Effect") != "Allow":
                continue
            for wrong in _excess(statement, one):
                yield one.name, wrong


def _excess(statement: Mapping[str, Any], one: Seen) -> Iterator[str]:
    actions, resources = many(statement.get("Action")), many(statement.get("Resource"))
    wide = [action for action in actions if action == "*" or str(action).endswith(":*")]
    if wide and "*" in resources and not _administers_key(statement, one):
        yield f"allows {', '.join(wide)} on *"
    if "*" in actions:
        yield "allows every action"
    for word in ("NotAction", "NotResource", "NotPrincipal"):
        if word in statement:
            yield f"allows by {word}"
    principals = statement.get("Principal")
    everybody = principals == "*" or (isinstance(principals, Mapping) and "*" in many(principals.get("AWS")))
    if everybody and not statement.get("Condition") and one.type != "ec2/vpcEndpoint:VpcEndpoint":
        yield "allows everybody without a condition"


def _administers_key(statement: Mapping[str, Any], one: Seen) -> bool:
    """In a key's policy `*` is the key; without this statement nobody could ever change it."""
    principals = statement.get("Principal")
    root = isinstance(principals, Mapping) and all(str(arn).endswith(":root") for arn in many(principals.get("AWS")))
    return one.type == "kms/key:Key" and root


def static_keys(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Nobody and nothing has a key that does not expire."""
    for one in resources:
        if one.type in _FORBIDDEN:
            yield one.name, _FORBIDDEN[one.type]
        if one.type in {"ec2/instance:Instance", "ec2/launchTemplate:LaunchTemplate"} and one.get("keyName"):
            yield one.name, "lets people in by an SSH key"
        if one.type == "eks/nodeGroup:NodeGroup" and one.get("remoteAccess"):
            yield one.name, "lets people in by an SSH key"


def managed_policies(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """No policy of AWS that means everything."""
    for one in resources:
        if one.type == "iam/rolePolicyAttachment:RolePolicyAttachment":
            arns = [one.get("policyArn", "")]
        elif one.type == "iam/role:Role":
            arns = many(one.get("managedPolicyArns"))
        else:
            continue
        for arn in arns:
            if str(arn).rpartition("/")[2].endswith(_WIDE_MANAGED):
                yield one.name, f"attaches {str(arn).rpartition('/')[2]}"


def metadata(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Machines answer for their role to IMDSv2 only."""
    for one in of(resources, "ec2/instance:Instance", "ec2/launchTemplate:LaunchTemplate"):
        if one.get("metadataOptions.httpTokens") != "required":
            yield one.name, "answers IMDSv1"
        if not 1 <= number(one.get("metadataOptions.httpPutResponseHopLimit", 64), 1) <= 2:
            yield one.name, "answers from more than two hops away"


def firewall(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """A firewall has a limit by address for everything, and no rule that ends the questions with a yes."""
    for one in of(resources, "wafv2/webAcl:WebAcl"):
        rules = many(one.get("rules"))
        for rule in rules:
            if "allow" in (rule.get("action") or {}):
                yield one.name, f"rule {rule.get('name')} lets requests past all others"
            if "count" in (rule.get("overrideAction") or {}):
                yield one.name, f"rule {rule.get('name')} only counts"
        limits = [rule.get("statement", {}).get("rateBasedStatement") for rule in rules]
        if not any(limit and not limit.get("scopeDownStatement") for limit in limits):
            yield one.name, "has no limit by address for all requests"


def firewalled(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Every load balancer that the world reaches has a firewall."""
    outside = [one for one in of(resources, "lb/loadBalancer:LoadBalancer") if not one.get("internal")]
    if outside and not list(of(resources, "wafv2/webAclAssociation:WebAclAssociation")):
        for one in outside:
            yield one.name, "has no firewall"
    for one in outside:
        if one.get("enableWafFailOpen"):
            yield one.name, "opens when its firewall fails"


SINGLE: Final[dict[str, Rule]] = {
    "no-wildcards": wildcards,
    "no-static-keys": static_keys,
    "no-wide-managed-policies": managed_policies,
    "imdsv2": metadata,
    "firewall-without-bypass": firewall,
}
WHOLE: Final[dict[str, Rule]] = {"behind-a-firewall": firewalled}
