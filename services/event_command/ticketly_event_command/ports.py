"""What the handlers need from the outside, and the values they exchange with it.

The database port speaks in *named statements*: a handler says which statement of ``sql/*.sql`` runs with which
arguments; how it is sent is the adapter's business. Whatever a handler decides, it decides on rows it has locked
or by a conditional statement, inside one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from ticketly_common.paging import PageRequest


class Row(Protocol):
    """One row: values by column name."""

    def __getitem__(self, column: str, /) -> Any:
        """Return a column's value."""


class ConstraintViolatedError(Exception):
    """A statement hit a UNIQUE or FOREIGN KEY constraint; ``name`` is the constraint's or index's name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Transaction(Protocol):
    """One open transaction. Methods take a statement's name and its arguments in order."""

    async def one(self, statement: str, *arguments: Any) -> Row | None:
        """Return the first row, or None."""

    async def many(self, statement: str, *arguments: Any) -> Sequence[Row]:
        """Return all rows."""

    async def value(self, statement: str, *arguments: Any) -> Any:
        """Return the first column of the first row, or None."""

    async def run(self, statement: str, *arguments: Any) -> int:
        """Run a statement; return how many rows it touched."""

    async def page(
        self, statement: str, request: PageRequest, columns: Mapping[str, str], *arguments: Any
    ) -> tuple[Sequence[Row], int]:
        """Return one page and the total; ``columns`` maps the request's sort fields to SQL columns."""

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert many rows at once."""


class Database(Protocol):
    """Opens transactions. Both raise Problem 503 when the database cannot be reached."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a READ COMMITTED transaction; commits unless the block raises."""

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a read-only transaction in which all statements see one state."""


class ObjectStore(Protocol):
    """Small binary objects by name (``cover-photos/<id>.jpg``)."""

    async def put(self, name: str, content: bytes) -> None:
        """Store an object; returns after it is durable."""

    async def get(self, name: str) -> bytes | None:
        """Return an object, or None when there is none."""

    async def delete(self, name: str) -> None:
        """Remove an object; no error when there is none."""


@dataclass(frozen=True)
class SalesSummary:
    """What the order service knows of one event. ``applied`` maps session to the status it acts upon."""

    sold_tickets: int
    open_orders: int
    applied: Mapping[UUID, str]


class OrderPeer(Protocol):
    """The order service, asked only before something is deleted."""

    async def sales_summary(self, event_id: UUID) -> SalesSummary:
        """Return the summary; raises Problem 503 when it cannot be had."""


class Clock(Protocol):
    """The current instant, aware, UTC."""

    def __call__(self) -> datetime:
        """Return now."""


class FileAddresses(Protocol):
    """Addresses under which stored images can be fetched."""

    def plain(self, name: str) -> str:
        """Return the lasting address: works while the object is public (approved event)."""

    def signed(self, name: str) -> str:
        """Return an address that works for everybody who holds it, for 60 minutes."""

    def allows(self, name: str, expires: str, signature: str) -> bool:
        """Say whether the query of a signed address is ours and not expired."""


@dataclass(frozen=True)
class Parts:
    """Everything a handler may need, wired once by the composition root.

    ``large_bodies`` bounds how many create requests are parsed at once: 32 MiB of JSON take several times that as
    objects. It is held while parsing only, never while a client sends.
    """

    database: Database
    objects: ObjectStore
    orders: OrderPeer
    addresses: FileAddresses
    now: Clock
    currency: str
    time_zone: str
    large_bodies: asyncio.Semaphore
    confirmation_seconds: float = 5.0
    confirmation_poll_seconds: float = 0.1
