"""The operator's permissions as a table for the documentation."""

from __future__ import annotations

from ticketly_operator.desired.permissions import ON_ITSELF, ON_PLATFORMS, Permission


def table() -> str:
    """A Markdown table with one line for each set of verbs and purpose, in the order of the source."""
    grouped: dict[tuple[str, tuple[str, ...], str], list[str]] = {}
    for where, permissions in (("of platforms", ON_PLATFORMS), ("of the operator", ON_ITSELF)):
        for permission in permissions:
            key = (where, permission.verbs, permission.why)
            grouped.setdefault(key, []).append(_resource(permission))
    rows = [
        f"| {where} | {', '.join(resources)} | {', '.join(verbs)} | {why} |"
        for (where, verbs, why), resources in grouped.items()
    ]
    return "\n".join(["| in namespaces | resources | verbs | what for |", "|---|---|---|---|", *rows]) + "\n"


def _resource(permission: Permission) -> str:
    return f"`{permission.resource}`" + (" (one by name)" if permission.named else "")
