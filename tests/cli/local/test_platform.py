"""The whole platform as `ticketly up` leaves it."""

from __future__ import annotations

import base64
import json

import asyncpg
import httpx2
import pytest

from ticketly_cli.local import lifecycle, tokens
from ticketly_cli.local.paths import HomeFolder

pytestmark = pytest.mark.stack


def claims(token: str) -> dict:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def service_token(platform, client: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": platform.client_secrets[client]}
    return httpx2.post(platform.token_url, data=form).json()["access_token"]


def test_everything_is_healthy_and_fits_the_memory_it_promises(platform):
    found = lifecycle.report(HomeFolder(platform.home)).components
    assert {one.name: one.state for one in found if one.state != "healthy"} == {}
    assert sum(one.memory_bytes or 0 for one in found) < 1.6 * 1024**3


def test_tokens_carry_subject_audience_roles_and_groups(platform):
    found = claims(tokens.access_token(platform, "admin", "login-testing").token)
    assert found["sub"]
    assert found["azp"] == "login-testing"
    assert "ticketly-api" in found["aud"]
    assert "ticketly-internal" not in found["aud"]
    assert {"event_admin", "category_admin", "organization_admin"} <= set(found["realm_access"]["roles"])
    assert "/Permissions/Users/System Admins" in found["user_groups"]


def test_login_testing_may_ask_for_internal_api(platform):
    found = claims(tokens.access_token(platform, "test", "login-testing", "internal-api").token)
    assert "internal-api" in found["scope"].split()
    assert "ticketly-internal" not in found["aud"]
    assert "/Tiers/ENTERPRISE" in found["user_groups"]


def test_service_tokens_are_for_internal_routes_and_may_manage_users_where_the_contract_says(platform):
    token = service_token(platform, "events-service")
    assert claims(token)["aud"] == "ticketly-internal"
    users = f"{platform.keycloak_url}/admin/realms/event-ticketing/users"
    assert httpx2.get(users, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    other = service_token(platform, "email-service-client")
    assert httpx2.get(users, headers={"Authorization": f"Bearer {other}"}).status_code == 403


def test_the_front_door_answers_for_every_public_service_and_refuses_the_rest(platform):
    for service in platform.services.values():
        if service.public_url is not None:
            direct = httpx2.get(f"{service.internal_url}/readyz")
            assert direct.status_code == 200, service.name
    answer = httpx2.get(f"{platform.front_door_url}/readyz")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_a_token_is_accepted_behind_the_front_door(platform):
    token = tokens.access_token(platform, "test", "login-testing").token
    url = f"{platform.front_door_url}/api/event-seating/v1/organizations/my"
    assert httpx2.get(url).status_code == 401
    assert httpx2.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 200


async def test_the_platforms_database_is_durable_and_capture_reads_from_it(platform):
    connection = await asyncpg.connect(platform.superuser.dsn)
    try:
        assert await connection.fetchval("show fsync") == "on"
        assert await connection.fetchval("show synchronous_commit") == "on"
        active = await connection.fetch("select slot_name, active from pg_replication_slots order by slot_name")
        assert [tuple(row) for row in active] == [("ticketly_event_tables", True), ("ticketly_order_outbox", True)]
    finally:
        await connection.close()


async def test_every_service_owns_its_database(platform):
    for database in platform.databases.values():
        connection = await asyncpg.connect(database.dsn)
        try:
            assert await connection.fetchval("select current_user") == database.user
        finally:
            await connection.close()
