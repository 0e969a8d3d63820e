"""What the blueprint hands to a service is what that service reads: names, formats and completeness."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from ticketly_common.settings import ServiceSettings, load
from ticketly_crds.blueprint import CONTRACT_PORTS, Blueprint, SecretRef

PLACES = ("on_laptop", "in_cluster")
MAY_BE_UNREAD = {"event-command": {"TICKETLY_KAFKA_BOOTSTRAP_SERVERS"}}
"""The way back (seat and order events) is wired for event command whether or not its consumers run."""


@pytest.fixture(autouse=True)
def only_our_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("TICKETLY_"):
            monkeypatch.delenv(name)


def settings_type(service: str) -> type[ServiceSettings]:
    module = importlib.import_module(f"ticketly_{service.replace('-', '_')}.settings")
    found: type[ServiceSettings] = module.Settings
    return found


def secret_value(ref: SecretRef) -> str:
    if ref.key in ("uri", "url"):
        return f"mongodb://127.0.0.1:1/{ref.key}" if ref.key == "uri" else "redis://127.0.0.1:1/0"
    return f"value of {ref.name}/{ref.key}"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("service", sorted(CONTRACT_PORTS))
def test_a_service_accepts_its_environment_and_knows_every_variable(
    service: str, place: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    blueprint: Blueprint = request.getfixturevalue(place)
    given = {
        var.name: secret_value(var.value) if isinstance(var.value, SecretRef) else var.value
        for var in blueprint.service(service).env
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    kind = settings_type(service)
    assert set(given) - set(known_variables(kind)) <= MAY_BE_UNREAD.get(service, set())
    settings = load(kind)
    assert settings.listen.internal_port == blueprint.service(service).internal_port


def known_variables(kind: type[ServiceSettings]) -> Iterator[str]:
    for group, field in kind.model_fields.items():
        model: Any = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name in model.model_fields:
                yield f"TICKETLY_{group}_{name}".upper()
