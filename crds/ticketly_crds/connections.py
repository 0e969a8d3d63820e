"""The database connection budget: how large the pool of each pod may be. Pure arithmetic.

A server refuses connections above ``max_connections``, and it does so when it hurts most: when the autoscaler has just
added pods. So the pools are made for the most pods there can be, not for those that run now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

LEAST_POOL: Final = 2
"""With one connection a pod's readiness check would wait for its own slowest transaction."""

LARGEST_POOL: Final = 8
"""More per process was not measured to help: one process uses one core, and waits in the database by then."""

ROLLING_PODS: Final = 2
"""Beyond the autoscaler's maximum while a release rolls out: one pod that starts, one that still drains."""

RESERVED: Final = 2 * 3 + 2 * 2 + 2
"""Two connectors with three connections each (the replication stream itself does not count in PostgreSQL), two
migrations with two each (the lock and the tool), and the operator's two."""


@dataclass(frozen=True, slots=True)
class Client:
    """A service with a database. ``weight`` is its claim to connections, ``beside_pool`` what a pod holds besides."""

    key: str
    weight: int
    beside_pool: int = 0


CLIENTS: Final = (
    Client("order", weight=2, beside_pool=1),  # the claims of a sale have a connection of their own
    Client("eventCommand", weight=1),
)
"""Who holds connections, the heaviest first."""


class BudgetTooSmall(ValueError):  # noqa: N818  it says what the budget is
    """Not even the smallest pools fit; ``least`` is the budget that would do."""

    def __init__(self, least: int) -> None:
        """Name the budget that would do."""
        super().__init__(f"must be >= {least}")
        self.least = least


def scaled(most: Mapping[str, int]) -> dict[str, int]:
    """Return how many pods there can be at once, by service key, from the autoscalers' maximum."""
    return {client.key: most[client.key] + ROLLING_PODS for client in CLIENTS}


def held(pods: Mapping[str, int], pools: Mapping[str, int]) -> int:
    """Return the connections that are held at most with so many pods and so large pools."""
    return RESERVED + sum(pods[client.key] * (pools[client.key] + client.beside_pool) for client in CLIENTS)


def pools(budget: int, pods: Mapping[str, int]) -> dict[str, int]:
    """Return the pool size by service key: as large as the budget allows, the heavier service served first.

    Pools grow in one order, which the budget only cuts off: a larger budget makes no pool smaller. A lighter service's
    pool is never larger than a heavier one's. Raises BudgetTooSmall.
    """
    sizes = {client.key: LEAST_POOL for client in CLIENTS}
    least = held(pods, sizes)
    if budget < least:
        raise BudgetTooSmall(least)
    for larger in _growth():
        if held(pods, larger) > budget:
            break
        sizes = larger
    return sizes


def _growth() -> Iterator[dict[str, int]]:
    """Pool sizes by service key, each with one connection more than the one before, until more is of no use."""
    sizes = {client.key: LEAST_POOL for client in CLIENTS}
    while True:
        able = [
            client
            for client in CLIENTS
            if sizes[client.key]
            < min([LARGEST_POOL, *(sizes[other.key] for other in CLIENTS if other.weight > client.weight)])
        ]
        if not able:
            return
        chosen = min(able, key=lambda client: sizes[client.key] / client.weight)
        sizes = {**sizes, chosen.key: sizes[chosen.key] + 1}
        yield sizes
