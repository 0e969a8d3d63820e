"""The HTTP adapter for the order service's internal listener, with a client-credentials token kept until it ends."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

import httpx2
import msgspec
import structlog

from ticketly_common.problems import Problem, unavailable
from ticketly_event_command.ports import SalesSummary

_log = structlog.get_logger(__name__)
_RENEW_BEFORE_SECONDS = 30.0


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float


class _Session(msgspec.Struct, rename="camel"):
    session_id: UUID
    applied_status: str


class _Summary(msgspec.Struct, rename="camel"):
    sold_tickets: int
    open_orders: int
    sessions: list[_Session]


class HttpOrderPeer:
    """Implements ``ports.OrderPeer``. ``client`` is owned by the composition root."""

    def __init__(
        self, client: httpx2.AsyncClient, *, order_url: str, token_url: str, client_id: str, client_secret: str
    ) -> None:
        self._client = client
        self._order_url = order_url.rstrip("/")
        self._token_url = token_url
        self._credentials = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._token = ""
        self._token_until = float("-inf")
        self._fetching = asyncio.Lock()

    async def sales_summary(self, event_id: UUID) -> SalesSummary:
        """Return the summary; raises Problem 503 when it cannot be had."""
        url = f"{self._order_url}/api/order/internal/v1/events/{event_id}/sales-summary"
        try:
            response = await self._client.get(url, headers={"Authorization": f"Bearer {await self._bearer()}"})
            response.raise_for_status()
            summary = msgspec.json.decode(response.content, type=_Summary)
        except (httpx2.HTTPError, msgspec.DecodeError) as error:
            _log.warning("sales summary not available", event_id=str(event_id), error=repr(error))
            raise _cannot_ask() from error
        return SalesSummary(
            sold_tickets=summary.sold_tickets,
            open_orders=summary.open_orders,
            applied={session.session_id: session.applied_status for session in summary.sessions},
        )

    async def _bearer(self) -> str:
        async with self._fetching:
            if time.monotonic() >= self._token_until:
                response = await self._client.post(self._token_url, data=self._credentials)
                response.raise_for_status()
                token = msgspec.json.decode(response.content, type=_Token)
                self._token = token.access_token
                self._token_until = time.monotonic() + token.expires_in - _RENEW_BEFORE_SECONDS
            return self._token


def _cannot_ask() -> Problem:
    return unavailable("Sales cannot be checked at the moment, so nothing is deleted.", retry_after_seconds=5)
