"""What a service's process answers to wrong arguments and a wrong environment, before anything is started."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ticketly_common import process
from ticketly_common.settings import ServiceSettings

NEEDED = {
    "ticketly_email": "TICKETLY_LISTEN",
    "ticketly_scheduler": "TICKETLY_LISTEN",
    "ticketly_event_command": "TICKETLY_POSTGRES",
    "ticketly_event_query": "TICKETLY_MONGO",
    "ticketly_order": "TICKETLY_POSTGRES",
}
"""By service: a group of settings that it cannot start without."""


def never(*_):
    raise AssertionError("nothing may be started")


@pytest.mark.parametrize(
    ("arguments", "migrate", "usage"),
    [
        (["migrat"], never, "usage: python -m ticketly_event_query [migrate]\n"),
        (["migrate", "now"], never, "usage: python -m ticketly_event_query [migrate]\n"),
        (["migrate"], None, "usage: python -m ticketly_event_query\n"),
    ],
)
def test_wrong_arguments_show_how_it_is_called(capsys, arguments, migrate, usage):
    code = process.main("event-query", ServiceSettings, never, migrate=migrate, arguments=arguments)
    assert code == process.EXIT_WRONG
    assert capsys.readouterr().err == usage


def test_the_result_of_a_migration_is_the_exit_code(monkeypatch):
    for name, value in {
        "LISTEN_PUBLIC_PORT": "0",
        "LISTEN_INTERNAL_PORT": "0",
        "IDENTITY_ISSUER": "http://127.0.0.1:1/realms/x",
        "IDENTITY_AUDIENCE": "x",
    }.items():
        monkeypatch.setenv(f"TICKETLY_{name}", value)
    monkeypatch.setattr(process.telemetry, "configure_logging", lambda *_, **__: None)
    seen = []

    def migrate(settings):
        seen.append(settings.listen.public_port)
        return 1

    assert process.main("order", ServiceSettings, never, migrate=migrate, arguments=["migrate"]) == 1
    assert seen == [0]


@pytest.mark.parametrize(("service", "group"), NEEDED.items())
def test_every_service_names_what_its_environment_lacks(service, group):
    done = subprocess.run(
        [sys.executable, "-m", service],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == process.EXIT_WRONG
    assert "TICKETLY_LISTEN" in done.stderr
    assert group in done.stderr
    assert "Traceback" not in done.stderr


def test_a_document_store_that_is_not_there_fails_the_migration_without_its_password():
    environment = {
        "PATH": os.environ["PATH"],
        "TICKETLY_LISTEN_PUBLIC_PORT": "0",
        "TICKETLY_LISTEN_INTERNAL_PORT": "0",
        "TICKETLY_IDENTITY_ISSUER": "http://127.0.0.1:1/realms/x",
        "TICKETLY_MONGO_URI": "mongodb://reader:hush@127.0.0.1:1/?serverSelectionTimeoutMS=10",
        "TICKETLY_MONGO_DATABASE": "x",
        "TICKETLY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "TICKETLY_REDIS_URL": "redis://127.0.0.1:1/0",
        "TICKETLY_ANALYTICS_SALT": "x" * 32,
    }
    done = subprocess.run(
        [sys.executable, "-m", "ticketly_event_query", "migrate"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "127.0.0.1:1" in done.stderr
    assert "hush" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
