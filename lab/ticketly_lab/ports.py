"""Ports for servers that start in a moment."""

from __future__ import annotations

import contextlib
import secrets
import socket

FIRST = 12_000
COUNT = 20_000


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody uses now, all different, below the range the system gives to outgoing connections.

    A port from that range may be taken by anybody's outgoing connection before the server binds it.
    """
    with contextlib.ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            listener = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                listener.bind(("127.0.0.1", FIRST + secrets.randbelow(COUNT)))
                found.append(listener.getsockname()[1])
        return found
