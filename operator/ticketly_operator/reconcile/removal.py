"""What deletion removes outside the cluster under the policy Delete. Best effort, repeated, bounded by the caller."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence

from ticketly_operator.errors import OperatorError
from ticketly_operator.reconcile.outside import Clients, credentials
from ticketly_operator.reconcile.platform import View
from ticketly_operator.reconcile.ports import Cluster, Connect


class CaptureRemoval:
    """What deletion removes under the policy Delete: connectors with their offsets, slots, topics, in this order.

    Whatever could not be removed does not hold back the rest: a slot that nobody reads from any more would fill the
    database's disk, whether Connect is there to let go of its connector or not.
    """

    def __init__(self, cluster: Cluster, clients: Clients) -> None:
        """Keep the collaborators."""
        self._cluster = cluster
        self._clients = clients

    async def __call__(self, view: View) -> Sequence[str]:
        """Remove what can be removed; return what is left, in words. Everything is tried each time."""
        left: list[str] = []
        secrets = await credentials(self._cluster, view.platform)
        async with self._clients.connect(view.platform) as connect:
            for wanted in view.blueprint.connectors:
                await _try(left, f"connector {wanted.name}", functools.partial(_remove, connect, wanted.name))
        databases = self._clients.databases(view.platform, secrets.postgres)
        for wanted in view.blueprint.connectors:
            drop = functools.partial(databases.drop_slot, wanted.database, wanted.slot)
            await _try(left, f"slot {wanted.slot}", drop)
        topics = [topic.name for topic in view.blueprint.topics]
        async with self._clients.brokers(view.platform, secrets.kafka) as brokers:
            await _try(left, f"{len(topics)} topics", functools.partial(brokers.delete, topics))
        return left


async def _remove(connect: Connect, name: str) -> None:
    """Remove a connector; its offsets go first, because they survive it and would mislead a later one."""
    if await connect.connector(name) is None:
        return
    await connect.set_state(name, "stopped")
    await connect.delete_offsets(name)
    await connect.delete(name)


async def _try(left: list[str], what: str, act: Callable[[], Awaitable[None]]) -> None:
    try:
        await act()
    except OperatorError as error:
        left.append(f"{what} ({error})")
