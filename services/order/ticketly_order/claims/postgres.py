"""The arbiter: the database function ``claim_orders`` called over asyncpg.

A call is one statement in its own implicit transaction: one round trip, nothing to leave open when this process is
paused. Three kinds of failure are told apart, because they mean different things to the buyer: the server reported an
error (nothing happened), the connection broke (nobody knows), and everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import structlog

from ticketly_common.postgres import connect
from ticketly_order.claims.domain import (
    Claim,
    ClaimFailed,
    ClaimsUnavailable,
    Lost,
    Outcome,
    Refused,
    Replayed,
    SeatFact,
    Won,
)
from ticketly_order.claims.ports import BatchRefused
from ticketly_order.postgres import KEYED_PLANS, Database

_log = structlog.get_logger(__name__)

_STATEMENT: Final = "SELECT * FROM claim_orders($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
_CONNECT_SECONDS: Final = 3.0
_ANSWER_SECONDS: Final = 8.0

BATCH_SETTINGS: Final = {**KEYED_PLANS, "lock_timeout": "200ms", "statement_timeout": "5s"}

_UNKNOWN_OUTCOME: Final = (
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.PostgresConnectionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)


class PostgresClaims:
    """Implements ``ClaimStore``: batches on one dedicated connection, singles on the pool.

    The dedicated connection is opened on first use and again after a loss.
    """

    def __init__(self, database: Database, *, hold_ttl_seconds: float) -> None:
        self._database = database
        self._hold_ttl_seconds = hold_ttl_seconds
        self._connection: asyncpg.Connection[Any] | None = None
        self._statement: Any = None

    async def claim_batch(self, claims: Sequence[Claim]) -> list[Outcome]:
        """Decide several claims together; see ``ClaimStore``."""
        statement = await self._prepared()
        try:
            rows = await statement.fetch(*self._arguments(claims), timeout=_ANSWER_SECONDS)
        except _UNKNOWN_OUTCOME as error:
            await self._drop(error)
            raise ClaimsUnavailable(repr(error)) from error
        except asyncpg.PostgresError as error:
            if self._connection is None or self._connection.is_closed():
                await self._drop(error)
                raise ClaimsUnavailable(repr(error)) from error
            raise BatchRefused(repr(error)) from error
        return _outcomes(rows, len(claims))

    async def claim_one(self, claim: Claim) -> Outcome:
        """Decide one claim on a pooled connection; see ``ClaimStore``."""
        try:
            rows = await self._database.pool.fetch(_STATEMENT, *self._arguments([claim]), timeout=_ANSWER_SECONDS)
        except _UNKNOWN_OUTCOME as error:
            raise ClaimsUnavailable(repr(error)) from error
        except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError) as error:
            raise ClaimsUnavailable(repr(error)) from error
        except asyncpg.PostgresError as error:
            raise ClaimFailed(repr(error)) from error
        return _outcomes(rows, 1)[0]

    async def close(self) -> None:
        """Close the dedicated connection."""
        if self._connection is not None:
            await self._connection.close(timeout=2)
            self._connection = self._statement = None

    async def _prepared(self) -> Any:
        if self._statement is not None and self._connection is not None and not self._connection.is_closed():
            return self._statement
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                self._connection = await connect(
                    self._database.settings, application_name="order-claims", **BATCH_SETTINGS
                )
                self._statement = await self._connection.prepare(_STATEMENT)
        except (*_UNKNOWN_OUTCOME, asyncpg.PostgresError) as error:
            await self._drop(error)
            raise ClaimsUnavailable(repr(error)) from error
        return self._statement

    async def _drop(self, error: Exception) -> None:
        _log.warning("claim connection lost", error=repr(error))
        connection, self._connection, self._statement = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.terminate()

    def _arguments(self, claims: Sequence[Claim]) -> tuple[Any, ...]:
        seat_claims: list[int] = []
        seat_ids: list[str] = []
        for number, claim in enumerate(claims, 1):
            seat_claims += [number] * len(claim.seat_ids)
            seat_ids += claim.seat_ids
        return (
            [claim.user_id for claim in claims],
            [claim.session_id for claim in claims],
            [claim.event_id for claim in claims],
            [claim.organization_id for claim in claims],
            [claim.idempotency_key for claim in claims],
            [claim.body_digest for claim in claims],
            [claim.open_order_limit for claim in claims],
            [claim.traceparent for claim in claims],
            seat_claims,
            seat_ids,
            self._hold_ttl_seconds,
        )


def _outcomes(rows: Sequence[asyncpg.Record], count: int) -> list[Outcome]:
    found: list[Outcome | None] = [None] * count
    for row in rows:
        found[row["claim"] - 1] = _outcome(row)
    if any(outcome is None for outcome in found):
        msg = "claim_orders left a claim unanswered"
        raise RuntimeError(msg)
    return [outcome for outcome in found if outcome is not None]


def _outcome(row: asyncpg.Record) -> Outcome:
    match row["outcome"]:
        case "won":
            return Won(
                order_id=str(row["order_id"]),
                session_id=str(row["session_id"]),
                seat_ids=tuple(map(str, row["seat_ids"])),
                fence=row["fence"],
                held_until=row["held_until"],
                body=row["body"],
                message=row["message"],
            )
        case "replayed":
            return Replayed(row["body"])
        case "lost":
            facts = zip(row["seat_ids"], row["seat_fences"], row["seat_deadlines"], strict=True)
            return Lost(tuple(SeatFact(str(seat), fence, until) for seat, fence, until in facts))
        case "seats-unknown":
            return Refused("seats-unknown", {"seat_ids": [str(seat) for seat in row["seat_ids"]]})
        case "too-many-open-orders":
            return Refused("too-many-open-orders", {"order_ids": [str(order) for order in row["open_order_ids"]]})
        case "session-not-on-sale":
            return Refused(
                "session-not-on-sale",
                {"session_status": row["session_status"], "sales_start_time": row["sales_start_time"]},
            )
        case code:
            return Refused(code)
