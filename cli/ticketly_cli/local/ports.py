"""Which port each part listens on: the usual one when it is free, the remembered one on a restart, else a free one."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable, Iterable, Mapping

from ticketly_cli.errors import CliError, ExitCode

LOOPBACK = "127.0.0.1"

USUAL_PORTS: Mapping[str, int] = {
    "front-door": 8088,
    "postgres": 5432,
    "redis": 6379,
    "kafka": 9092,
    "kafka-controller": 9093,
    "connect": 8083,
    "keycloak": 8080,
    "mongo": 27017,
    "mail-smtp": 1025,
    "mail-http": 8025,
}
"""Ports of the services come from the blueprint (contract 0.1) and are added as `<service>-public|internal`."""

FIRST_SPARE_PORT = 20000
LAST_SPARE_PORT = 29999
"""Below the range the system hands out for outgoing connections, so a chosen port stays free between restarts."""


def is_free(port: int) -> bool:
    """Whether a server could listen there now: nobody listens on the loopback interface or on all of them."""
    for host in (LOOPBACK, ""):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def choose(
    wanted: Mapping[str, int],
    remembered: Mapping[str, int],
    ours: Iterable[int] = (),
    free: Callable[[int], bool] = is_free,
    first_spare: int = FIRST_SPARE_PORT,
) -> dict[str, int]:
    """A port for every name in `wanted` (name -> usual port), all different.

    A remembered port is kept while it is free or in `ours` (held by this very platform); then the usual one; then the
    first free one from `first_spare` on. Raises CliError when there is none left.
    """
    held = set(ours)
    chosen: dict[str, int] = {}
    taken: set[int] = set()

    def usable(port: int) -> bool:
        return port not in taken and (port in held or free(port))

    for name in wanted:
        port = remembered.get(name)
        if port is not None and usable(port):
            chosen[name] = port
            taken.add(port)
    spare = first_spare
    for name, usual in wanted.items():
        if name in chosen:
            continue
        port = usual
        while not usable(port):
            if spare > LAST_SPARE_PORT:
                raise CliError(
                    f"No free port is left for {name} between {FIRST_SPARE_PORT} and {LAST_SPARE_PORT}.",
                    "Stop other platforms with `ticketly down`.",
                    ExitCode.UNREACHABLE,
                )
            port, spare = spare, spare + 1
        chosen[name] = port
        taken.add(port)
    return chosen


def spare_start(seed: str) -> int:
    """Where platform `seed` begins to look, so that platforms started at the same moment look in different places."""
    return FIRST_SPARE_PORT + zlib.crc32(seed.encode()) % (LAST_SPARE_PORT - FIRST_SPARE_PORT - 200)
