"""A proxy in front of the API server that can freeze watch streams and nothing else: a stall no error tells about.

Clients speak plain HTTP to it (they are on loopback, as it is), so that it can tell a watch from any other request; it
speaks TLS to the API server. A frozen stream stays open and delivers nothing; one opened meanwhile is not answered.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
import threading
from types import TracebackType
from urllib.parse import urlsplit

from ticketly_lab import kubeconfigs
from ticketly_lab.cluster import Cluster

_WATCH = b"watch=true"
_CHUNK = 65_536
_CLOSING_SECONDS = 0.1


class WatchProxy:
    """Serves at `url` inside its `with` block."""

    def __init__(self, cluster: Cluster) -> None:
        (entry,) = kubeconfigs.read(cluster.kubeconfig)["clusters"]
        authority = base64.b64decode(entry["cluster"]["certificate-authority-data"]).decode()
        self._trust = ssl.create_default_context(cadata=authority)
        parts = urlsplit(cluster.url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 443)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._stop = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self.watches = 0
        """How many watches were asked for."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def freeze(self) -> None:
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def thaw(self) -> None:
        """What was held back is delivered."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def __enter__(self) -> WatchProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async with await asyncio.start_server(self._accepted, sock=self._listener) as server:
            await self._stop.wait()
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            # transports close their sockets a turn of the loop later
            await asyncio.sleep(_CLOSING_SECONDS)

    async def _accepted(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._connection(from_client, to_client))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _connection(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        watching = asyncio.Event()
        ends = [to_client]
        halves: list[asyncio.Task[None]] = []
        try:
            from_server, to_server = await asyncio.open_connection(*self._server, ssl=self._trust)
            ends.append(to_server)
            halves.append(asyncio.create_task(self._ask(from_client, to_server, watching)))
            halves.append(asyncio.create_task(self._deliver(from_server, to_client, watching)))
            await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            # the API server is not there: its client finds the connection closed
            return
        finally:
            # first what needs no waiting, for the end of everything may come in the middle of this
            for end in ends:
                end.transport.abort()
            for half in halves:
                half.cancel()
            await asyncio.gather(*halves, return_exceptions=True)

    async def _ask(self, client: asyncio.StreamReader, server: asyncio.StreamWriter, watching: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while data := await client.read(_CHUNK):
                if _WATCH in data.partition(b"\r\n")[0]:
                    self.watches += 1
                    watching.set()
                server.write(data)
                await server.drain()

    async def _deliver(
        self, server: asyncio.StreamReader, client: asyncio.StreamWriter, watching: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await server.read(_CHUNK):
                if watching.is_set():
                    await self._flowing.wait()
                client.write(data)
                await client.drain()
