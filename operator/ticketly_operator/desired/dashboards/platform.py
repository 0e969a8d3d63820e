"""The rows of the dashboard of a platform. A table; pure.

Over 300 lines because the panels are read as one list, in the order in which they are seen.
"""

from __future__ import annotations

from ticketly_crds.status import ConditionType
from ticketly_operator.desired.dashboards.panels import Panel, Query, Row
from ticketly_operator.desired.dashboards.queries import OF, RATE, is_, like, quantile, quantiles, rate, unlike
from ticketly_operator.desired.objectives import burn
from ticketly_operator.desired.rules import ANSWERS, CLAIMS


def now() -> Row:
    """Return what is looked at first."""
    ready = OF.series("ticketly_operator_condition", is_("type", ConditionType.READY.value), is_("status", "True"))
    return Row(
        "Now",
        (
            Panel(
                "Ready",
                "1 while the platform's condition Ready is True.",
                "none",
                (Query(f"max({ready})", ""),),
                kind="stat",
                width=4,
            ),
            Panel(
                "Seats sold or held a second",
                "Claims that were won.",
                "ops",
                (Query(f"sum({OF.series(CLAIMS, is_('outcome', 'won'))})", ""),),
                kind="stat",
                width=4,
            ),
            Panel(
                "Claims undecided",
                "Share of claims without a decision: 503 or 500 instead of a seat or a refusal.",
                "percentunit",
                (
                    Query(
                        f"sum({OF.series(CLAIMS, like('outcome', 'unavailable|overloaded|failed'))})"
                        f" / clamp_min(sum({OF.series(CLAIMS)}), 0.05)",
                        "",
                    ),
                ),
                kind="stat",
                width=4,
                limit=0.01,
            ),
            Panel(
                "Orders that hold seats",
                "Pending orders whose hold runs, of the whole platform.",
                "short",
                (Query(f"max({OF.series('ticketly_order_open_holds', is_('state', 'running'))})", ""),),
                kind="stat",
                width=4,
            ),
            Panel(
                "Open seat streams",
                "Browsers that watch a seat map.",
                "short",
                (Query(f"sum({OF.series('ticketly_event_query_streams')})", ""),),
                kind="stat",
                width=4,
            ),
            Panel(
                "Dead letters in a day",
                "Records that were put aside because no consumer could apply them.",
                "short",
                (Query(f"sum(increase({OF.series('ticketly_consumer_dead_letters_total')}[1d]))", ""),),
                kind="stat",
                width=4,
                limit=1,
            ),
        ),
    )


def sale() -> Row:
    """Return how claims are decided."""
    order = is_("route", "/api/order")
    return Row(
        "Sale",
        (
            Panel(
                "Claims by outcome",
                "Won and lost claims a second, and what was refused for another reason. Lost includes the shield's.",
                "ops",
                (Query(f"sum by (outcome) ({OF.series(CLAIMS)})", "{{outcome}}"),),
                stacked=True,
            ),
            Panel(
                "Time to place an order",
                "From request to answer on the public listener, refusals included.",
                "s",
                quantiles("ticketly_http_request_duration_seconds", order, is_("method", "POST")),
                limit=0.5,
            ),
            Panel(
                "What the shield answers",
                "Claims it turned away by memory or Redis, and those that went on to the database.",
                "ops",
                (Query(f"sum by (answer) ({rate('ticketly_order_shield_answers_total')})", "{{answer}}"),),
            ),
            Panel(
                "Claims per batch",
                "How many claims share one round trip to the database; it grows with the load.",
                "short",
                quantiles("ticketly_order_claim_batch_size"),
            ),
            Panel(
                "Time of a batch in the database",
                "From sending a batch to its answers.",
                "s",
                quantiles("ticketly_order_claim_batch_seconds"),
            ),
            Panel(
                "Claims that wait",
                "Claims in the queue of the group commit, by pod. It empties with every batch.",
                "short",
                (Query(OF.series("ticketly_order_claims_waiting"), "{{pod}}"),),
            ),
            Panel(
                "Orders that ended without a sale",
                "Released orders a second by reason; expired ones are holds nobody paid.",
                "ops",
                (Query(f"sum by (reason) ({rate('ticketly_order_released_total')})", "{{reason}}"),),
            ),
            Panel(
                "Holds",
                "Pending orders of the platform; overdue ones are over and wait for the sweeper.",
                "short",
                (Query(f"max by (state) ({OF.series('ticketly_order_open_holds')})", "{{state}}"),),
            ),
            Panel(
                "Burn of the error budgets",
                "Over an hour, by objective; 1 uses up the budget of a month in a month.",
                "short",
                (Query(OF.series(burn("1h")), "{{slo}}"),),
                limit=14.4,
            ),
        ),
    )


def reading() -> Row:
    """Return what readers see."""
    maps = like("route", "/api/event-query/.*seating-map")
    rest = unlike("route", ".*(seating-map|seat-status)"), like("route", "/api/event-query/.*")
    return Row(
        "Reading",
        (
            Panel(
                "Answers a second",
                "Of the read side, by class of status.",
                "reqps",
                (Query(f"sum by (class) ({OF.series(ANSWERS, is_('component', 'event-query'))})", "{{class}}"),),
                stacked=True,
            ),
            Panel(
                "Time to answer a seat map",
                "Whole seat maps from memory.",
                "s",
                quantiles("ticketly_http_request_duration_seconds", maps),
                limit=0.25,
            ),
            Panel(
                "Time to answer searches and details",
                "Everything that asks the document store.",
                "s",
                quantiles("ticketly_http_request_duration_seconds", *rest),
                limit=0.25,
            ),
            Panel(
                "Age of a seat change when it arrives",
                "p99 from the commit to a query pod's memory; by Redis (hint) and by the log.",
                "s",
                (Query(quantile(0.99, "ticketly_event_query_change_age_seconds", by="way"), "{{way}}"),),
                limit=2,
            ),
            Panel(
                "Seat streams",
                "Open ones, and those cut a second because the browser did not read.",
                "short",
                (
                    Query(f"sum({OF.series('ticketly_event_query_streams')})", "open"),
                    Query(f"sum({rate('ticketly_event_query_streams_cut_total')})", "cut a second"),
                    Query(f"sum({rate('ticketly_event_query_streams_refused_total')})", "refused a second"),
                ),
            ),
            Panel(
                "Time to write a change to all streams",
                "One frame to every browser that watches the session.",
                "s",
                quantiles("ticketly_event_query_broadcast_seconds"),
            ),
            Panel(
                "Seat maps rendered",
                "A second; at most ten for each session that changes.",
                "ops",
                (Query(f"sum({rate('ticketly_event_query_map_renders_total')})", "renders"),),
            ),
            Panel(
                "Documents out of date",
                "Built behind wanted, by kind of document.",
                "short",
                (Query(f"sum by (kind) ({OF.series('ticketly_event_query_rebuilds_pending')})", "{{kind}}"),),
            ),
            Panel(
                "How long the stalest document waits",
                "By pod.",
                "s",
                (Query(OF.series("ticketly_event_query_rebuild_oldest_seconds"), "{{pod}}"),),
                limit=30,
            ),
        ),
    )


def capture() -> Row:
    """Return how changes get from the databases into the log."""
    states = OF.series("ticketly_operator_connector_state")
    return Row(
        "Capture and lag",
        (
            Panel(
                "Connectors",
                "The phase of each connector.",
                "short",
                (Query(f"max by (connector, state) ({states}) > 0", "{{connector}} {{state}}"),),
            ),
            Panel(
                "Restarts of connectors",
                "By the operator, in an hour.",
                "short",
                (
                    Query(
                        f"sum by (connector) (increase({OF.series('ticketly_operator_connector_restarts_total')}[1h]))",
                        "{{connector}}",
                    ),
                ),
            ),
            Panel(
                "Log kept for slots",
                "What the databases cannot delete because a connector has not read it.",
                "bytes",
                (Query(f"max by (slot) ({OF.series('ticketly_operator_slot_retained_bytes')})", "{{slot}}"),),
            ),
            Panel(
                "Time until a slot reaches its bound",
                "At the present rate; no line while it does not grow.",
                "s",
                (Query(f"min by (slot) ({OF.series('ticketly_operator_slot_seconds_to_full')})", "{{slot}}"),),
            ),
            Panel(
                "From commit to reader",
                "Age of the canary's row when its event is written to a reader's stream.",
                "s",
                quantiles("ticketly_lag_canary_seconds"),
            ),
            Panel(
                "Canary on its way",
                "Age of the oldest canary row that has not arrived; it grows while capture stands still.",
                "s",
                (Query(f"max({OF.series('ticketly_lag_canary_pending_seconds')})", "pending"),),
            ),
            Panel(
                "Records not consumed yet",
                "By consumer; a consumer that stands still shows in the other dashboard.",
                "short",
                (Query(f"sum by (consumer) ({OF.series('ticketly_consumer_lag_records')})", "{{consumer}}"),),
            ),
        ),
    )


def operator() -> Row:
    """Return how the platform is looked after."""
    return Row(
        "Operator",
        (
            Panel(
                "Conditions",
                "Conditions of the platform that are not as they should be have another status here.",
                "short",
                (
                    Query(
                        f"max by (type, status) ({OF.series('ticketly_operator_condition')}) > 0", "{{type}} {{status}}"
                    ),
                ),
            ),
            Panel(
                "Leader",
                "How many operator processes lead; one is right.",
                "short",
                (Query("sum(ticketly_operator_leader)", "leaders"),),
            ),
            Panel(
                "Reconciles",
                "A second, by outcome, of all platforms.",
                "ops",
                (Query(f"sum by (outcome) (rate(ticketly_operator_reconciles_total[{RATE}]))", "{{outcome}}"),),
            ),
            Panel(
                "Time of a reconcile",
                "Of all platforms.",
                "s",
                tuple(
                    Query(
                        f"histogram_quantile({share}, sum by (le)"
                        f" (rate(ticketly_operator_reconcile_duration_seconds_bucket[{RATE}])))",
                        name,
                    )
                    for share, name in ((0.5, "p50"), (0.99, "p99"))
                ),
            ),
            Panel(
                "Writes to the API server",
                "By kind and verb, without the Lease. At rest there are none.",
                "ops",
                (Query(f"sum by (kind, verb) (rate(ticketly_operator_writes_total[{RATE}]))", "{{kind}} {{verb}}"),),
            ),
            Panel(
                "Time since the watches delivered",
                "It restarts itself at 150 s.",
                "s",
                (Query("max(ticketly_operator_watch_age_seconds)", "age"),),
                limit=90,
            ),
        ),
    )
