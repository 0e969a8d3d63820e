"""The local realm: `realm.json` with the placeholders filled in.

The template follows contract section 1. A realm file with `clientScopes` suppresses Keycloak's built-in scopes, so the
template lists those it relies on (basic, profile, email, roles, web-origins, acr) next to its own.
Passwords are generated per machine; the password policy is brief on purpose and for this realm only.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from ticketly_cli.local import credentials as stored
from ticketly_cli.local.credentials import Credentials

TEST_USERS = ("admin@ticketly.test", "user@ticketly.test", "test@ticketly.test")
SERVICE_CLIENTS = (
    "events-service",
    "event-projection-service-client",
    "ticket-service-client",
    "scheduler-service-client",
    "email-service-client",
)
PASSWORD_GRANT_CLIENTS = ("login-testing", "check-in-mobile-app")

_PLACEHOLDER = re.compile(r"@([a-z-]+)(?::([^@]+(?:@[^@]+)?))?@")


@dataclass(frozen=True, slots=True)
class RealmValues:
    """What a machine's realm is filled with."""

    client_secrets: Mapping[str, str] = field(repr=False)
    user_passwords: Mapping[str, str] = field(repr=False)
    user_ids: Mapping[str, str]
    """Fixed per machine, so that an owner stays the owner when the realm is imported again."""
    mail_host: str
    mail_port: int
    front_end_origins: Sequence[str]


def ensure_credentials(credentials: Credentials) -> None:
    """Generate what is missing."""
    for client in SERVICE_CLIENTS:
        stored.ensure(credentials.clients, client)
    for user in TEST_USERS:
        stored.ensure(credentials.users, user)
        credentials.seeds.setdefault(f"user-id {user}", str(uuid.uuid4()))
    stored.ensure(credentials.administrators, "keycloak")


def values_from(
    credentials: Credentials, mail_host: str, mail_port: int, front_end_origins: Sequence[str]
) -> RealmValues:
    return RealmValues(
        client_secrets=credentials.clients,
        user_passwords=credentials.users,
        user_ids={user: credentials.seeds[f"user-id {user}"] for user in TEST_USERS},
        mail_host=mail_host,
        mail_port=mail_port,
        front_end_origins=front_end_origins,
    )


def template() -> dict[str, Any]:
    """The realm with its placeholders."""
    text = resources.files("ticketly_cli.local").joinpath("realm.json").read_text(encoding="utf-8")
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def render(values: RealmValues) -> dict[str, Any]:
    """The realm to import. Raises KeyError for a placeholder nobody fills."""
    filled: dict[str, Any] = _filled(template(), values)
    return filled


def _filled(node: Any, values: RealmValues) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(item, values) for item in node]
    if not isinstance(node, str):
        return node
    lists = {
        "@front-end-redirects@": [f"{origin}/*" for origin in values.front_end_origins],
        "@front-end-origins-list@": list(values.front_end_origins),
    }
    if node in lists:
        return lists[node]
    return _PLACEHOLDER.sub(lambda match: _value(match[1], match[2], values), node)


def _value(kind: str, name: str | None, values: RealmValues) -> str:
    named = {
        "client-secret": values.client_secrets,
        "user-password": values.user_passwords,
        "user-id": values.user_ids,
    }
    if name is not None:
        return named[kind][name]
    single = {
        "mail-host": values.mail_host,
        "mail-port": str(values.mail_port),
        "front-end-origins": " ".join(values.front_end_origins),
    }
    return single[kind]
