"""Whether the operator may watch what it relies on. Without a watch changes are only seen at the next interval.

kopf keeps the watches, and all it does about a refusal is to log it and to try again; so they are tried here as well,
where the outcome can be told as a condition of every platform.
"""

from __future__ import annotations

import asyncio

from ticketly_operator.errors import ForbiddenError
from ticketly_operator.reconcile.platform import Report, View
from ticketly_operator.reconcile.ports import Cluster


class Watches:
    """The step, and the task that looks."""

    def __init__(self, cluster: Cluster) -> None:
        """Nothing is known to be forbidden."""
        self._cluster = cluster
        self._forbidden: tuple[ForbiddenError, ...] = ()

    async def keep_trying(self, well_seconds: float, ill_seconds: float) -> None:
        """Look until cancelled; more often while something is forbidden."""
        while True:
            self._forbidden = tuple(await self._cluster.forbidden_watches())
            await asyncio.sleep(ill_seconds if self._forbidden else well_seconds)

    async def __call__(self, view: View) -> Report:
        """Report what is forbidden: the same for every platform."""
        return Report(findings=tuple(error.finding() for error in self._forbidden))
