"""A program that speaks the engine's protocol, for the tests of `ticketly provision`."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from ticketly_cli import main
from ticketly_cli.printing import Terminal

CANARY = "canary-41c9-hunter2-secret"
PROTOCOL = Path(__file__).parent / "engine_protocol.py"
ARN = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:ticketly-dev/database-AbCdEf"
PLATFORM = {
    "images": {"registry": "123456789012.dkr.ecr.ap-south-1.amazonaws.com/ticketly"},
    "identity": {"issuer": "https://auth.example.com/realms/event-ticketing", "clientSecretsRef": {"name": "t-oidc"}},
    "postgres": {"host": "db.example.com", "credentialsSecretRef": {"name": "t-postgres"}},
    "objectStorage": {"mode": "s3", "bucket": "ticketly-uploads"},
}
SOURCES = [
    {"secretName": "t-postgres", "key": "order-password", "arn": ARN, "field": "order"},
    {"secretName": "t-postgres", "key": "cdc-password", "arn": ARN, "field": "cdc"},
    {"secretName": "t-mongo", "key": "uri", "arn": ARN, "field": ""},
]


class Terminals(io.StringIO):
    def isatty(self) -> bool:
        return True


class Stage:
    """A machine on which everything is there, in a folder of its own."""

    platform = PLATFORM
    sources = SOURCES

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.project.mkdir()
        (self.project / "Pulumi.yaml").write_text("name: ticketly\nruntime: python\n")
        self.tools = folder / "bin"
        self.tools.mkdir()
        self.tool("pulumi", f'exec {sys.executable} {PROTOCOL} "$@"')
        (folder / "version").write_text("v3.272.0")
        (folder / "stack").touch()
        empty = {"deployment": {"manifest": {}}}
        self.scenario = {
            "outputs": {"vpcId": "vpc-1"},
            "outputs_shown": {"vpcId": "vpc-1", "password": CANARY},
            "export": empty,
            "export_shown": {"deployment": {"password": CANARY}},
            "config": {"aws:region": {"value": "ap-south-1", "secret": False}},
            "history": {
                "kind": "update", "startTime": "2027-01-04T10:00:00.000Z", "message": "", "environment": {},
                "config": {}, "result": "succeeded", "endTime": "2027-01-04T10:01:00.000Z",
            },
        }  # fmt: skip
        for name in [name for name in os.environ if name.startswith(("AWS_", "PULUMI_"))]:
            monkeypatch.delenv(name)
        for name, value in {
            "ENGINE_FOLDER": str(folder),
            "HOME": str(folder),
            "PATH": f"{self.tools}:/usr/bin:/bin",
            "AWS_ACCESS_KEY_ID": "AKIAABCDEFGHIJKLMNOP",
            "AWS_SECRET_ACCESS_KEY": CANARY,
            "PULUMI_BACKEND_URL": "s3://state?region=ap-south-1",
        }.items():
            monkeypatch.setenv(name, value)

    def tool(self, name: str, body: str) -> None:
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def save(self) -> None:
        (self.folder / "scenario.json").write_text(json.dumps(self.scenario))

    def run(self, *arguments: str, answers: str | None = None) -> tuple[int, str, str]:
        self.save()
        shown = Terminal(io.StringIO(), io.StringIO(), io.StringIO())
        if answers is not None:
            shown = Terminal(io.StringIO(), Terminals(), Terminals(answers))
        command, *rest = arguments
        chosen = ["--project", str(self.project), *rest] if "--project" not in rest else rest
        code = main.execute(["provision", command, *chosen], shown)
        return code, shown.stdout.getvalue(), shown.stderr.getvalue()

    def calls(self) -> list[list[str]]:
        path = self.folder / "calls.jsonl"
        return [json.loads(line)["arguments"] for line in path.read_text().splitlines()] if path.exists() else []

    def did(self, word: str) -> bool:
        return any(word in call and "--preview-only" not in call for call in self.calls())


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)
