"""Seeding against a platform in memory that loses answers: nothing is made twice, a second run makes nothing, and
cleaning removes exactly what was made."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from ticketly_cli.api.identity import Login, buyer_name, buyers_password
from ticketly_cli.api.transport import Api, ApiError
from ticketly_cli.errors import CliError
from ticketly_cli.local.state import Login as Credentials
from ticketly_cli.printing import Terminal
from ticketly_cli.seed import run
from ticketly_cli.seed.plan import SeedOptions, plan
from ticketly_cli.seed.record import read_record

CANARY = "canary-7f3a-secret"


def token_for(name: str) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"sub": f"id-of-{name}"}).encode()).decode().rstrip("=")
    return f"e30.{claims}.sig"


@dataclass
class Platform:
    """The routes seeding uses. Every `lose_every`-th POST takes effect, but its answer is lost."""

    lose_every: int = 0
    organizations: dict = field(default_factory=dict)
    events: dict = field(default_factory=dict)
    users: dict = field(default_factory=dict)
    answers: dict = field(default_factory=dict)
    posts: int = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path.endswith("/token"):
            form = dict(re.findall(r"(\w+)=([^&]*)", request.content.decode()))
            name = form["username"].replace("%40", "@")
            return httpx2.Response(200, json={"access_token": token_for(name), "expires_in": 300})
        if path.startswith("/admin/"):
            return self.identity(request, path)
        key = request.headers.get("Idempotency-Key")
        if request.method != "POST":
            return self.answer(request, path)
        assert key
        if key not in self.answers:
            self.answers[key] = self.answer(request, path)
        self.posts += 1
        if self.lose_every and self.posts % self.lose_every == 0:
            raise httpx2.ReadError("the answer is lost", request=request)
        return self.answers[key]

    def identity(self, request, path):
        if "group-by-path" in path or path.endswith("/groups"):
            return httpx2.Response(200, json={"id": "group"})
        if path.endswith("/members"):
            return httpx2.Response(200, json=[{"username": name} for name in self.users])
        if path.endswith("/partialImport"):
            self.users |= {user["username"]: user for user in json.loads(request.content)["users"]}
            return httpx2.Response(200, json={})
        if request.method == "DELETE":
            del self.users[path.rpartition("/")[2]]
            return httpx2.Response(204)
        name = request.url.params["username"]
        return httpx2.Response(200, json=[{"id": name}] if name in self.users else [])

    def answer(self, request, path):
        if request.method == "POST" and path.endswith("/v1/organizations"):
            made = {"id": str(uuid.uuid4()), "name": json.loads(request.content)["name"]}
            self.organizations[made["id"]] = made
            return httpx2.Response(201, json=made)
        if path.endswith("/v1/organizations/my"):
            return httpx2.Response(200, json=list(self.organizations.values()))
        if path.endswith("/v1/categories"):
            return httpx2.Response(
                200, json=[{"id": "c", "name": "Music", "subCategories": [{"id": "d", "name": "Concerts"}]}]
            )
        if "/v1/events/organization/" in path:
            found = [{"id": e["id"], "title": e["title"], "status": e["status"]} for e in self.events.values()]
            return httpx2.Response(200, json={"content": found, "last": True})
        if request.method == "POST" and path.endswith("/v1/events"):
            return self.create(request)
        if path.endswith("/seating-map"):
            session_id = path.split("/")[-2]
            session = next(s for e in self.events.values() for s in e["sessions"] if s["id"] == session_id)
            return httpx2.Response(200, json=session["layoutData"])
        if request.method == "PUT" and path.endswith("/status"):
            return httpx2.Response(200, json={})
        if request.method == "DELETE" and "/organizations/" in path:
            self.organizations.pop(path.rpartition("/")[2])
            return httpx2.Response(204)
        return self.event(request, path)

    def create(self, request):
        content = request.content
        assert b'name="coverImages"; filename="cover.png"' in content
        start = content.index(b"\r\n\r\n", content.index(b'name="request"')) + 4
        asked = json.loads(content[start : content.index(b"\r\n--", start)])
        event_id = str(uuid.uuid4())
        for session in asked["sessions"]:
            session["id"] = str(uuid.uuid4())
            for block in session["layoutData"]["layout"]["blocks"]:
                for row in block["rows"]:
                    for seat in row["seats"]:
                        seat["id"] = str(uuid.uuid4())
        self.events[event_id] = {**asked, "id": event_id, "status": "PENDING"}
        return httpx2.Response(201, json={"id": event_id})

    def event(self, request, path):
        event_id = next((part for part in path.split("/") if part in self.events), None)
        if event_id is None:
            return httpx2.Response(404, json={"code": "event-not-found", "message": "There is no such event."})
        event = self.events[event_id]
        if path.endswith("/approve"):
            if event["status"] != "PENDING":
                return httpx2.Response(409, json={"code": "transition-not-allowed", "message": "Not pending."})
            event["status"] = "APPROVED"
            return httpx2.Response(200)
        if request.method == "DELETE":
            del self.events[event_id]
            return httpx2.Response(204)
        if path.endswith("/basic-info") and event["status"] != "APPROVED":
            return httpx2.Response(404, json={"code": "event-not-found", "message": "There is no such event."})
        return httpx2.Response(200, json=event)


class State:
    """The members of a platform's state that seeding reads."""

    front_door_url = "http://platform"
    token_url = "http://identity/token"
    keycloak_url = "http://identity"
    keycloak_administrator = Credentials("admin", CANARY)
    users = {name: Credentials(name, CANARY) for name in ("test@ticketly.test", "admin@ticketly.test")}  # noqa: RUF012


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Retries pause; these tests need not."""
    monkeypatch.setattr("ticketly_cli.api.transport.FIRST_PAUSE_SECONDS", 0.0)


SEASON = plan(1, SeedOptions(events=6, sessions=2, rows=2, columns=3))


def seed(platform: Platform, path: Path, season=SEASON, users: int = 0):
    return asyncio.run(run.seed(season, users, path, State(), Terminal(quiet=True), lambda: client_of(platform)))


def clean(platform: Platform, path: Path):
    return asyncio.run(run.clean(path, State(), Terminal(quiet=True), lambda: client_of(platform)))


def client_of(platform: Platform) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.MockTransport(platform))


@pytest.mark.parametrize("lose_every", [0, 2, 3])
def test_seeding_makes_the_season_once_whatever_answers_are_lost(tmp_path, lose_every):
    platform = Platform(lose_every)
    result = seed(platform, tmp_path / "seed-data.json")
    assert len(platform.organizations) == 1
    assert len(platform.events) == 6
    assert {event["status"] for event in platform.events.values()} == {"APPROVED"}
    assert result.to_data() | {"organizationId": "", "file": ""} == {
        "organizationId": "", "organizationName": "Serendib Stages", "seed": 1, "made": 6, "kept": 0, "events": 6,
        "sessions": 12, "seats": 72, "users": 0, "file": "",
    }  # fmt: skip


def test_the_record_holds_the_servers_ids_in_the_plans_order_and_no_secret(tmp_path):
    platform, path = Platform(), tmp_path / "seed-data.json"
    seed(platform, path, users=30)
    record = read_record(path)
    assert [event.title for event in record.events] == [event.title for event in SEASON.events]
    assert {event.id for event in record.events} == set(platform.events)
    assert record.users == [buyer_name(number) for number in range(1, 31)]
    assert CANARY not in path.read_text()
    assert buyers_password(CANARY) not in path.read_text()


def test_a_second_run_makes_nothing(tmp_path):
    platform, path = Platform(), tmp_path / "seed-data.json"
    seed(platform, path)
    before = path.read_text()
    result = seed(platform, path)
    assert (result.made, result.kept) == (0, 6)
    assert len(platform.events) == 6
    assert json.loads(before)["events"] == json.loads(path.read_text())["events"]


def test_a_lost_record_does_not_double_the_season(tmp_path):
    platform = Platform()
    seed(platform, tmp_path / "one.json")
    assert seed(platform, tmp_path / "two.json").kept == 6


def test_an_interrupted_run_is_continued(tmp_path):
    platform, path = Platform(), tmp_path / "seed-data.json"
    seed(platform, path)
    gone, unapproved = list(platform.events)[:2]
    del platform.events[gone]
    platform.events[unapproved]["status"] = "PENDING"
    result = seed(platform, path)
    assert (result.made, result.kept) == (2, 4)
    assert len(platform.events) == 6


def test_cleaning_removes_exactly_what_was_made(tmp_path):
    platform, path = Platform(), tmp_path / "seed-data.json"
    platform.users["buyer-0002@ticketly.test"] = {}
    seed(platform, path, users=3)
    result = clean(platform, path)
    assert result.to_data() == {"removed": {"events": 6, "users": 2, "organization": True}}
    assert platform.events == {}
    assert list(platform.users) == ["buyer-0002@ticketly.test"]
    assert platform.organizations == {}
    assert not path.exists()


def test_cleaning_leaves_what_somebody_else_put_there(tmp_path):
    platform, path = Platform(), tmp_path / "seed-data.json"
    seed(platform, path)
    platform.events["foreign"] = {"id": "foreign", "title": "x", "status": "APPROVED", "sessions": []}
    result = clean(platform, path)
    assert result.to_data() == {"removed": {"events": 6, "users": 0, "organization": False}}
    assert list(platform.events) == ["foreign"]
    assert len(platform.organizations) == 1


def test_a_smaller_season_does_not_claim_the_events_of_a_larger_one(tmp_path):
    platform = Platform()
    seed(platform, tmp_path / "large.json")
    small = plan(1, SeedOptions(events=2))
    assert len(seed(platform, tmp_path / "small.json", small).record.events) == 2
    assert len(seed(platform, tmp_path / "large.json", small).record.events) == 6


def test_cleaning_without_a_record_is_refused(tmp_path):
    with pytest.raises(CliError, match="not known what to remove"):
        clean(Platform(), tmp_path / "seed-data.json")


# --- transport ----------------------------------------------------------------------------------------------------


def call(handler, method="POST", token=None):
    async def story():
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(handler)) as client:
            return await Api(client, "http://p/", token).call(method, "/x", "Doing it", body={"a": 1})

    return asyncio.run(story())


def test_a_repeated_post_carries_the_same_key_and_another_call_another():
    keys = []

    def handler(request):
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) % 3:
            return httpx2.Response(503, headers={"Retry-After": "0"})
        return httpx2.Response(201, json={})

    call(handler)
    call(handler)
    assert len(set(keys[:3])) == len(set(keys[3:])) == 1
    assert keys[0] != keys[3]


def test_a_refusal_is_told_with_its_code_and_first_field():
    problem = {"code": "validation-failed", "message": "Not acceptable.", "errors": {"title": "is too short"}}
    with pytest.raises(ApiError) as refused:
        call(lambda _: httpx2.Response(422, json=problem))
    assert refused.value.status == 422
    assert refused.value.code == "validation-failed"
    assert "title: is too short" in str(refused.value)


def test_a_platform_that_stays_away_is_unreachable():
    def handler(request):
        raise httpx2.ConnectError("no", request=request)

    with pytest.raises(CliError) as refused:
        call(handler)
    assert refused.value.exit_code == 4


def test_a_token_is_renewed_before_it_ends():
    asked = []

    def handler(request):
        asked.append(request)
        return httpx2.Response(200, json={"access_token": token_for("u"), "expires_in": 10 if len(asked) == 1 else 300})

    async def story():
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(handler)) as client:
            login = Login(client, "http://identity/token", "u", CANARY)
            await login.token()
            await login.token()
            return await login.current()

    assert asyncio.run(story()).subject == "id-of-u"
    assert len(asked) == 2


def test_a_refused_login_does_not_show_the_password():
    async def story():
        handler = httpx2.MockTransport(lambda _: httpx2.Response(401, json={"error": "invalid_grant"}))
        async with httpx2.AsyncClient(transport=handler) as client:
            await Login(client, "http://identity/token", "somebody", CANARY).token()

    with pytest.raises(ApiError) as refused:
        asyncio.run(story())
    assert CANARY not in str(refused.value)
    assert "somebody" in str(refused.value)
