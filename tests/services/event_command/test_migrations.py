"""The schema: what is captured, with what identity, and with which rights."""

from __future__ import annotations

import asyncpg
import pytest
from pydantic import SecretStr

from ticketly_common.migrations import MigrationError, migrate
from ticketly_common.settings import Postgres

CAPTURED = {
    "organizations",
    "organization_members",
    "organization_member_roles",
    "categories",
    "events",
    "event_sessions",
    "event_cover_photos",
    "tiers",
    "discounts",
    "discount_tiers",
    "discount_sessions",
    "session_seating_maps",
    "session_seats",
    "debezium_heartbeat",
    "lag_canary",
}
OWNER, PASSWORD = "event_owner", "only-for-this-test"


@pytest.fixture
async def owned(postgres_server) -> Postgres:
    """A database that belongs to an ordinary role, as on a platform."""
    database = postgres_server.create_database()
    for role, options in ((OWNER, f"LOGIN PASSWORD '{PASSWORD}'"), ("ticketly_cdc", "LOGIN REPLICATION")):
        postgres_server.execute(
            database,
            f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN "
            f"CREATE ROLE {role} {options}; END IF; END $$",
        )
    postgres_server.execute(database, f'ALTER DATABASE "{database.name}" OWNER TO {OWNER}')
    return Postgres(
        host=database.host,
        port=database.port,
        database=database.name,
        user=OWNER,
        password=SecretStr(PASSWORD),
        ssl_mode="disable",
    )


async def test_an_ordinary_owner_migrates_and_may_repeat_it(owned: Postgres) -> None:
    await migrate(owned, "ticketly_event_command")
    await migrate(owned, "ticketly_event_command")
    connection = await asyncpg.connect(owned.url())
    try:
        published = await connection.fetch(
            "SELECT tablename FROM pg_publication_tables WHERE pubname = 'ticketly_tables'"
        )
        assert {row["tablename"] for row in published} == CAPTURED
        full = await connection.fetch("SELECT relname FROM pg_class WHERE relreplident = 'f' AND relkind = 'r'")
        assert {row["relname"] for row in full} == CAPTURED
        assert await connection.fetchval("SELECT count(*) FROM debezium_heartbeat") == 1
        assert await connection.fetchval("SELECT has_table_privilege('ticketly_cdc', 'debezium_heartbeat', 'UPDATE')")
        assert not await connection.fetchval("SELECT has_table_privilege('ticketly_cdc', 'events', 'UPDATE')")
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE events SET status = 'DRAFT'", "events_status_check"),
        ("UPDATE event_sessions SET status = 'OPEN'", "event_sessions_status_check"),
        ("UPDATE tiers SET price_minor = -1", "tiers_price_minor_check"),
        ("UPDATE event_sessions SET end_time = start_time", "event_sessions_check"),
        ("UPDATE session_seats SET tier_id = NULL, blocked = false", "session_seats_check"),
        ("UPDATE discounts SET code = lower(code)", "discounts_code_check"),
    ],
)
async def test_the_database_refuses_what_no_rule_allows(world, statement: str, constraint: str) -> None:
    await world.person().event()
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await world.sql(statement)
    assert caught.value.constraint_name.startswith(constraint)


async def test_a_failed_migration_says_why_without_the_password(owned: Postgres) -> None:
    await migrate(owned, "ticketly_event_command")
    connection = await asyncpg.connect(owned.url())
    await connection.execute("DELETE FROM schema_migrations")
    await connection.close()
    with pytest.raises(MigrationError) as caught:
        await migrate(owned, "ticketly_event_command")
    assert "already exists" in str(caught.value)
    assert PASSWORD not in str(caught.value)
