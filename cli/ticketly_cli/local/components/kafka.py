"""Kafka: one broker that is its own controller (KRaft). Topics exist only when the platform made them.

Durability is Kafka's own: a replicated cluster does without a flush per record, a single broker keeps what the system
has written when only the process dies. Nothing here weakens that.
"""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ticketly_cli.local import health, java
from ticketly_cli.local.component import Component, ProcessSpec, Step, UnhealthyError, fingerprint, nothing

HEAP_MB = 256


@dataclass(frozen=True, slots=True)
class KafkaBroker:
    """`cluster_id` is 16 random bytes in Kafka's base64 form; it belongs to the data folder."""

    class_path: str
    data: Path
    configuration_file: Path
    port: int
    controller_port: int
    cluster_id: str

    def settings(self) -> Mapping[str, str]:
        """The broker's properties; pure."""
        broker = f"127.0.0.1:{self.port}"
        controller = f"127.0.0.1:{self.controller_port}"
        one_replica = {
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "default.replication.factor": "1",
            "min.insync.replicas": "1",
        }
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": controller,
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.data),
            "auto.create.topics.enable": "false",
            "num.partitions": "1",
            **one_replica,
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "num.network.threads": "2",
            "num.io.threads": "4",
            "num.recovery.threads.per.data.dir": "1",
            "log.cleaner.dedupe.buffer.size": "8388608",
            "log.segment.bytes": "67108864",
            "metadata.log.segment.bytes": "16777216",
        }

    def prepare(self) -> None:
        """Write the properties, and format the data folder once."""
        self.data.mkdir(parents=True, exist_ok=True)
        write_properties(self.configuration_file, self.settings())
        if (self.data / "meta.properties").is_file():
            return
        # in one argument: an id may begin with a dash, and would be taken for an option
        identifier = f"--cluster-id={self.cluster_id}"
        arguments = ["format", "--standalone", identifier, "-c", str(self.configuration_file)]
        command = java.command("kafka.tools.StorageTool", self.class_path, arguments, 96, logging_properties())
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise UnhealthyError(f"formatting the data folder failed: {last}")

    def process(self) -> ProcessSpec:
        arguments = [str(self.configuration_file)]
        return ProcessSpec(
            argv=tuple(java.command("kafka.Kafka", self.class_path, arguments, HEAP_MB, logging_properties())),
            folder=self.configuration_file.parent,
            stop_timeout_seconds=30.0,
        )


def component(broker: KafkaBroker, version: str, settle: Step = nothing, settles: str = "") -> Component:
    """`settles` is a digest of what `settle` brings about."""
    return Component(
        name="kafka",
        needs=frozenset(),
        version=version,
        address=f"127.0.0.1:{broker.port}",
        process=broker.process(),
        prepare=broker.prepare,
        probe=functools.partial(health.kafka, "127.0.0.1", broker.port),
        settle=settle,
        fingerprint=fingerprint(broker.settings(), settles),
    )


def logging_properties() -> tuple[str, ...]:
    file = resources.files("ticketly_cli.local").joinpath("log4j2.yaml")
    return (f"-Dlog4j2.configurationFile={file}",)


def write_properties(path: Path, settings: Mapping[str, str]) -> None:
    """A Java properties file, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")
