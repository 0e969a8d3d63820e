"""The MongoDB protocol without MongoDB: mongo-java-server, its data in an H2 file so that it survives a restart."""

from __future__ import annotations

import functools
from pathlib import Path

from ticketly_cli.local import health, java
from ticketly_cli.local.component import Component, ProcessSpec
from ticketly_cli.local.toolchain import LAUNCHER_CLASS

HEAP_MB = 128
STAND_IN = (
    "mongo-java-server instead of MongoDB; announces itself as 4.4, has no transactions, no text and no geo search"
)


def component(class_path: str, data: Path, port: int, version: str) -> Component:
    """`data` is a folder for the database file."""

    def prepare() -> None:
        data.mkdir(parents=True, exist_ok=True)

    return Component(
        name="mongo",
        needs=frozenset(),
        version=version,
        address=f"127.0.0.1:{port}",
        process=ProcessSpec(
            argv=tuple(java.command(LAUNCHER_CLASS, class_path, [str(port), str(data / "store.mv")], HEAP_MB)),
            folder=data.parent,
        ),
        prepare=prepare,
        probe=functools.partial(health.tcp, "127.0.0.1", port),
        stand_in=STAND_IN,
    )
