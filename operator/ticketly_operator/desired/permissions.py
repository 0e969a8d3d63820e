"""What the operator may do with the Kubernetes API: one table for its client, its roles and its documentation.

The client looks every call up here before it makes it (``check``), so a call without a permission fails the first test
that runs it; a permission that nobody uses fails the test that compares the table with the API server's audit log.
There is no wildcard, nothing about roles, and nothing that would let the operator read more than it was told to.

Not in the table, on purpose:

- ``ticketlyplatforms/finalizers``: owner references that do not block the owner's deletion need no such permission.
- ``list`` and ``watch`` of Secrets: their content would come along. A changed Secret is found by getting it again.
- discovery of optional kinds: every authenticated client may read ``/apis/<group>/<version>``.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from ticketly_crds import kinds
from ticketly_crds.kinds import ApiKind

DISCOVER: Final = "discover"
"""The word for asking which kinds are served, which needs no permission."""


class UndeclaredCallError(LookupError):
    """A defect: code calls the API server for something the table does not grant."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Verbs on one kind or one of its subresources; ``why`` names what they are for, in words of the documentation.

    ``named``: only on the one object whose name the installation says.
    """

    kind: ApiKind
    verbs: tuple[str, ...]
    why: str
    subresource: str = ""
    named: bool = False

    @property
    def resource(self) -> str:
        """``deployments.apps``, ``ticketlyplatforms.ticketly.io/status``."""
        return self.kind.resource + (f"/{self.subresource}" if self.subresource else "")


ON_PLATFORMS: Final = (
    Permission(kinds.PLATFORM, ("get", "list", "watch", "patch"), "read platforms; put the finalizer on and off"),
    Permission(kinds.PLATFORM, ("patch",), "write the status", subresource="status"),
    *(
        Permission(kind, ("get", "list", "watch", "create", "patch", "delete"), "the platform's objects")
        for kind in kinds.MANAGED
    ),
    *(
        Permission(kind, ("get", "list", "create", "patch", "delete"), "the platform's objects, where served")
        for kind in kinds.OPTIONAL
    ),
    Permission(kinds.POD, ("list",), "tell why a roll-out does not progress"),
    Permission(kinds.SECRET, ("get",), "notice a rotated secret; read the passwords of Kafka and of change capture"),
    Permission(kinds.EVENT, ("create",), "tell what happened"),
)
"""In the namespaces of platforms: all, or the one the operator is limited to."""

ON_ITSELF: Final = (
    Permission(kinds.LEASE, ("create",), "make the Lease; the API cannot limit this by name"),
    Permission(kinds.LEASE, ("get", "update"), "take, renew and release its own Lease", named=True),
)
"""In the operator's own namespace."""

_GRANTED: Final = frozenset(
    (verb, permission.resource) for permission in (*ON_PLATFORMS, *ON_ITSELF) for verb in permission.verbs
)


def granted() -> frozenset[tuple[str, str]]:
    """Return every (verb, resource): ``("patch", "deployments.apps")``."""
    return _GRANTED


def check(verb: str, resource: str) -> None:
    """Raise UndeclaredCallError unless the table grants it. ``resource`` may go on with an object's name."""
    if verb != DISCOVER and (verb, resource.partition(" ")[0]) not in _GRANTED:
        raise UndeclaredCallError(f"{verb} {resource} is not in the operator's table of permissions")


def rules(permissions: Iterable[Permission], name: str = "") -> list[dict[str, Any]]:
    """Return RBAC rules: one for each API group and set of verbs, in the table's order.

    ``name`` is the object that ``named`` permissions are limited to.
    """
    found: dict[tuple[str, tuple[str, ...], bool], list[str]] = {}
    for permission in permissions:
        resource = permission.kind.plural + (f"/{permission.subresource}" if permission.subresource else "")
        found.setdefault((permission.kind.group, permission.verbs, permission.named), []).append(resource)
    return [
        {
            "apiGroups": [group],
            "resources": resources,
            **({"resourceNames": [name]} if named else {}),
            "verbs": list(verbs),
        }
        for (group, verbs, named), resources in found.items()
    ]
