"""The SQL that makes databases and roles, run against a real server by somebody who is no superuser."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from urllib.parse import quote

import asyncpg
import pytest

from ticketly_crds import names
from ticketly_infra import roles

SERVICES = {
    "ticketly_event_command": "event_service",
    "ticketly_order": "order_service",
    "ticketly_scheduler": "scheduler_service",
    "ticketly_email": "email_service",
    "keycloak": "keycloak",
}
OWNERS = {word: names.database_role(word) for word in roles.SERVICES} | {roles.KEYCLOAK: "keycloak"}
MASTER = "rds_like_master"


def steps(text: str, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(what, SQL or name) of the part of psql's language that the file uses; anything else fails."""
    variables: dict[str, str] = {}
    pending = ""
    for line in text.splitlines():
        if line.startswith("\\getenv "):
            _, name, variable = line.split()
            variables[name] = environment[variable]
        elif line.startswith("\\connect "):
            yield "connect", line.split()[1]
        elif line == "\\gexec":
            yield "each", pending
            pending = ""
        elif line.startswith("\\"):
            assert line in {"\\set ON_ERROR_STOP on", "\\set QUIET on"}
        elif not line.startswith("--"):
            pending += (
                re.sub(r":'(\w+)'", lambda found: "'" + variables[found[1]].replace("'", "''") + "'", line) + "\n"
            )
            if line.rstrip().endswith(";"):
                yield "run", pending
                pending = ""
    assert pending.strip() == ""


class Server:
    """The server as RDS's master sees it: may make roles and databases, is no superuser."""

    def __init__(self, fixture) -> None:
        self.port = fixture.server.port
        self.passwords = {roles.variable(word): secrets.token_urlsafe(12) + "'" for word in (*OWNERS, roles.CAPTURE)}

    def dsn(self, user: str, password: str, database: str) -> str:
        return f"postgres://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    async def apply(self) -> None:
        connection = await asyncpg.connect(self.dsn(MASTER, "master", "postgres"))
        try:
            for what, text in steps(roles.statements(), self.passwords):
                if what == "connect":
                    await connection.close()
                    connection = await asyncpg.connect(self.dsn(MASTER, "master", text))
                elif what == "each":
                    for row in await connection.fetch(text):
                        await connection.execute(row[0])
                else:
                    await connection.execute(text)
        finally:
            await connection.close()

    async def as_role(self, word: str, database: str) -> asyncpg.Connection:
        user = names.CDC_ROLE if word == roles.CAPTURE else OWNERS[word]
        return await asyncpg.connect(self.dsn(user, self.passwords[roles.variable(word)], database))


@pytest.fixture
async def server(own_postgres_server):
    """A server with RDS's role for replication, emptied afterwards."""
    owner = await own_postgres_server.server.connect()
    try:
        await owner.execute("CREATE ROLE rds_replication NOLOGIN REPLICATION")
        await owner.execute(f"CREATE ROLE {MASTER} LOGIN PASSWORD 'master' CREATEROLE CREATEDB NOSUPERUSER")
        await owner.execute(f"GRANT rds_replication TO {MASTER} WITH ADMIN TRUE")
        yield Server(own_postgres_server)
    finally:
        for database in SERVICES.values():
            await owner.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        for role in (*SERVICES, names.CDC_ROLE, MASTER, "rds_replication"):
            if await owner.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
        await owner.close()


async def test_a_master_who_is_no_superuser_makes_databases_roles_and_capture(server):
    await server.apply()
    for word, owner in OWNERS.items():
        connection = await server.as_role(word, SERVICES[owner])
        await connection.execute("CREATE TABLE proof (id int PRIMARY KEY)")
        await connection.close()
    capture = await server.as_role(roles.CAPTURE, names.EVENT_DATABASE)
    assert await capture.fetchval("SELECT count(*) FROM proof") == 0
    assert await capture.fetchval("SELECT pg_has_role('rds_replication', 'MEMBER')")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await capture.execute("INSERT INTO proof VALUES (1)")
    await capture.close()


async def test_nobody_connects_to_a_database_that_is_not_theirs(server):
    await server.apply()
    for word, database in (("order", "event_service"), ("keycloak", "order_service"), (roles.CAPTURE, "keycloak")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await server.as_role(word, database)


async def test_running_it_again_changes_passwords_and_nothing_else(server):
    await server.apply()
    before = server.passwords[roles.variable("order")]
    connection = await server.as_role("order", "order_service")
    await connection.execute("CREATE TABLE kept (id int)")
    await connection.close()
    server.passwords[roles.variable("order")] = "rotated"
    await server.apply()
    connection = await server.as_role("order", "order_service")
    assert await connection.fetchval("SELECT count(*) FROM kept") == 0
    await connection.close()
    server.passwords[roles.variable("order")] = before
    with pytest.raises(asyncpg.InvalidPasswordError):
        await server.as_role("order", "order_service")


def test_the_roles_are_those_the_platform_expects():
    assert set(OWNERS.values()) == set(SERVICES)
    assert (SERVICES[OWNERS["event-command"]], SERVICES[OWNERS["order"]]) == (
        names.EVENT_DATABASE,
        names.ORDER_DATABASE,
    )
    assert names.CDC_ROLE in roles.statements()
