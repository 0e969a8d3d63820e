"""A person's view of the running platform: sign in, make an event, wait until something is visible."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from ticketly_cli.local.state import PlatformState

ADMIN, USER, ORGANIZER = "admin@ticketly.test", "user@ticketly.test", "test@ticketly.test"


def eventually(look: Callable[[], Any], *, what: str, seconds: float = 20.0) -> Any:
    """Poll until ``look`` returns something true; fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)


def event_request(organization: str, category: str, *, rows: int = 2, seats: int = 2) -> dict[str, Any]:
    """A create request in the shape the integration client sends: one tier, one session, a grid and a stage."""
    tier, start = str(uuid.uuid4()), datetime.now(UTC) + timedelta(days=30)
    grid = [
        {
            "id": str(uuid.uuid4()),
            "label": chr(65 + row),
            "seats": [
                {
                    "id": str(uuid.uuid4()),
                    "label": f"{number + 1}{chr(65 + row)}",
                    "tierId": tier,
                    "status": "AVAILABLE",
                }
                for number in range(1, seats + 1)
            ],
        }
        for row in range(rows)
    ]
    blocked = grid[-1]["seats"][-1]
    blocked["status"] = "RESERVED"
    del blocked["tierId"]
    return {
        "title": f"Harbour evening {uuid.uuid4().hex[:8]}",
        "description": "Songs by the water.",
        "overview": "## Doors at six",
        "organizationId": organization,
        "categoryId": category,
        "categoryName": "ignored",
        "tiers": [{"id": tier, "name": "Standard", "price": 1000, "color": "#3B82F6"}],
        "sessions": [
            {
                "id": str(uuid.uuid4()),
                "startTime": start.isoformat(),
                "endTime": (start + timedelta(hours=2)).isoformat(),
                "salesStartTime": (datetime.now(UTC) - timedelta(days=1)).isoformat(),
                "sessionType": "PHYSICAL",
                "venueDetails": {
                    "name": "Harbour hall",
                    "address": "1 Quay Street, Galle",
                    "latitude": 6.03,
                    "longitude": 80.22,
                },
                "layoutData": {
                    "name": None,
                    "layout": {
                        "blocks": [
                            {
                                "id": str(uuid.uuid4()),
                                "name": "Stalls",
                                "type": "seated_grid",
                                "position": {"x": 10, "y": 20},
                                "rows": grid,
                            },
                            {
                                "id": str(uuid.uuid4()),
                                "name": "Stage",
                                "type": "non_sellable",
                                "position": {"x": 0, "y": 0},
                                "width": 300,
                                "height": 80,
                                "rows": [],
                            },
                        ]
                    },
                },
            }
        ],
        "discounts": [
            {
                "code": "EARLY10",
                "parameters": {"type": "PERCENTAGE", "percentage": 10},
                "maxUsage": 5,
                "active": True,
                "public": True,
                "applicableTierIds": [tier],
                "applicableSessionIds": [],
            }
        ],
    }


@dataclass
class Sale:
    """An approved event whose only session is on sale, and its free seats in map order."""

    organization: str
    event: str
    session: str
    seats: list[str]
    blocked: list[str]

    def order(self, *seats: str) -> dict[str, Any]:
        return {
            "event_id": self.event,
            "session_id": self.session,
            "organization_id": self.organization,
            "seat_ids": list(seats),
        }


@dataclass
class Api:
    """The platform through its front door."""

    platform: PlatformState
    http: httpx2.Client
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)

    def token(self, username: str) -> str:
        known = self._tokens.get(username)
        if known and known[1] > time.monotonic():
            return known[0]
        answer = self.http.post(
            self.platform.token_url,
            data={
                "grant_type": "password",
                "client_id": "login-testing",
                "username": username,
                "password": self.platform.users[username].password,
            },
        )
        answer.raise_for_status()
        self._tokens[username] = (answer.json()["access_token"], time.monotonic() + answer.json()["expires_in"] - 30)
        return self._tokens[username][0]

    def call(self, method: str, path: str, user: str | None = None, **kwargs: Any) -> httpx2.Response:
        headers = dict(kwargs.pop("headers", {}))
        if user is not None:
            headers["authorization"] = f"Bearer {self.token(user)}"
        return self.http.request(method, self.platform.front_door_url + path, headers=headers, **kwargs)

    def ok(self, method: str, path: str, user: str | None = None, **kwargs: Any) -> Any:
        answer = self.call(method, path, user, **kwargs)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def create_event(self, **kwargs: Any) -> tuple[str, str, dict[str, Any]]:
        """Return (organization, event, create answer) of an event that waits for approval."""
        organization = self.ok(
            "POST", "/api/event-seating/v1/organizations", ORGANIZER, json={"name": f"Org {uuid.uuid4().hex[:8]}"}
        )["id"]
        category = self.ok("GET", "/api/event-seating/v1/categories", ORGANIZER)[0]["subCategories"][0]["id"]
        answer = self.ok(
            "POST",
            "/api/event-seating/v1/events",
            ORGANIZER,
            files={"request": (None, json.dumps(event_request(organization, category, **kwargs)))},
        )
        return organization, answer["id"], answer

    def put_on_sale(self, **kwargs: Any) -> Sale:
        organization, event, _ = self.create_event(**kwargs)
        approved = self.call("POST", f"/api/event-seating/v1/events/{event}/approve", ADMIN)
        assert (approved.status_code, approved.content) == (200, b"")
        session = eventually(lambda: self.sessions(event), what="the event's sessions on the read side")[0]["id"]
        eventually(lambda: len(self.states(session)) == kwargs.get("rows", 2) * kwargs.get("seats", 2), what="its map")
        states = self.states(session)
        self.await_on_sale(organization, event, session)
        return Sale(
            organization,
            event,
            session,
            [seat for seat, status in states.items() if status == "AVAILABLE"],
            [seat for seat, status in states.items() if status == "RESERVED"],
        )

    def await_on_sale(self, organization: str, event: str, session: str) -> None:
        """Wait until the order service knows the session: an order for an unknown seat is then 422, not 404 or 503."""
        probe = {
            "event_id": event,
            "session_id": session,
            "organization_id": organization,
            "seat_ids": [str(uuid.uuid4())],
        }
        eventually(
            lambda: self.call("POST", "/api/order", USER, json=probe).status_code == 422,
            what="the order service's copy",
        )

    def sessions(self, event: str) -> list[dict[str, Any]]:
        answer = self.call("GET", f"/api/event-query/v1/events/{event}/sessions?pageable.page=0&pageable.size=10")
        return answer.json()["content"] if answer.is_success else []

    def states(self, session: str) -> dict[str, str]:
        answer = self.call("GET", f"/api/event-query/v1/sessions/{session}/seating-map")
        if not answer.is_success:
            return {}
        return {
            seat["id"]: seat["status"]
            for block in answer.json()["layout"]["blocks"]
            for row in block["rows"]
            for seat in row["seats"]
        }


@pytest.fixture(scope="session")
def api(platform: PlatformState) -> Iterator[Api]:
    with httpx2.Client(timeout=10.0, trust_env=False) as http:
        yield Api(platform, http)


@pytest.fixture(autouse=True)
def no_open_orders(request: pytest.FixtureRequest) -> Iterator[None]:
    """Cancel what a test left open: the three test users may hold three open orders each."""
    yield
    if "api" in request.fixturenames:
        api: Api = request.getfixturevalue("api")
        for user in (ADMIN, USER, ORGANIZER):
            for order in api.ok("GET", "/api/order/user/me", user):
                if order["Status"] == "pending":
                    api.call("DELETE", f"/api/order/{order['OrderID']}", user)


@pytest.fixture
def sale(api: Api) -> Sale:
    return api.put_on_sale()
