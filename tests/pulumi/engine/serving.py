"""What the played parts have in common: listen, tell the port, end with the engine."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

_MESSAGE_BYTES = 400 * 1024 * 1024
"""What Pulumi's own parts admit."""


def serve(add: Callable[[Any, grpc.Server], None], servicer: Any) -> None:
    """Serve until the engine stops this process, or is gone itself (a killed engine stops nobody)."""
    engine = os.getppid()
    server = grpc.server(ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", _MESSAGE_BYTES)])
    add(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        while os.getppid() == engine:
            time.sleep(0.2)
    os._exit(0)  # without waiting for calls that nobody will read the answer of
