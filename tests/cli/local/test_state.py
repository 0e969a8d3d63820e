"""Reading where a platform is."""

from __future__ import annotations

import os
import subprocess

import pytest

from ticketly_cli.errors import CliError
from ticketly_cli.local import credentials as stored
from ticketly_cli.local import state
from ticketly_cli.local.credentials import Credentials
from ticketly_cli.local.identity import identify
from ticketly_cli.local.paths import HomeFolder, cache_folder, home_folder

ADDRESSES = state.Addresses(
    front_door_url="http://127.0.0.1:8088",
    services=(
        state.ServiceAddress(
            "order",
            "ticketly_order",
            "http://127.0.0.1:8084",
            "http://127.0.0.1:9084",
            "order_service",
            "ticketly_order",
        ),
        state.ServiceAddress("email", "ticketly_email", None, "http://127.0.0.1:9086"),
    ),
    postgres_host="127.0.0.1",
    postgres_port=5432,
    redis_url="redis://127.0.0.1:6379/0",
    kafka_bootstrap_servers="127.0.0.1:9092",
    connect_url="http://127.0.0.1:8083",
    keycloak_url="http://127.0.0.1:8080",
    issuer="http://127.0.0.1:8080/realms/event-ticketing",
    mongo_uri="mongodb://127.0.0.1:27017/",
    mongo_database="event-seating",
    mail_smtp_host="127.0.0.1",
    mail_smtp_port=1025,
    mail_url="http://127.0.0.1:8025",
)


@pytest.fixture
def home(tmp_path):
    found = HomeFolder(tmp_path)
    secrets = Credentials(
        database_roles={"ticketly_order": "p@ss/word", "ticketly": "root-password"},
        users={"test@ticketly.test": "user-password"},
        administrators={"keycloak": "admin-password"},
        clients={"events-service": "client-secret"},
    )
    stored.write(found.secrets_file, secrets)
    file = state.PlatformFile(addresses=ADDRESSES, supervisor=identify(os.getpid()))
    state.write_platform_file(found.platform_file, file)
    return found


def test_a_running_platform_gives_addresses_and_secrets(home):
    found = state.load(home.root)
    assert found.front_door_url == "http://127.0.0.1:8088"
    assert found.service("order").internal_url == "http://127.0.0.1:9084"
    assert found.service("email").public_url is None
    assert (
        found.database("order_service").dsn == "postgresql://ticketly_order:p%40ss%2Fword@127.0.0.1:5432/order_service"
    )
    assert found.token_url == "http://127.0.0.1:8080/realms/event-ticketing/protocol/openid-connect/token"
    assert found.users["test@ticketly.test"].password == "user-password"
    assert found.superuser.dsn.endswith("@127.0.0.1:5432/postgres")


def test_no_secret_shows_when_the_state_is_printed(home):
    text = repr(state.load(home.root)) + repr(stored.read(home.secrets_file))
    for secret in ("p@ss/word", "root-password", "user-password", "admin-password", "client-secret"):
        assert secret not in text


def test_the_secrets_file_is_private(home):
    assert home.secrets_file.stat().st_mode & 0o777 == 0o600


def test_an_absent_platform_names_the_next_step(tmp_path):
    with pytest.raises(CliError, match="No platform is running") as raised:
        state.load(tmp_path)
    assert raised.value.next_step == "Run `ticketly up` first."
    assert raised.value.exit_code == 4


def test_a_supervisor_that_ended_means_no_platform(home):
    process = subprocess.Popen(["sleep", "60"])
    identity = identify(process.pid)
    process.kill()
    process.wait()
    file = state.PlatformFile(addresses=ADDRESSES, supervisor=identity)
    state.write_platform_file(home.platform_file, file)
    with pytest.raises(CliError, match="No platform is running"):
        state.load(home.root)


def test_a_process_id_given_to_another_process_means_no_platform(home):
    me = identify(os.getpid())
    other = type(me)(pid=me.pid, started_ticks=me.started_ticks - 1, boot=me.boot)
    state.write_platform_file(home.platform_file, state.PlatformFile(addresses=ADDRESSES, supervisor=other))
    with pytest.raises(CliError, match="No platform is running"):
        state.load(home.root)


@pytest.mark.parametrize("content", [b"", b"{", b'{"ports": []}', b'{"format": "1"}'])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "platform.json").write_bytes(content)
    with pytest.raises(CliError, match=r"platform\.json is damaged"):
        state.load(tmp_path)


def test_a_file_of_another_format_is_refused(tmp_path):
    (tmp_path / "platform.json").write_bytes(b'{"format": 99}')
    with pytest.raises(CliError, match="has format 99"):
        state.load(tmp_path)


def test_an_unknown_service_is_answered_with_the_known_ones(home):
    with pytest.raises(CliError, match="no service named nope") as raised:
        state.load(home.root).service("nope")
    assert "email, order" in raised.value.next_step


def test_folders_follow_the_environment(tmp_path):
    assert home_folder(None, {"TICKETLY_HOME": str(tmp_path / "h")}).root == tmp_path / "h"
    assert home_folder(tmp_path, {"TICKETLY_HOME": "/elsewhere"}).root == tmp_path
    assert cache_folder({"TICKETLY_CACHE": str(tmp_path / "c")}) == tmp_path / "c"
    assert home_folder(None, {}).root.name == "ticketly"


def test_a_password_is_made_once():
    values: dict[str, str] = {}
    first = stored.ensure(values, "a")
    assert len(first) >= 32
    assert stored.ensure(values, "a") == first
