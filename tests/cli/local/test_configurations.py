"""Rendered configuration and command lines."""

from __future__ import annotations

import json
import os
from importlib import resources

import pytest

from ticketly_cli.errors import CliError
from ticketly_cli.local import assembly, os_user, placement, state
from ticketly_cli.local.components import front_door, postgres
from ticketly_cli.local.credentials import Credentials
from ticketly_cli.local.paths import HomeFolder
from ticketly_cli.local.toolchain import Toolchain
from ticketly_cli.local.versions import load_versions
from ticketly_crds import spec

SAMPLE = resources.files("ticketly_crds").joinpath("samples", "local.yaml").read_text(encoding="utf-8")


@pytest.fixture
def site(tmp_path):
    credentials = Credentials()
    placement.ensure_credentials(credentials)
    return placement.work_out(HomeFolder(tmp_path), spec.load(SAMPLE), credentials, {})


@pytest.fixture
def components(site, tmp_path):
    return assembly.components(site, Toolchain(cache=tmp_path / "cache", versions=load_versions()))


def secrets_of(credentials):
    kinds = (credentials.database_roles, credentials.clients, credentials.users, credentials.administrators)
    return [value for kind in kinds for value in kind.values()]


def test_no_command_line_holds_a_secret(site, components):
    lines = [" ".join(one.process.argv) for one in components.values() if one.process is not None]
    for secret in secrets_of(site.credentials):
        assert not any(secret in line for line in lines)


def test_no_description_shows_a_secret(site, components):
    text = repr(site) + repr(components)
    assert not any(secret in text for secret in secrets_of(site.credentials))


def test_each_service_gets_exactly_the_environment_of_the_blueprint(site, components):
    for service in site.services:
        environment = components[service.name].process.environment
        assert environment.keys() - {"PYTHONUNBUFFERED"} == {variable.name for variable in service.env}
        assert "" not in {environment[v.name] for v in service.env if not isinstance(v.value, str)}


def test_each_service_has_a_password_of_its_own(site):
    passwords = [site.secret(database.password) for database in site.blueprint.databases]
    assert len(set(passwords)) == len(passwords) > 0


def test_connectors_wait_for_the_service_that_makes_their_tables(components):
    assert {"connect", "kafka", "postgres", "event-command"} <= components["ticketly-event-tables"].needs
    assert {"connect", "kafka", "postgres", "order"} <= components["ticketly-order-outbox"].needs


def test_a_store_given_in_the_platform_file_is_not_started(tmp_path):
    document = spec.load(SAMPLE + "  redis:\n    urlSecretRef: {name: mine, key: url}\n")
    credentials = Credentials(given={"mine": {"url": "redis://elsewhere:6379/0"}})
    placement.ensure_credentials(credentials)
    site = placement.work_out(HomeFolder(tmp_path), document, credentials, {})
    components = assembly.components(site, Toolchain(cache=tmp_path, versions=load_versions()))
    assert "valkey" not in components
    assert components["order"].process.environment["TICKETLY_REDIS_URL"] == "redis://elsewhere:6379/0"
    assert site.addresses.redis_url is None
    assert state.assemble(site.home, site.addresses, credentials).redis_url == "redis://elsewhere:6379/0"


def test_a_secret_nobody_gave_is_named_with_the_place_to_write_it(tmp_path):
    document = spec.load(SAMPLE + "  redis:\n    urlSecretRef: {name: mine, key: url}\n")
    credentials = Credentials()
    placement.ensure_credentials(credentials)
    with pytest.raises(CliError, match="secret mine, whose key url") as raised:
        placement.work_out(HomeFolder(tmp_path), document, credentials, {})
    assert "given / mine / url" in raised.value.next_step
    assert raised.value.exit_code == 3


def test_an_invalid_platform_file_names_the_field(tmp_path):
    file = tmp_path / "platform.yaml"
    file.write_text(SAMPLE.replace("exemptGroup: /Load/Buyers", "ttlSeconds: -1"))
    with pytest.raises(CliError, match=r"spec\.holds\.ttlSeconds") as raised:
        placement.parse_specification(file)
    assert raised.value.exit_code == 3


def test_the_platforms_postgres_is_durable_and_decodes_logically():
    settings = postgres.DURABLE_SETTINGS
    assert settings["fsync"] == settings["synchronous_commit"] == settings["full_page_writes"] == "on"
    assert settings["wal_level"] == "logical"
    assert settings["max_slot_wal_keep_size"] == "1GB"


def test_the_broker_makes_no_topics_and_keeps_kafkas_flush_defaults(site, components, tmp_path):
    components["kafka"].process.argv  # noqa: B018 - built from the same broker
    settings = assembly.kafka_broker(site, Toolchain(cache=tmp_path, versions=load_versions())).settings()
    assert settings["auto.create.topics.enable"] == "false"
    assert not [name for name in settings if "flush" in name]


def test_the_front_door_routes_the_public_prefixes_and_nothing_else(site):
    config = front_door.configuration(site.blueprint.routes, 8088, 1000)
    server = config["apps"]["http"]["servers"]["front"]
    proxied = [route for route in server["routes"] if route["handle"][-1]["handler"] == "reverse_proxy"]
    assert [route["match"][0]["path"] for route in proxied] == [
        [prefix, f"{prefix}/*"] for prefix in ("/api/event-seating", "/api/event-query", "/api/order", "/api/scheduler")
    ]
    assert server["listen"] == ["127.0.0.1:8088"]
    assert server["routes"][-1]["handle"][0]["status_code"] == 404
    assert config["admin"]["disabled"]


def test_the_front_door_lets_streams_pass_and_bounds_bodies(site):
    text = json.dumps(front_door.configuration(site.blueprint.routes, 8088, 1000))
    assert "encode" not in text
    assert "flush_interval" not in text
    assert f'"max_size": {1000 + 1024 * 1024}' in text


def test_postgres_data_leaves_a_home_its_user_cannot_reach(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    closed.chmod(0o700)
    user = os_user.OsUser("somebody", 65534, 65534)
    monkeypatch.setattr(os_user, "unprivileged", lambda: user)
    where = postgres.places(tmp_path / "postgres-1", closed)
    assert where.outside_home
    assert where.os_user == user
    monkeypatch.setattr(os_user, "unprivileged", lambda: None)
    assert postgres.places(tmp_path / "postgres-1", closed).data == closed / "data" / "postgres"


def test_a_private_folder_on_the_way_closes_everything_below(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    os.chmod(tmp_path / "a", 0o700)  # noqa: PTH101
    assert not os_user.everybody_can_enter(inner)
    assert os_user.everybody_can_enter(inner.anchor and type(inner)("/"))
