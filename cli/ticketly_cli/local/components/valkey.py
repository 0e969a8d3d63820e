"""Valkey, which speaks the Redis protocol: shield and cache. It keeps nothing: everything in it can be made again."""

from __future__ import annotations

import functools
from pathlib import Path

from ticketly_cli.local import health
from ticketly_cli.local.component import Component, ProcessSpec


def component(program: Path, folder: Path, port: int, version: str) -> Component:
    """`folder` must exist; nothing is written there."""
    options = {
        "--bind": "127.0.0.1",
        "--port": str(port),
        "--save": "",
        "--appendonly": "no",
        "--dir": str(folder),
        "--maxmemory": "128mb",
        "--maxmemory-policy": "volatile-ttl",
        "--loglevel": "notice",
    }

    return Component(
        name="valkey",
        needs=frozenset(),
        version=version,
        address=f"127.0.0.1:{port}",
        process=ProcessSpec(argv=(str(program), *(part for pair in options.items() for part in pair)), folder=folder),
        probe=functools.partial(health.redis, "127.0.0.1", port),
    )
