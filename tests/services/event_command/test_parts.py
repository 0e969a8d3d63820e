"""Small parts: statements, the peer, addresses, files, settings."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ticketly_event_command
from ticketly_common.problems import Problem
from ticketly_common.settings import SettingsError, load
from ticketly_event_command.app import create_app
from ticketly_event_command.images.domain import CONTENT_TYPES, SignedAddresses, accept, signing_secret
from ticketly_event_command.images.filesystem import FileSystemObjects
from ticketly_event_command.limits import Tier, tier_of
from ticketly_event_command.money import major, minor_from_json
from ticketly_event_command.order_peer import HttpOrderPeer
from ticketly_event_command.postgres import statements
from ticketly_event_command.settings import Settings

SOURCE = Path(ticketly_event_command.__file__).parent
ENVIRONMENT = {
    "TICKETLY_LISTEN_PUBLIC_PORT": "0",
    "TICKETLY_LISTEN_INTERNAL_PORT": "0",
    "TICKETLY_IDENTITY_ISSUER": "http://issuer.test",
    "TICKETLY_IDENTITY_CLIENT_ID": "events-service",
    "TICKETLY_IDENTITY_CLIENT_SECRET": "hush",
    "TICKETLY_POSTGRES_HOST": "127.0.0.1",
    "TICKETLY_POSTGRES_DATABASE": "event_service",
    "TICKETLY_POSTGRES_USER": "events",
    "TICKETLY_POSTGRES_PASSWORD": "hush",
    "TICKETLY_UPLOADS_DIRECTORY": "/nowhere",
    "TICKETLY_PEERS_ORDER_INTERNAL_URL": "http://127.0.0.1:9084",
}


def test_every_statement_is_used_and_every_used_statement_exists() -> None:
    code = "\n".join(path.read_text() for path in SOURCE.rglob("*.py"))
    named = set(re.findall(r"\btx\.(?:one|many|value|run|page)\(\s*\"(\w+)\"", code))
    known = set(statements())
    assert named <= known
    unused = {name for name in known if f'"{name}"' not in code and not name.endswith("_count")}
    assert unused == set()


@given(st.integers(0, 10**9))
def test_amounts_survive_the_way_to_the_wire_and_back(minor: int) -> None:
    assert minor_from_json(major(minor)) == minor
    assert "e" not in repr(major(minor))


def test_the_highest_of_several_tiers_wins() -> None:
    assert tier_of(["/Tiers/FREE", "/Tiers/ENTERPRISE", "/Tiers/PRO"]) is Tier.ENTERPRISE
    assert tier_of(["/Permissions/Users", "/Other/Tiers/PRO"]) is Tier.FREE


def peer(answer) -> HttpOrderPeer:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return HttpOrderPeer(
        client, order_url="http://order.test", token_url="http://id.test/token", client_id="me", client_secret="hush"
    )


async def test_the_order_service_is_asked_with_one_token_for_many_questions() -> None:
    session, event, asked = uuid4(), uuid4(), []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        if request.url.host == "id.test":
            assert b"client_credentials" in request.content
            return httpx2.Response(200, json={"access_token": "t", "expires_in": 300, "token_type": "Bearer"})
        assert request.headers["authorization"] == "Bearer t"
        sessions = [{"sessionId": str(session), "appliedStatus": "CLOSED", "position": 7}]
        return httpx2.Response(200, json={"soldTickets": 1, "openOrders": 2, "sessions": sessions})

    orders = peer(answer)
    for _ in range(2):
        summary = await orders.sales_summary(event)
        assert (summary.sold_tickets, summary.open_orders, summary.applied) == (1, 2, {session: "CLOSED"})
    path = f"/api/order/internal/v1/events/{event}/sales-summary"
    assert asked == ["/token", path, path]


@pytest.mark.parametrize("status", [200, 401, 500])
async def test_an_order_service_without_a_proper_answer_is_unavailable(status: int) -> None:
    orders = peer(lambda _: httpx2.Response(status, content=b"{}"))
    with pytest.raises(Problem) as caught:
        await orders.sales_summary(uuid4())
    assert (caught.value.status, caught.value.code) == (503, "dependency-unavailable")


def test_a_signature_is_for_one_name_and_one_time() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    addresses = SignedAddresses("http://x/", signing_secret("a"), lambda: now)
    query = dict(part.split("=") for part in addresses.signed("logos/a.png").partition("?")[2].split("&"))
    assert addresses.allows("logos/a.png", **query)
    assert not addresses.allows("logos/b.png", **query)
    assert not addresses.allows("logos/a.png", **{**query, "expires": "9999999999"})
    assert not SignedAddresses("http://x", signing_secret("b"), lambda: now).allows("logos/a.png", **query)
    later = SignedAddresses("http://x", signing_secret("a"), lambda: now + timedelta(hours=1))
    assert not later.allows("logos/a.png", **query)


@given(st.binary(max_size=64))
def test_whatever_is_accepted_as_image_has_a_known_extension(content: bytes) -> None:
    status = None
    try:
        extension = accept(content, most_bytes=32)
    except Problem as problem:
        status = problem.status
    assert status in {413, 415} if status else extension in CONTENT_TYPES


@pytest.mark.parametrize("name", ["../x", "logos/../x.png", "logos/8f5e0aa3-e79e-4fa0-b0e5-d291ecfdcbdd.exe", ""])
async def test_objects_stay_inside_their_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no object name"):
        await FileSystemObjects(tmp_path).put(name, b"")


def test_the_service_is_wired_from_its_environment_and_names_what_is_missing(monkeypatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings = load(Settings)
    assert create_app(settings).name == "event-command"
    assert settings.uploads.max_bytes == 52_428_800
    assert "hush" not in repr(settings)
    monkeypatch.delenv("TICKETLY_IDENTITY_CLIENT_SECRET")
    with pytest.raises(SettingsError, match="TICKETLY_IDENTITY_CLIENT_SECRET"):
        create_app(load(Settings))
    monkeypatch.delenv("TICKETLY_UPLOADS_DIRECTORY")
    with pytest.raises(SettingsError, match="TICKETLY_UPLOADS"):
        load(Settings)
