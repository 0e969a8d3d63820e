"""What claims need from the outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ticketly_order.claims.domain import Claim, Outcome


class ClaimStore(Protocol):
    """The arbiter. One call is one transaction in one round trip."""

    async def claim_batch(self, claims: Sequence[Claim]) -> list[Outcome]:
        """Decide several claims together (one per user, no seat twice), answers in order.

        Raises BatchRefused when nothing was decided and ClaimsUnavailable when the outcome is unknown.
        """
        ...

    async def claim_one(self, claim: Claim) -> Outcome:
        """Decide one claim; may run many times at once.

        Raises ClaimFailed when nothing was decided and ClaimsUnavailable when the outcome is unknown.
        """
        ...


class BatchRefused(Exception):  # noqa: N818 - nothing is wrong with the batch as such
    """The server reported an error (a lock timeout, one poisonous member): nothing of the batch was decided."""


class Claims(Protocol):
    """Where a handler takes its claim."""

    async def submit(self, claim: Claim) -> Outcome:
        """Return the outcome; raises ClaimFailed or ClaimsUnavailable."""
        ...
