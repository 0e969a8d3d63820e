"""Names, tags and resource options: the conventions every component of this program keeps.

- A component is a frozen `<Thing>Args` and a `pulumi.ComponentResource` `<Thing>` of type `ticketly:infra:<Thing>`;
  its module makes the resources of one concern and nothing else. `args.scope` is the first field.
- Logical names come from `scope.name(...)`: `ticketly-<stack>-<parts>`. What holds data gets no name of its own: Pulumi
  makes one from the logical name and a random end, so that a replacement can exist beside what it replaces. Only what
  must be found by name before it exists has a fixed one (log groups of AWS services, the two clusters).
- `scope.inside(self)` is the option of ordinary resources, `scope.keeping(self)` of stateful ones: protected unless the
  stack says `ticketly:protect: false`, and created before the old one is deleted.
- `tags=scope.tags("<component>")` on everything that takes tags; nothing secret and nothing of a customer in a tag.
- Every argument goes to AWS in the shape of the provider's documentation; policies are JSON texts from `documents`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from ticketly_infra.config import Settings

PROJECT: Final = "ticketly"


def component_type(thing: str) -> str:
    """The type token of a component: `ticketly:infra:Network`."""
    return f"{PROJECT}:infra:{thing}"


@dataclass(frozen=True, slots=True)
class Scope:
    """What every component needs to know about where it is."""

    settings: Settings
    account: str
    partition: str = "aws"

    @property
    def region(self) -> str:
        return self.settings.region

    def name(self, *parts: str) -> str:
        """A logical name; unique within the stack when the parts are."""
        return "-".join((PROJECT, self.settings.stack, *parts))

    def arn(self, service: str, resource: str, *, region: bool = True) -> str:
        """An ARN in this account: `resource` is everything after the account."""
        return f"arn:{self.partition}:{service}:{self.region if region else ''}:{self.account}:{resource}"

    def tags(self, component: str, name: str = "") -> dict[str, str]:
        """Tags of one resource. `component` is the word by which costs are told apart."""
        found = {
            **self.settings.tags,
            "Project": PROJECT,
            "Stack": self.settings.stack,
            "Profile": self.settings.profile,
            "Component": component,
            "ManagedBy": "pulumi",
        }
        return {**found, "Name": name} if name else found

    def inside(
        self,
        parent: pulumi.Resource,
        *,
        depends_on: list[pulumi.Resource] | None = None,
        ignore: list[str] | None = None,
    ) -> pulumi.ResourceOptions:
        """Options of an ordinary resource."""
        return pulumi.ResourceOptions(parent=parent, depends_on=depends_on, ignore_changes=ignore)

    def keeping(
        self,
        parent: pulumi.Resource,
        *,
        depends_on: list[pulumi.Resource] | None = None,
        ignore: list[str] | None = None,
    ) -> pulumi.ResourceOptions:
        """Options of a stateful resource: protected, and replaced only by one that already stands."""
        return pulumi.ResourceOptions(
            parent=parent,
            protect=self.settings.protect,
            delete_before_replace=False,
            depends_on=depends_on,
            ignore_changes=ignore,
        )
