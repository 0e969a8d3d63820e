"""Access policies as JSON texts. Pure.

One rule runs through all of them: never `*` as action and resource at once, and everything that is reached over a
network refuses what is not TLS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

VERSION: Final = "2012-10-17"

Strings = str | Sequence[str]


def policy(*statements: Mapping[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": VERSION, "Statement": [dict(one) for one in statements]}, sort_keys=True)


def allow(
    actions: Strings, resources: Strings, *, sid: str = "", conditions: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A statement of an identity policy."""
    found: dict[str, Any] = {"Effect": "Allow", "Action": _many(actions), "Resource": _many(resources)}
    return {**found, **_optional(sid, conditions)}


def allow_service(
    service: Strings,
    actions: Strings,
    resources: Strings = "*",
    *,
    sid: str = "",
    conditions: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A statement of a resource policy for services of AWS."""
    return {"Principal": {"Service": _many(service)}, **allow(actions, resources, sid=sid, conditions=conditions)}


def allow_principal(
    arns: Strings, actions: Strings, resources: Strings, *, sid: str = "", conditions: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A statement of a resource policy for roles or accounts."""
    return {"Principal": {"AWS": _many(arns)}, **allow(actions, resources, sid=sid, conditions=conditions)}


def tls_only(actions: str, resources: Strings) -> dict[str, Any]:
    """A statement of a resource policy that denies whatever does not come over TLS."""
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": actions,
        "Resource": _many(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def trust(service: Strings, *actions: str, conditions: Mapping[str, Any] | None = None) -> str:
    """Who may take a role: services of AWS."""
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": _many(service)},
            "Action": _many(actions or ("sts:AssumeRole",)),
            **_optional("", conditions),
        }
    )


def only_from(account: str, source_arn: str = "") -> dict[str, Any]:
    """The condition against the confused deputy: only on behalf of this account (and of this resource)."""
    found: dict[str, Any] = {"StringEquals": {"aws:SourceAccount": account}}
    return {**found, "ArnLike": {"aws:SourceArn": source_arn}} if source_arn else found


def _optional(sid: str, conditions: Mapping[str, Any] | None) -> dict[str, Any]:
    found: dict[str, Any] = {"Sid": sid} if sid else {}
    return {**found, "Condition": dict(conditions)} if conditions else found


def _many(value: Strings) -> str | list[str]:
    if isinstance(value, str):
        return value
    found = list(value)
    return found[0] if len(found) == 1 else found
