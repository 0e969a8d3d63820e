"""``POST /api/order`` as a bare ASGI handler in front of the application.

Under a sale's load nearly every request ends here, most of them refused, so nothing of a framework is in the way: the
token comes from the verifier's cache, the body is read by msgspec, the two frequent answers are written by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from ticketly_common import clock, tracing
from ticketly_common.auth import TokenVerifier
from ticketly_common.problems import Problem, internal_error, malformed, request_id_of, send_problem, unavailable
from ticketly_order.claims import answers, handlers
from ticketly_order.claims.domain import (
    Claim,
    ClaimFailed,
    ClaimsOverloaded,
    ClaimsUnavailable,
    Lost,
    Outcome,
    Refused,
    Replayed,
    Won,
)
from ticketly_order.claims.parsing import claim_of, parse
from ticketly_order.claims.ports import Claims
from ticketly_order.claims.shield import Shield
from ticketly_order.settings import Holds

_log = structlog.get_logger(__name__)
_ROUTE: Final = "/api/order"


class ClientGone(Exception):  # noqa: N818 - not an error of ours
    """The client hung up before its request was complete; nobody is left to answer."""


class PlaceOrderEndpoint:
    """Answers ``POST /api/order``; everything else goes to ``app``.

    ``lost_seat_status_by_client`` maps a token's ``azp`` to the status it wants for a lost seat (contract 0.5).
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        verifier: TokenVerifier,
        shield: Shield,
        claims: Claims,
        holds: Holds,
        lost_seat_status_by_client: Mapping[str, int],
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._shield = shield
        self._claims = claims
        self._holds = holds
        self._lost_status = lost_seat_status_by_client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in {"/api/order", "/api/order/"}:
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["route"] = _ROUTE
        try:
            status, headers, body = await self._place(scope, receive)
        except ClientGone:
            return
        except Problem as problem:
            # Answered here, inside the CORS layer, so that a browser may read it.
            await send_problem(problem, scope, send)
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _place(self, scope: Scope, receive: Receive) -> answers.Answer:
        headers = _Headers(scope)
        caller = await self._verifier.user(headers.authorization)
        if headers.media_type is not None and not _is_json(headers.media_type):
            raise Problem(415, "unsupported-media-type", "Send the order as application/json.")
        body = await _read(receive)
        claim = claim_of(
            parse(body),
            body,
            caller,
            self._holds,
            idempotency_key=headers.idempotency_key,
            traceparent=scope["state"].get(tracing.STATE_KEY) or headers.traceparent,
        )
        outcome = await self._decide(claim)
        match outcome:
            case Lost():
                return answers.lost(
                    outcome,
                    asked=len(claim.seat_ids),
                    request_id=request_id_of(scope),
                    path=scope["path"],
                    status=self._lost_status.get(caller.client, 409),
                    now=clock.now(),
                )
            case Won():
                return answers.won(outcome)
            case Replayed():
                return answers.replayed(outcome)
            case Refused():
                raise answers.refusal(outcome)

    async def _decide(self, claim: Claim) -> Outcome:
        try:
            return await handlers.place(claim, shield=self._shield, claims=self._claims)
        except ClaimsOverloaded:
            handlers.CLAIMS.labels("overloaded").inc()
            text = "Too many buyers at once. Try again in a moment."
            raise Problem(503, "overloaded", text, headers={"Retry-After": "2"}) from None
        except ClaimsUnavailable as error:
            handlers.CLAIMS.labels("unavailable").inc()
            _log.warning("claim without an answer", error=str(error))
            text = "The order could not be confirmed. Look at your orders before you try again."
            raise unavailable(text) from None
        except ClaimFailed as error:
            handlers.CLAIMS.labels("failed").inc()
            _log.error("claim failed", user=claim.user_id, session=claim.session_id, error=str(error))
            raise internal_error() from None


class _Headers:
    """The request headers that matter here, in one pass. ``traceparent`` is None unless well formed."""

    __slots__ = ("authorization", "idempotency_key", "media_type", "traceparent")

    def __init__(self, scope: Scope) -> None:
        self.authorization: str | None = None
        self.idempotency_key: str | None = None
        self.media_type: bytes | None = None
        self.traceparent: str | None = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                self.authorization = value.decode("latin-1")
            elif name == b"content-type":
                self.media_type = value
            elif name == b"idempotency-key":
                self.idempotency_key = value.decode("latin-1")
            elif name == b"traceparent":
                self.traceparent = tracing.well_formed(value)


def _is_json(media_type: bytes) -> bool:
    kind = media_type.split(b";", 1)[0].strip().lower()
    return kind == b"application/json" or (kind.startswith(b"application/") and kind.endswith(b"+json"))


async def _read(receive: Receive) -> bytes:
    """Return the whole body; raises ClientGone, and 400 for an empty one (the size limit lies further out)."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        parts = [body]
        while message.get("more_body", False):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message.get("body", b""))
        body = b"".join(parts)
    if not body:
        raise malformed("The request has no body.")
    return body
