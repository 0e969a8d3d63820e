"""Roles and databases in PostgreSQL: a role per service that owns its own database, and one role for capture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

from ticketly_cli.local.component import Step, UnhealthyError
from ticketly_cli.local.components.postgres import PostgresServer
from ticketly_crds import names
from ticketly_crds.blueprint import Database


async def provision(server: PostgresServer, databases: Sequence[Database], passwords: Mapping[str, str]) -> None:
    """Create what is missing and set passwords; `passwords` by role. Can be repeated."""
    try:
        connection = await server.connect()
        try:
            for database in databases:
                await _role(connection, database.role, passwords[database.role], "login")
            await _role(connection, names.CDC_ROLE, passwords[names.CDC_ROLE], "login replication")
            await connection.execute(f"grant pg_read_all_data to {_quoted(names.CDC_ROLE)}")
            for database in databases:
                await _database(connection, database)
        finally:
            await connection.close()
    except asyncpg.PostgresError as error:
        raise UnhealthyError(f"roles and databases: {error}") from error


async def _role(connection: asyncpg.Connection[asyncpg.Record], role: str, password: str, attributes: str) -> None:
    exists = await connection.fetchval("select exists(select from pg_roles where rolname = $1)", role)
    verb = "alter" if exists else "create"
    secret = await connection.fetchval("select quote_literal($1)", password)
    await connection.execute(f"{verb} role {_quoted(role)} with {attributes} password {secret}")


async def _database(connection: asyncpg.Connection[asyncpg.Record], database: Database) -> None:
    """Nobody but the owner and capture may connect."""
    name, owner = _quoted(database.name), _quoted(database.role)
    if not await connection.fetchval("select exists(select from pg_database where datname = $1)", database.name):
        await connection.execute(f"create database {name} owner {owner}")
    await connection.execute(f"revoke all on database {name} from public")
    await connection.execute(f"grant connect on database {name} to {_quoted(names.CDC_ROLE)}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def slot_is_streaming(server: PostgresServer, slot: str) -> Step:
    """A probe: the connector's replication slot exists and somebody reads from it."""

    async def probe() -> None:
        try:
            connection = await server.connect()
            try:
                active = await connection.fetchval("select active from pg_replication_slots where slot_name = $1", slot)
            finally:
                await connection.close()
        except asyncpg.PostgresError as error:
            raise UnhealthyError(str(error)) from error
        if not active:
            raise UnhealthyError(f"slot {slot} is {'not read' if active is not None else 'missing'}")

    return probe
