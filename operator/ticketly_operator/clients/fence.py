"""The fence before everything that changes something outside the API server.

A leader that was frozen may wake up in the middle of a step, long after somebody else has taken over. What it read is
old then, and what it would do with it was decided for another moment.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, TypeVar, cast

from ticketly_operator.errors import FencedError

Client = TypeVar("Client")

CONNECT_WRITES: Final = frozenset({"put", "set_state", "restart", "delete", "delete_offsets"})
BROKER_WRITES: Final = frozenset({"create", "grow", "configure", "delete"})
DATABASE_WRITES: Final = frozenset({"drop_slot"})


def fenced(client: Client, writes: frozenset[str], may_write: Callable[[], bool]) -> Client:
    """Return the client, whose ``writes`` raise FencedError while this process may not write."""
    return cast("Client", _Fenced(client, writes, may_write))


class FencedClients:
    """Makes the clients that another maker makes, fenced."""

    def __init__(self, maker: Any, may_write: Callable[[], bool]) -> None:
        """``maker`` has the methods ``connect``, ``brokers`` and ``databases``."""
        self._maker = maker
        self._may_write = may_write

    def connect(self, *about: Any) -> Any:
        """Return Kafka Connect."""
        return fenced(self._maker.connect(*about), CONNECT_WRITES, self._may_write)

    def brokers(self, *about: Any) -> Any:
        """Return Kafka."""
        return fenced(self._maker.brokers(*about), BROKER_WRITES, self._may_write)

    def databases(self, *about: Any) -> Any:
        """Return PostgreSQL."""
        return fenced(self._maker.databases(*about), DATABASE_WRITES, self._may_write)


class _Fenced:
    def __init__(self, client: Any, writes: frozenset[str], may_write: Callable[[], bool]) -> None:
        self._client = client
        self._writes = writes
        self._may_write = may_write

    def __getattr__(self, name: str) -> Any:
        if name in self._writes and not self._may_write():
            raise FencedError(f"this operator does not hold the lease, so it does not {name}")
        return getattr(self._client, name)

    async def __aenter__(self) -> _Fenced:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)
