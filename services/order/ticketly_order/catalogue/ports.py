"""What the catalogue's handler needs from the outside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from ticketly_common.kafka import Position
from ticketly_order.catalogue.domain import Row


class CatalogueStore(Protocol):
    """The catalogue at rest. Every write is conditional on the row's version, so repeating one changes nothing."""

    async def positions(self, partitions: Collection[Position]) -> Mapping[Position, int]:
        """Return the stored next offsets."""
        ...

    async def sessions(self, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return the stored rows of sessions by id."""
        ...

    async def apply_session(self, row: Row) -> bool:
        """Store one session while no claim is being decided in it, alone; return whether anything changed."""
        ...

    async def apply(self, rows: Mapping[str, Sequence[Row]], positions: Mapping[Position, int]) -> None:
        """Store rows and positions in one transaction."""
        ...
