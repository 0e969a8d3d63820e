"""`compose.yaml` and the files it mounts: the platform in containers, from the same blueprint as everywhere else.

Secrets are variables without defaults: Compose refuses to start while one of them is missing. Whatever is published is
published on loopback. Images of others are pinned by digest; Debezium's digest is a variable too, because none could be
confirmed when this was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ticketly_crds import names
from ticketly_crds.blueprint import Blueprint, SecretRef, Service
from ticketly_lab.packaging import compose_mounts
from ticketly_lab.packaging.compose_site import (
    FRONT_DOOR_PORT,
    KEYCLOAK_HOST,
    KEYCLOAK_PORT,
    REALM,
    UPLOADS,
    platform_blueprint,
    realm_variables,
    reference,
    required,
    variable,
)
from ticketly_lab.packaging.documents import document
from ticketly_operator.desired.installation import VERSION

IMAGES: Final[Mapping[str, str]] = {
    "postgres": "postgres:18.6-bookworm@sha256:1c59e2c3c818eaa0f0628f695b36e7c9e362d6b219b36a54a32df645cbd7e1af",
    "valkey": "valkey/valkey:9.1.2@sha256:418652cfb58ef879d4978c33553735d7147016032d5aefaa14c828e611eb9dfd",
    "mongo": "mongo:8.0@sha256:4968f22d0c6c10ef29952f3e807f62872ba22b3312f25803564fbfc08255efc2",
    "kafka": "apache/kafka:4.3.1@sha256:77e3df9054047a88b520d0cc46e16696d3b22022e1d580aeccd2632df6532837",
    "connect": "quay.io/debezium/connect:3.7.0.Final@${TICKETLY_DEBEZIUM_DIGEST:?see compose/example.env}",
    "keycloak": (
        "quay.io/keycloak/keycloak:26.7.3@sha256:ff4257d0d64efbe99ed1ddfaf07765cc3c36dc7518bf8324d41961327f441c54"
    ),
    "mail": "axllent/mailpit:v1.30.7@sha256:d5ecbb067db3705fa953d79e1b7f81ef84038df67aba6c52825d8c02a1ea748a",
    "front-door": "caddy:2.11.7@sha256:f2a1290d0463aad60660d4ec134943f183ee2a5f6c3eb7bf32dd984f2f020772",
}
_DONE: Final = "service_completed_successfully"
_HEALTHY: Final = "service_healthy"
_HEAD = """\
# The whole platform in containers, for a machine with Docker: docker compose --env-file my.env up --build --wait
# Written by python -m ticketly_lab.packaging from the blueprint. Begin with compose/example.env and docs/install.md.
"""


def files() -> dict[str, str]:
    """`compose.yaml` and what it mounts, by path in the repository."""
    found = platform_blueprint()
    mounted = {f"compose/{name}": text for name, text in compose_mounts.files(found).items()}
    return {"compose.yaml": _HEAD + document(_compose(found)), **mounted}


def _compose(found: Blueprint) -> dict[str, Any]:
    services = {**_stores(found), **_one_shots(found)}
    for each in found.services:
        services[each.name] = _service(each)
    services["front-door"] = _front_door_service(found)
    volumes = ("postgres-data", "mongo-data", "kafka-data", "uploads")
    return {"name": "ticketly", "services": services, "volumes": {name: {} for name in volumes}}


def _health(*words: str, start_seconds: int = 30, seconds: int = 10) -> dict[str, Any]:
    """Asked every two seconds while it starts, every `seconds` later."""
    return {
        "test": ["CMD", *words],
        "interval": f"{seconds}s",
        "timeout": "10s",
        "retries": 12,
        "start_period": f"{start_seconds}s",
        "start_interval": "2s",
    }


def _store(name: str, health: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {
        "image": IMAGES[name],
        "restart": "unless-stopped",
        "security_opt": ["no-new-privileges:true"],
        **rest,
        "healthcheck": health,
    }


def _mounted(source: str, target: str) -> str:
    return f"./compose/{source}:{target}:ro"


def _stores(found: Blueprint) -> dict[str, Any]:
    role_passwords = {variable(each.password): required(variable(each.password)) for each in found.databases}
    cdc = SecretRef(found.databases[0].password.name, names.CDC_PASSWORD_KEY)
    role_passwords[variable(cdc)] = reference(cdc)
    return {
        "postgres": _store(
            "postgres",
            # over TCP: while it makes the roles it listens on its socket only
            _health("pg_isready", "--host=127.0.0.1", "--username=postgres"),
            command=["postgres", "-c", "wal_level=logical", "-c", "max_slot_wal_keep_size=4GB"],
            environment={"POSTGRES_PASSWORD": required("TICKETLY_SECRET_POSTGRES_SUPERUSER"), **role_passwords},
            volumes=[
                "postgres-data:/var/lib/postgresql",
                _mounted("postgres.sql", "/docker-entrypoint-initdb.d/ticketly.sql"),
            ],
        ),
        "valkey": _store(
            "valkey",
            _health("valkey-cli", "ping"),
            command=["valkey-server", "--save", "", "--requirepass", required("TICKETLY_SECRET_REDIS_PASSWORD")],
            environment={"REDISCLI_AUTH": required("TICKETLY_SECRET_REDIS_PASSWORD")},
        ),
        "mongo": _store(
            "mongo",
            _health("mongosh", "--quiet", "--eval", "quit(db.adminCommand('ping').ok ? 0 : 1)"),
            environment={
                "MONGO_INITDB_ROOT_USERNAME": "ticketly",
                "MONGO_INITDB_ROOT_PASSWORD": required("TICKETLY_SECRET_MONGO_PASSWORD"),
            },
            volumes=["mongo-data:/data/db"],
        ),
        "kafka": _store(
            "kafka",
            _health("/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "kafka:9092", "--list", seconds=30),
            environment=_KAFKA,
            volumes=["kafka-data:/var/lib/kafka/data"],
        ),
        "connect": _store(
            "connect",
            _health("curl", "--fail", "--silent", "http://127.0.0.1:8083/connectors", start_seconds=60),
            environment={**_CONNECT, variable(cdc): reference(cdc)},
            depends_on={"kafka": {"condition": _HEALTHY}},
        ),
        "keycloak": _store(
            "keycloak",
            _health("bash", "-c", _KEYCLOAK_PROBE, start_seconds=90),
            command=[
                *("start-dev", "--import-realm", f"--http-port={KEYCLOAK_PORT}"),
                *(f"--hostname=http://{KEYCLOAK_HOST}:{KEYCLOAK_PORT}", "--health-enabled=true"),
            ],
            environment={
                "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
                "KC_BOOTSTRAP_ADMIN_PASSWORD": required("TICKETLY_SECRET_KEYCLOAK_ADMIN"),
                **{name: required(name) for name in realm_variables()},
            },
            volumes=[_mounted("realm.json", f"/opt/keycloak/data/import/{REALM}-realm.json")],
            networks={"default": {"aliases": [KEYCLOAK_HOST]}},
            ports=[f"127.0.0.1:{KEYCLOAK_PORT}:{KEYCLOAK_PORT}"],
            depends_on={"mail": {"condition": _HEALTHY}},
        ),
        "mail": _store(
            "mail",
            _health("/mailpit", "readyz"),
            ports=["127.0.0.1:8025:8025"],
        ),
    }


_KAFKA: Final[Mapping[str, str]] = {
    "CLUSTER_ID": "dGlja2V0bHktY29tcG9zZQ",
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@kafka:9093",
    "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://kafka:9092",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
}
_CONNECT: Final[Mapping[str, str]] = {
    "BOOTSTRAP_SERVERS": "kafka:9092",
    "GROUP_ID": "ticketly-connect",
    "CONFIG_STORAGE_TOPIC": "_connect.configs",
    "OFFSET_STORAGE_TOPIC": "_connect.offsets",
    "STATUS_STORAGE_TOPIC": "_connect.status",
    "CONNECT_CONFIG_STORAGE_REPLICATION_FACTOR": "1",
    "CONNECT_OFFSET_STORAGE_REPLICATION_FACTOR": "1",
    "CONNECT_STATUS_STORAGE_REPLICATION_FACTOR": "1",
    "CONNECT_TOPIC_CREATION_ENABLE": "false",
    # the configuration of a connector names its password's variable, so that nobody reads it from Connect
    "CONNECT_CONFIG_PROVIDERS": "env",
    "CONNECT_CONFIG_PROVIDERS_ENV_CLASS": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
}
_KEYCLOAK_PROBE: Final = (
    "exec 3<>/dev/tcp/127.0.0.1/9000; printf 'GET /health/ready HTTP/1.0\\r\\n\\r\\n' >&3; "
    "read -r first <&3; [[ $$first == *' 200 '* ]]"
)
"""Its image has no program that speaks HTTP."""


def _one_shots(found: Blueprint) -> dict[str, Any]:
    """What is done once, in the order that `depends_on` says; doing it again changes nothing."""
    made: dict[str, Any] = {
        "topics": {
            "image": IMAGES["kafka"],
            "entrypoint": ["/bin/sh", "/topics.sh"],
            "volumes": [_mounted("topics.sh", "/topics.sh")],
            "depends_on": {"kafka": {"condition": _HEALTHY}},
        }
    }
    migrating = [each for each in found.services if each.migrates]
    for each in migrating:
        made[f"{each.name}-migrate"] = {
            **_own(each),
            "command": ["migrate"],
            "depends_on": {"postgres": {"condition": _HEALTHY}},
        }
    for connector in found.connectors:
        made[connector.name] = {
            "image": IMAGES["connect"],
            "entrypoint": [
                *("curl", "--fail-with-body", "--silent", "--show-error", "--retry", "10", "--retry-all-errors"),
                *("--request", "PUT", "--header", "Content-Type: application/json", "--data", "@/connector.json"),
                f"http://connect:8083/connectors/{connector.name}/config",
            ],
            "volumes": [_mounted(f"{connector.name}.json", "/connector.json")],
            "depends_on": {
                "connect": {"condition": _HEALTHY},
                "topics": {"condition": _DONE},
                # migrations make the publications and heartbeat tables
                **{f"{each.name}-migrate": {"condition": _DONE} for each in migrating},
            },
        }
    return {name: {**each, "restart": "no"} for name, each in made.items()}


def _own(service: Service) -> dict[str, Any]:
    """What a service and its migration have in common: as little as a pod has."""
    found: dict[str, Any] = {
        "image": f"ticketly/{service.name}:{VERSION}",
        "build": {"context": ".", "target": service.name},
        "environment": {
            var.name: reference(var.value) if isinstance(var.value, SecretRef) else var.value.replace("$", "$$")
            for var in service.env
        },
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108 - the container's own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }
    if any(var.name == "TICKETLY_UPLOADS_DIRECTORY" for var in service.env):
        found["volumes"] = [f"uploads:{UPLOADS}"]
    return found


def _service(service: Service) -> dict[str, Any]:
    waits = {"keycloak": _HEALTHY}
    for store, component in (("postgres", "postgres"), ("mongo", "mongo"), ("redis", "valkey"), ("kafka", "kafka")):
        if store in service.stores:
            waits[component] = _HEALTHY
    if "kafka" in service.stores:
        waits["topics"] = _DONE
    if service.migrates:
        waits[f"{service.name}-migrate"] = _DONE
    url = f"http://127.0.0.1:{service.internal_port}{service.probes.readiness.path}"
    made = {
        **_own(service),
        "restart": "unless-stopped",
        "stop_grace_period": "45s",
        "depends_on": {name: {"condition": condition} for name, condition in waits.items()},
        "healthcheck": _health("python", "-c", f"from urllib.request import urlopen; urlopen('{url}', timeout=5)"),
    }
    if service.public_port is not None:
        made["ports"] = [f"127.0.0.1:{service.public_port}:{service.public_port}"]
    return made


def _front_door_service(found: Blueprint) -> dict[str, Any]:
    return {
        **_store(
            "front-door",
            _health(
                "wget", "--quiet", "--output-document=-", f"http://127.0.0.1:{FRONT_DOOR_PORT}/.ticketly/front-door"
            ),
            volumes=[_mounted("Caddyfile", "/etc/caddy/Caddyfile")],
            ports=[f"127.0.0.1:{FRONT_DOOR_PORT}:{FRONT_DOOR_PORT}"],
        ),
        "depends_on": {route.service: {"condition": _HEALTHY} for route in found.routes},
    }
