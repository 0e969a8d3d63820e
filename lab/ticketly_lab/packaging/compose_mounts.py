"""The files that the containers of others mount: realm, roles and databases, topics, routes, connectors; pure."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from ticketly_cli.local import realm
from ticketly_crds import names
from ticketly_crds.blueprint import Blueprint, Connector, SecretRef
from ticketly_lab.packaging.compose_site import (
    FRONT_DOOR_PORT,
    client_variable,
    realm_variables,
    user_variable,
    variable,
)

_MULTIPART_ALLOWANCE_BYTES: Final = 1024 * 1024


def files(found: Blueprint) -> dict[str, str]:
    """By name in the folder `compose`."""
    return {
        "realm.json": json.dumps(_realm(), indent=2, sort_keys=True) + "\n",
        "postgres.sql": _roles_and_databases(found),
        "topics.sh": _topics(found),
        "Caddyfile": _front_door(found),
        **{f"{each.name}.json": json.dumps(_capture(each), indent=2) + "\n" for each in found.connectors},
        "example.env": _example(found),
    }


def _front_door(found: Blueprint) -> str:
    """Caddy with the public prefixes only; streams pass as they come."""
    uploads = next(
        int(var.value)
        for each in found.services
        for var in each.env
        if var.name == "TICKETLY_UPLOADS_MAX_BYTES" and isinstance(var.value, str)
    )
    lines = ["{", "\tadmin off", "\tauto_https off", "}", "", f":{FRONT_DOOR_PORT} {{"]
    lines += ["\trequest_body {", f"\t\tmax_size {uploads + _MULTIPART_ALLOWANCE_BYTES}", "\t}"]
    lines += ["\thandle /.ticketly/front-door {", "\t\trespond 204", "\t}"]
    for number, route in enumerate(found.routes):
        lines += [f"\t@route{number} path {route.prefix} {route.prefix}/*", f"\thandle @route{number} {{"]
        lines += [f"\t\treverse_proxy {route.service}:{route.port} {{", "\t\t\tflush_interval -1", "\t\t}", "\t}"]
    lines += ["\thandle {", "\t\trespond 404", "\t}", "}"]
    return "\n".join(lines) + "\n"


def _capture(connector: Connector) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else f"${{env:{variable(value)}}}"
        for name, value in connector.config.items()
    }


def _roles_and_databases(found: Blueprint) -> str:
    """For psql, once, when the data folder is empty: each service owns its database, capture reads both."""
    cdc = variable(SecretRef(found.databases[0].password.name, names.CDC_PASSWORD_KEY))
    roles = [*((each.role, variable(each.password), "login") for each in found.databases)]
    roles.append((names.CDC_ROLE, cdc, "login replication"))
    lines = ["-- Written by python -m ticketly_lab.packaging. Passwords come from the container's environment."]
    for role, name, attributes in roles:
        lines += [f"\\getenv password {name}", f"create role {role} with {attributes} password :'password';"]
    lines.append(f"grant pg_read_all_data to {names.CDC_ROLE};")
    for each in found.databases:
        lines += [
            f"create database {each.name} owner {each.role};",
            f"revoke all on database {each.name} from public;",
            f"grant connect on database {each.name} to {names.CDC_ROLE};",
        ]
    return "\n".join(lines) + "\n"


def _topics(found: Blueprint) -> str:
    lines = ["#!/bin/sh", "# Written by python -m ticketly_lab.packaging: every topic of the wire contract.", "set -eu"]
    for each in found.topics:
        words = [
            *("/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "kafka:9092", "--create", "--if-not-exists"),
            *("--topic", each.name, "--partitions", str(each.partitions)),
            *("--replication-factor", str(each.replication_factor)),
        ]
        for name, value in each.config.items():
            words += ["--config", f"{name}={value}"]
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def _realm() -> dict[str, Any]:
    """The local realm with variables that Keycloak fills in when it imports."""
    values = realm.RealmValues(
        client_secrets={client: f"${{{client_variable(client)}}}" for client in realm.SERVICE_CLIENTS},
        user_passwords={user: f"${{{user_variable(user)}}}" for user in realm.TEST_USERS},
        user_ids={user: str(uuid.uuid5(uuid.NAMESPACE_DNS, user)) for user in realm.TEST_USERS},
        mail_host="mail",
        mail_port=1025,
        front_end_origins=["http://127.0.0.1:8090", "http://localhost:8090"],
    )
    return realm.render(values)


def _example(found: Blueprint) -> str:
    wanted = {"TICKETLY_SECRET_POSTGRES_SUPERUSER", "TICKETLY_SECRET_KEYCLOAK_ADMIN", *realm_variables()}
    wanted |= {"TICKETLY_SECRET_MONGO_PASSWORD", "TICKETLY_SECRET_REDIS_PASSWORD"}
    wanted |= {variable(ref) for ref in found.secrets() if ref.key not in {"uri", "url"}}
    return "\n".join(
        [
            "# Copy it, give every line a value of its own, keep the copy to yourself: docs/install.md tells how.",
            "# The passwords become parts of connection strings: letters and digits only.",
            "",
            "# sha256:... of the image of Kafka Connect with Debezium; ask for it with",
            "#   docker buildx imagetools inspect quay.io/debezium/connect:3.7.0.Final --format '{{.Manifest.Digest}}'",
            "TICKETLY_DEBEZIUM_DIGEST=",
            "",
            *(f"{name}=" for name in sorted(wanted)),
            "",
        ]
    )
