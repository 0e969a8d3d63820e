"""Kafka Connect with Debezium's PostgreSQL connector, and the connectors that run in it."""

from __future__ import annotations

import functools
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ticketly_cli.local import health, java
from ticketly_cli.local.component import Component, ProcessSpec, Step, UnhealthyError, fingerprint
from ticketly_cli.local.components.kafka import logging_properties, write_properties

HEAP_MB = 256
_REQUEST_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class ConnectWorker:
    """One worker in distributed mode."""

    class_path: str
    plugins: Path
    configuration_file: Path
    port: int
    bootstrap_servers: str
    secrets_folder: Path | None = None
    """Given: connectors may refer to `${directory:<folder>/<secret>:<key>}` below it, as in a cluster."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self) -> Mapping[str, str]:
        """The worker's properties; pure. Short session timeouts bring capture back within seconds after a crash."""
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "group.id": "ticketly-connect",
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "key.converter.schemas.enable": "false",
            "value.converter.schemas.enable": "false",
            "config.storage.topic": "_connect.configs",
            "config.storage.replication.factor": "1",
            "offset.storage.topic": "_connect.offsets",
            "offset.storage.replication.factor": "1",
            "offset.storage.partitions": "1",
            "status.storage.topic": "_connect.status",
            "status.storage.replication.factor": "1",
            "status.storage.partitions": "1",
            "offset.flush.interval.ms": "1000",
            "offset.flush.timeout.ms": "5000",
            "listeners": self.url,
            "rest.advertised.host.name": "127.0.0.1",
            "plugin.path": str(self.plugins),
            "plugin.discovery": "service_load",
            "topic.creation.enable": "false",
            "connector.client.config.override.policy": "All",
            "scheduled.rebalance.max.delay.ms": "0",
            "session.timeout.ms": "3000",
            "heartbeat.interval.ms": "1000",
            **self._config_providers(),
        }

    def _config_providers(self) -> Mapping[str, str]:
        if self.secrets_folder is None:
            return {}
        return {
            "config.providers": "directory",
            "config.providers.directory.class": "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
            "config.providers.directory.param.allowed.paths": str(self.secrets_folder),
        }

    def prepare(self) -> None:
        write_properties(self.configuration_file, self.settings())

    def process(self) -> ProcessSpec:
        main = "org.apache.kafka.connect.cli.ConnectDistributed"
        arguments = [str(self.configuration_file)]
        return ProcessSpec(
            argv=tuple(java.command(main, self.class_path, arguments, HEAP_MB, logging_properties())),
            folder=self.configuration_file.parent,
            stop_timeout_seconds=20.0,
        )


def component(worker: ConnectWorker, version: str) -> Component:
    return Component(
        name="connect",
        needs=frozenset({"kafka"}),
        version=version,
        address=worker.url,
        process=worker.process(),
        prepare=worker.prepare,
        probe=functools.partial(health.http, f"{worker.url}/connectors"),
        fingerprint=fingerprint(worker.settings()),
    )


ConnectorState = Literal["running", "paused", "stopped"]


@dataclass(frozen=True, slots=True)
class CaptureConnector:
    """A connector as it should be, and how to bring it there. `config` holds the database password."""

    name: str
    connect_url: str
    config: Mapping[str, str] = field(repr=False)
    state: ConnectorState = "running"

    def apply(self) -> None:
        """PUT the configuration when it differs, set the state, restart what failed."""
        status, current = self._call("GET", "/config")
        if status == 404 or {**current, "name": ""} != {**self.config, "name": ""}:
            status, answer = self._call("PUT", "/config", dict(self.config))
            if status not in (200, 201):
                raise UnhealthyError(f"Connect refuses the configuration: {answer.get('message', status)}")
        verb = {"running": "resume", "paused": "pause", "stopped": "stop"}[self.state]
        self._call("PUT", f"/{verb}")
        if self.state == "running":
            self._call("POST", "/restart?includeTasks=true&onlyFailed=true")

    def _call(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(  # noqa: S310 - an http address of ours
            f"{self.connect_url}/connectors/{self.name}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_REQUEST_TIMEOUT_SECONDS) as response:  # noqa: S310
                return response.status, _object(response.read())
        except urllib.error.HTTPError as error:
            return error.code, _object(error.read())

    async def probe(self) -> None:
        """Connector and task are in the wanted state."""
        answer = _object(await health.http(f"{self.connect_url}/connectors/{self.name}/status"))
        wanted = self.state.upper()
        seen = answer.get("connector", {}).get("state", "absent")
        if seen != wanted:
            raise UnhealthyError(f"connector is {seen}")
        tasks = answer.get("tasks", [])
        if self.state == "running" and not tasks:
            raise UnhealthyError("has no task yet")
        for task in tasks:
            if task.get("state") != wanted:
                raise UnhealthyError(f"task is {task.get('state')} {_cause(task.get('trace') or '')}".strip())


def _cause(trace: str) -> str:
    """The innermost cause of a Java stack trace."""
    lines = trace.strip().splitlines()
    return next((line for line in reversed(lines) if line.startswith("Caused by")), lines[0] if lines else "")


def _object(content: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(content or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def connector(capture: CaptureConnector, needs: frozenset[str], version: str, streams: Step | None = None) -> Component:
    """`streams` probes the other end: that the database sends to this connector's slot."""

    async def probe() -> None:
        await capture.probe()
        if streams is not None and capture.state == "running":
            await streams()

    return Component(
        name=capture.name,
        needs=needs,
        version=version,
        address=f"{capture.connect_url}/connectors/{capture.name}",
        prepare=capture.apply,
        probe_every_seconds=10.0,
        fingerprint=fingerprint(capture.config, capture.state),
        probe=probe,
    )
