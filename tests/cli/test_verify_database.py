"""The sweep of the order database, on PostgreSQL with the order service's own schema: sound rows pass, each seeded
corruption is named, and what cannot be read is inconclusive."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ticketly_cli.verify.checks import HISTORY_INVARIANTS
from ticketly_cli.verify.database import StoreUnreadableError, read, sweep_queries
from ticketly_cli.verify.history import HistoryWriter, read_history
from ticketly_cli.verify.run import verify

MIGRATIONS = Path(__file__).parents[2] / "services/order/ticketly_order/migrations"
SESSION = "5e550000-0000-4000-8000-000000000001"
EVENT = "e7e40000-0000-4000-8000-000000000001"


def seat(number: int) -> str:
    return f"5ea70000-0000-4000-8000-{number:012d}"


def order(number: int) -> str:
    return f"07de0000-0000-4000-8000-{number:012d}"


@pytest.fixture(scope="session")
def order_schema() -> str:
    return "\n".join(path.read_text() for path in sorted(MIGRATIONS.glob("*.sql")))


@pytest.fixture
def order_database(postgres_server, order_schema) -> Iterator[str]:
    database = postgres_server.create_database()
    postgres_server.execute(database, order_schema)
    return database.dsn


class Store:
    """Writes rows as the order service would, or as it never should."""

    def __init__(self, connection) -> None:
        self.connection = connection

    async def seats(self, count: int) -> None:
        for number in range(count):
            await self.connection.execute(
                "INSERT INTO seats (session_id, seat_id) VALUES ($1, $2)", SESSION, seat(number)
            )

    async def order(self, number, seats, status="pending", minutes=5, user="u1", hold=True) -> str:
        await self.connection.execute(
            "INSERT INTO orders (order_id, user_id, event_id, organization_id, session_id, status, cancel_reason, "
            "fence, held_until, currency, sub_total_minor, price_minor, created_at, updated_at) VALUES "
            "($1, $2, $3, $3, $4, $5, CASE WHEN $5 IN ('cancelled', 'expired') THEN 'buyer' END, 1, "
            "now() + make_interval(mins => $6), 'LKR', 100, 100, now(), now())",
            order(number), user, EVENT, SESSION, status, minutes,
        )  # fmt: skip
        for position, found in enumerate(seats):
            await self.connection.execute(
                "INSERT INTO order_lines (order_id, position, seat_id, seat_label, tier_id, tier_name, colour, "
                "price_minor) VALUES ($1, $2, $3, '1A', $3, 'Standard', '#000000', 100)",
                order(number), position, seat(found),
            )  # fmt: skip
        if hold and status == "pending":
            await self.hold(number, seats)
        if hold and status == "completed":
            for found in seats:
                await self.sell(number, found)
        return order(number)

    async def hold(self, number, seats) -> None:
        await self.connection.execute(
            "UPDATE seats SET state = 'HELD', order_id = $1, "
            "held_until = (SELECT held_until FROM orders WHERE order_id = $1) "
            "WHERE session_id = $2 AND seat_id = ANY ($3::uuid[])",
            order(number), SESSION, [seat(found) for found in seats],
        )  # fmt: skip

    async def sell(self, number, found) -> None:
        await self.connection.execute(
            "UPDATE seats SET state = 'SOLD', order_id = $1, held_until = NULL WHERE session_id = $2 AND seat_id = $3",
            order(number), SESSION, seat(found),
        )  # fmt: skip
        await self.connection.execute(
            "INSERT INTO tickets (ticket_id, order_id, session_id, seat_id, event_id, issued_at) "
            "SELECT ticket_id, order_id, $3, seat_id, $4, now() FROM order_lines WHERE order_id = $1 AND seat_id = $2",
            order(number), seat(found), SESSION, EVENT,
        )  # fmt: skip


@pytest.fixture
async def store(order_database):
    connection = await asyncpg.connect(order_database)
    yield Store(connection)
    await connection.close()


async def found_by_sweep(dsn: str) -> set[tuple[str, str]]:
    sweep = (await read(dsn, None)).sweep
    return {(found.invariant, found.text.removeprefix("in the database ")) for found in sweep.violations}


async def sound(store: Store) -> None:
    await store.seats(8)
    await store.order(1, [0, 1])
    await store.order(2, [2], status="completed", user="u2")
    await store.order(3, [3], status="cancelled")
    await store.order(4, [4], minutes=-5, hold=True)
    await store.order(5, [4], user="u2")


async def test_a_sound_database_has_no_violation(store, order_database):
    await sound(store)
    reading = await read(order_database, SESSION)
    assert reading.sweep.violations == ()
    assert (reading.sweep.orders, reading.sweep.seats) == (5, 8)
    assert reading.session is not None
    assert {found.order_id for found in reading.session.orders} == {order(n) for n in range(1, 6)}
    assert (await verify(None, order_database)).report.verdict == "pass"


CORRUPTIONS = {
    "two_live_lines": "INSERT INTO order_lines SELECT '{o2}', 9, uuidv7(), seat_id, 'x', tier_id, 'x', 'x', 1 "
    "FROM order_lines WHERE order_id = '{o1}' AND position = 0",
    "two_live_tickets": "DROP INDEX tickets_one_live_ticket_per_seat; INSERT INTO tickets SELECT uuidv7(), order_id, "
    "session_id, seat_id, event_id, issued_at FROM tickets",
    "taken_by_a_stranger": "UPDATE seats SET state = 'HELD', order_id = gen_random_uuid(), held_until = now() "
    "WHERE seat_id = '{s7}'",
    "sold_without_payment": "UPDATE seats SET state = 'SOLD', held_until = NULL WHERE seat_id = '{s0}'",
    "deadline_differs": "UPDATE seats SET held_until = held_until + interval '1 min' WHERE seat_id = '{s0}'",
    "order_without_lines": "DELETE FROM order_lines WHERE order_id = '{o3}'",
    "pending_without_its_seats": "UPDATE seats SET state = 'AVAILABLE', order_id = NULL, held_until = NULL "
    "WHERE seat_id = '{s1}'",
    "completed_without_its_seats": "UPDATE seats SET state = 'AVAILABLE', order_id = NULL WHERE seat_id = '{s2}'",
    "held_by_a_finished_order": "UPDATE seats SET state = 'HELD', order_id = '{o3}', "
    "held_until = now() + interval '1 min' WHERE seat_id = '{s3}'",
    "more_sold_than_places": "DELETE FROM seats WHERE seat_id <> '{s0}'",
}


@pytest.mark.parametrize("rule", CORRUPTIONS)
async def test_each_corruption_is_named_by_its_rule(rule, store, order_database):
    await sound(store)
    names = {f"o{n}": order(n) for n in range(9)} | {f"s{n}": seat(n) for n in range(9)}
    await store.connection.execute(CORRUPTIONS[rule].format(**names))
    query = next(found for found in sweep_queries() if found.name == rule)
    assert (query.invariant, query.sentence) in await found_by_sweep(order_database)
    outcome = await verify(None, order_database)
    assert outcome.report.verdict == "fail"
    assert outcome.report.verdicts[query.invariant] == "fail"


def test_every_rule_of_the_sweep_is_tested():
    assert {query.name for query in sweep_queries()} == set(CORRUPTIONS)


async def test_an_empty_database_proves_nothing(order_database):
    outcome = await verify(None, order_database)
    assert outcome.report.verdict == "inconclusive"


async def test_a_database_without_the_schema_is_inconclusive(postgres_server):
    outcome = await verify(None, postgres_server.create_database().dsn)
    assert outcome.report.verdict == "inconclusive"
    assert "UndefinedTable" in outcome.report.reasons[0]


async def test_an_unreachable_database_is_inconclusive_and_its_password_is_not_shown():
    dsn = "postgresql://user:canary-7f3a-secret@127.0.0.1:1/nowhere"
    outcome = await verify(None, dsn)
    assert outcome.report.verdict == "inconclusive"
    assert "canary" not in str(outcome.to_data())
    with pytest.raises(StoreUnreadableError):
        await read(dsn, None)


def history(tmp_path: Path, operations: list[dict]) -> Path:
    path = tmp_path / f"{uuid.uuid4().hex}.jsonl"
    users = {"b1": "u1", "b2": "u2"}
    header = {"session_id": SESSION, "seats": [seat(n) for n in range(8)], "hold_ttl_seconds": 300, "users": users}
    with HistoryWriter(path, header) as writer:
        for op_id, operation in enumerate(operations):
            common = {"op_id": op_id, "process": operation["process"], "kind": "place"}
            seats = operation["seats"]
            writer.append(common | {"type": "invoke", "seats": seats, "time_ns": op_id * 10})
            if operation["type"] == "ok":
                told = {"type": "ok", "seats": seats, "order_id": operation["order_id"], "status": 201}
            else:
                told = {"type": operation["type"], "contested": seats, "code": "seats-unavailable"}
            writer.append(common | told | {"time_ns": op_id * 10 + 5})
    return path


async def test_history_and_database_that_agree_pass(store, order_database, tmp_path):
    await store.seats(8)
    await store.order(1, [0, 1])
    path = history(
        tmp_path,
        [
            {"process": "b1", "seats": [seat(0), seat(1)], "type": "ok", "order_id": order(1)},
            {"process": "b2", "seats": [seat(0)], "type": "fail"},
        ],
    )
    outcome = await verify(read_history(path), order_database)
    assert outcome.report.verdict == "pass", outcome.to_data()
    assert set(outcome.report.verdicts) == {*HISTORY_INVARIANTS, "I4", "I6"}
    assert outcome.counts["lost_acknowledged"] == 0


async def test_an_acknowledged_order_that_is_not_stored_is_lost(store, order_database, tmp_path):
    await store.seats(8)
    path = history(tmp_path, [{"process": "b1", "seats": [seat(0)], "type": "ok", "order_id": order(1)}])
    outcome = await verify(read_history(path), order_database)
    assert outcome.report.verdicts["I6"] == "fail"
    assert outcome.counts["lost_acknowledged"] == 1


async def test_a_refused_claim_that_left_an_order_is_caught(store, order_database, tmp_path):
    await store.seats(8)
    await store.order(1, [0])
    await store.order(2, [3], user="u2")
    path = history(
        tmp_path,
        [
            {"process": "b1", "seats": [seat(0)], "type": "ok", "order_id": order(1)},
            {"process": "b2", "seats": [seat(3), seat(0)], "type": "fail"},
        ],
    )
    outcome = await verify(read_history(path), order_database)
    assert outcome.report.verdicts["I3"] == "fail"


async def test_an_unanswered_claim_is_settled_by_the_database(store, order_database, tmp_path):
    await store.seats(8)
    await store.order(1, [0])
    await store.order(2, [1], user="u2")
    path = history(
        tmp_path,
        [
            {"process": "b1", "seats": [seat(0)], "type": "ok", "order_id": order(1)},
            {"process": "b2", "seats": [seat(1)], "type": "unknown"},
            {"process": "b1", "seats": [seat(1)], "type": "fail"},
        ],
    )
    outcome = await verify(read_history(path), order_database)
    assert outcome.report.verdict == "pass", outcome.to_data()


async def test_the_sweep_never_writes(order_database, store):
    await sound(store)
    await store.connection.execute(
        "ALTER DATABASE " + order_database.rpartition("/")[2] + " SET default_transaction_read_only = on"
    )
    assert (await verify(None, order_database)).report.verdict == "pass"
