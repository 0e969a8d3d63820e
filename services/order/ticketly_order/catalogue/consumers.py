"""The log in: table changes of the write side into the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from ticketly_common import cdc
from ticketly_common.kafka import BadRecord, Position, Record
from ticketly_order.catalogue import handlers
from ticketly_order.catalogue.domain import Row, UnusableRow, row_of
from ticketly_order.catalogue.ports import CatalogueStore


class CatalogueSink:
    """Implements ``ticketly_common.kafka.Sink``. ``transient`` names the errors that are the store's own."""

    def __init__(
        self,
        catalogue: CatalogueStore,
        *,
        session_ended: Callable[[], None],
        transient: tuple[type[BaseException], ...],
    ) -> None:
        self._catalogue = catalogue
        self._session_ended = session_ended
        self._transient = transient

    async def positions(self, partitions: Collection[Position]) -> Mapping[Position, int]:
        """Return where to continue."""
        return await self._catalogue.positions(partitions)

    async def apply(self, records: Sequence[Record], positions: Mapping[Position, int]) -> None:
        """Apply a batch; raises BadRecord for the first record that is no usable table change."""
        rows: list[Row] = []
        for record in records:
            try:
                change = cdc.decode(record.value)
                if change is not None:
                    rows.append(row_of(change))
            except (cdc.MalformedRecord, UnusableRow) as error:
                raise BadRecord(record, str(error)) from error
        await handlers.apply(rows, positions, catalogue=self._catalogue, session_ended=self._session_ended)

    def transient(self, error: Exception) -> bool:
        """Tell whether to wait for the database instead of blaming the records."""
        return isinstance(error, self._transient)
