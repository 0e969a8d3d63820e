"""The operator's defaults are promises, and a wrong environment is told by variable name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ticketly_operator.settings
from ticketly_operator.settings import OperatorSettings, SettingsError, load


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.upper().startswith("TICKETLY_OPERATOR_"):
            monkeypatch.delenv(name)


def test_defaults_are_the_promised_ones() -> None:
    assert load().model_dump() == {
        "scope": {"namespace": ""},
        "reconcile": {
            "interval_seconds": 30,
            "debounce_seconds": 0.5,
            "timeout_seconds": 120,
            "error_backoff_first_seconds": 1,
            "error_backoff_max_seconds": 300,
            "concurrency": 4,
        },
        "rollout": {"deadline_seconds": 600, "migration_deadline_seconds": 600, "termination_grace_seconds": 45},
        "connectors": {
            "poll_seconds": 10,
            "backoff_cap_minutes": 60,
            "healthy_reset_minutes": 30,
            "request_timeout_seconds": 10,
        },
        "slots": {"poll_seconds": 30, "connect_timeout_seconds": 5, "statement_timeout_seconds": 5},
        "kafka": {"request_timeout_seconds": 15, "poll_seconds": 60},
        "watch": {"server_timeout_seconds": 300, "inactivity_timeout_seconds": 70, "liveness_timeout_seconds": 150},
        "lease": {
            "name": "ticketly-operator",
            "namespace": "",
            "duration_seconds": 12,
            "renew_deadline_seconds": 8,
            "retry_seconds": 2,
        },
        "status": {"lag_refresh_minutes": 15, "lag_window_seconds": 300},
        "lag": {"connect_timeout_seconds": 0.5, "request_timeout_seconds": 2, "concurrency": 8},
        "deletion": {"timeout_seconds": 120},
        "listen": {"host": "0.0.0.0", "port": 8080},  # noqa: S104  compared, not bound
        "log": {"level": "info", "format": "json"},
    }


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETLY_OPERATOR_LEASE_DURATION_SECONDS", "30")
    monkeypatch.setenv("TICKETLY_OPERATOR_SCOPE_NAMESPACE", "tickets")
    found = load()
    assert (found.lease.duration_seconds, found.scope.namespace) == (30, "tickets")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TICKETLY_OPERATOR_LEASE_RENEW_DEADLINE_SECONDS", "15"),
        ("TICKETLY_OPERATOR_WATCH_LIVENESS_TIMEOUT_SECONDS", "60"),
        ("TICKETLY_OPERATOR_RECONCILE_ERROR_BACKOFF_MAX_SECONDS", "0.5"),
        ("TICKETLY_OPERATOR_RECONCILE_INTERVAL_SECONDS", "often"),
        ("TICKETLY_OPERATOR_LOG_COLOUR", "red"),
    ],
)
def test_a_wrong_value_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: ") as caught:
        load()
    assert value not in str(caught.value).split(": ", 1)[1].split()


def test_every_setting_says_what_it_does() -> None:
    tree = ast.parse(Path(ticketly_operator.settings.__file__).read_text(encoding="utf-8"))
    groups = [node for node in tree.body if isinstance(node, ast.ClassDef) and _is_group(node)]
    assert {node.name for node in groups} == {type(value).__name__ for value in OperatorSettings().__dict__.values()}
    for group in groups:
        body = group.body
        fields = [index for index, node in enumerate(body) if isinstance(node, ast.AnnAssign)]
        undocumented = [
            ast.unparse(body[index].target)  # type: ignore[attr-defined]
            for index in fields
            if index + 1 >= len(body) or not isinstance(body[index + 1], ast.Expr)
        ]
        assert undocumented == [], group.name


def _is_group(node: ast.ClassDef) -> bool:
    return any(isinstance(parent, ast.Name) and parent.id == "Group" for parent in node.bases)
