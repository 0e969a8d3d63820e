"""Placing an order: shield, then arbiter."""

from __future__ import annotations

from prometheus_client import Counter

from ticketly_order.claims.domain import Claim, Lost, Outcome, Refused, Replayed, Won
from ticketly_order.claims.ports import Claims
from ticketly_order.claims.shield import Shield

CLAIMS = Counter("ticketly_order_claims_total", "Claims by outcome; the shield's refusals count as lost", ["outcome"])
_WON, _REPLAYED, _LOST = (CLAIMS.labels(outcome) for outcome in ("won", "replayed", "lost"))
for _fault in ("unavailable", "overloaded", "failed"):
    CLAIMS.labels(_fault)  # from zero on: an increase is only seen by who knew the value before


async def place(claim: Claim, *, shield: Shield, claims: Claims) -> Outcome:
    """Decide a claim; raises ClaimFailed, ClaimsUnavailable or ClaimsOverloaded."""
    outcome: Outcome | None = await shield.early_refusal(claim)
    if outcome is None:
        outcome = await claims.submit(claim)
    match outcome:
        case Lost():
            _LOST.inc()
        case Won():
            _WON.inc()
        case Replayed():
            _REPLAYED.inc()
        case Refused(code=code):
            CLAIMS.labels(code).inc()
    return outcome
