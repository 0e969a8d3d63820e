"""Which status may follow which, by the owner and by the job."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ticketly_event_command.sessions.domain import STATUSES

from .conftest import code, later, session_request

BY_OWNER = {
    ("SCHEDULED", "ON_SALE"),
    ("SCHEDULED", "CANCELLED"),
    ("ON_SALE", "CLOSED"),
    ("ON_SALE", "CANCELLED"),
    ("SOLD_OUT", "CLOSED"),
    ("SOLD_OUT", "CANCELLED"),
    ("CLOSED", "CANCELLED"),
}
BY_JOB = {("SCHEDULED", "ON_SALE"), ("SCHEDULED", "CLOSED"), ("ON_SALE", "CLOSED"), ("SOLD_OUT", "CLOSED")}


async def put_into(world, session_id: str, status: str) -> None:
    await world.sql("UPDATE event_sessions SET status = $2 WHERE id = $1", session_id, status)


async def status_of(world, session_id: str) -> str:
    return (await world.sql("SELECT status FROM event_sessions WHERE id = $1", session_id))[0]["status"]


@pytest.mark.parametrize("current", STATUSES)
async def test_owner_transitions_follow_the_table(world, current: str) -> None:
    owner = world.person()
    event = await world.approved(owner, sessions=[session_request(id="a"), session_request(id="b")], discounts=[])
    session_id = event["sessions"][0]["id"]
    for wanted in STATUSES:
        await put_into(world, session_id, current)
        response = await owner.call("PUT", f"/v1/sessions/{session_id}/status", {"status": wanted})
        if wanted == current or (current, wanted) in BY_OWNER:
            assert response.status_code == 200, (current, wanted, response.text)
            assert response.json()["status"] == wanted
        else:
            assert code(response) == (409, "transition-not-allowed"), (current, wanted)
            assert await status_of(world, session_id) == current


@pytest.mark.parametrize("current", STATUSES)
async def test_job_transitions_follow_the_table_and_may_be_repeated(world, current: str) -> None:
    owner = world.person()
    event = await world.approved(owner, sessions=[session_request(id="a"), session_request(id="b")], discounts=[])
    session_id = event["sessions"][0]["id"]
    token = {"Authorization": f"Bearer {world.issuer.service_token('scheduler-service-client')}"}
    for wanted, path in (("ON_SALE", "on-sale"), ("CLOSED", "closed")):
        await put_into(world, session_id, current)
        url = f"/api/event-seating/internal/v1/sessions/{session_id}/{path}"
        response = await world.internal.patch(url, headers=token)
        if wanted == current or (current, wanted) in BY_JOB:
            assert (response.status_code, response.content) == (200, b""), (current, wanted)
            assert (await world.internal.patch(url, headers=token)).status_code == 200
        else:
            assert code(response) == (409, "transition-not-allowed"), (current, wanted)


async def test_sales_do_not_start_before_approval(world) -> None:
    owner = world.person()
    event = await owner.event()
    session_id = event["idMap"]["session-1"]
    response = await owner.call("PUT", f"/v1/sessions/{session_id}/status", {"status": "ON_SALE"})
    assert code(response) == (409, "event-not-approved")


async def test_neither_sales_nor_a_late_cancellation_happen_after_the_start(world) -> None:
    owner = world.person()
    event = await world.approved(owner)
    session_id = event["sessions"][0]["id"]
    world.clock.ahead = timedelta(days=8)
    for current, wanted in (("SCHEDULED", "ON_SALE"), ("CLOSED", "CANCELLED")):
        await put_into(world, session_id, current)
        response = await owner.call("PUT", f"/v1/sessions/{session_id}/status", {"status": wanted})
        assert code(response) == (409, "transition-not-allowed")


async def test_an_event_is_completed_only_when_its_last_session_is_over(world) -> None:
    owner = world.person()
    event = await world.approved(
        owner, sessions=[session_request(id="a", salesStartTime=later(days=-1)), session_request(id="b")], discounts=[]
    )
    on_sale, scheduled = sorted(event["sessions"], key=lambda session: session["status"])
    await owner.ok("PUT", f"/v1/sessions/{on_sale['id']}/status", {"status": "CLOSED"})
    assert (await owner.detail(event["id"]))["status"] == "APPROVED"
    await owner.ok("PUT", f"/v1/sessions/{scheduled['id']}/status", {"status": "CANCELLED"})
    assert (await owner.detail(event["id"]))["status"] == "COMPLETED"


async def test_cancelling_an_event_cancels_every_open_session(world) -> None:
    owner = world.person()
    event = await world.approved(owner, sessions=[session_request(id="a"), session_request(id="b")], discounts=[])
    answer = await owner.call("POST", f"/v1/events/{event['id']}/cancel", {"reason": "storm"})
    assert (answer.status_code, answer.json()["status"]) == (202, "COMPLETED")
    assert {session["status"] for session in (await owner.detail(event["id"]))["sessions"]} == {"CANCELLED"}


async def test_a_rejected_event_can_be_handed_in_again(world) -> None:
    owner, admin = world.person(), world.admin()
    event = await owner.event()
    assert code(await owner.call("POST", f"/v1/events/{event['id']}/resubmit"))[0] == 409
    await admin.ok("POST", f"/v1/events/{event['id']}/reject", {"reason": "no picture"})
    assert (await owner.detail(event["id"]))["rejectionReason"] == "no picture"
    assert code(await admin.call("POST", f"/v1/events/{event['id']}/approve")) == (409, "transition-not-allowed")
    again = await owner.ok("POST", f"/v1/events/{event['id']}/resubmit")
    assert again["status"] == "PENDING"
    assert (await owner.detail(event["id"]))["rejectionReason"] is None


async def test_nobody_decides_about_an_own_event(world) -> None:
    admin = world.admin()
    event = await admin.event()
    for verb in ("approve", "reject"):
        response = await admin.call("POST", f"/v1/events/{event['id']}/{verb}", {"reason": "mine"})
        assert code(response) == (403, "self-approval")


async def test_the_start_of_sales_is_fixed_once_they_have_begun(world) -> None:
    owner = world.person()
    event = await world.approved(owner)
    session = event["sessions"][0]
    path = f"/v1/sessions/{session['id']}/time"
    times = {"startTime": later(days=9), "endTime": later(days=9, hours=1), "salesStartTime": later(days=2)}
    moved = await owner.ok("PUT", path, times)
    assert (moved["startTime"], moved["salesEndTime"]) == (times["startTime"], times["endTime"])
    await owner.ok("PUT", f"/v1/sessions/{session['id']}/status", {"status": "ON_SALE"})
    await owner.ok("PUT", path, times)
    refused = await owner.call("PUT", path, {**times, "salesStartTime": later(days=3)})
    assert list(refused.json()["errors"]) == ["salesStartTime"]


@pytest.mark.parametrize("path", ["venue", "venue-details", "layout"])
async def test_plan_and_venue_are_fixed_once_sales_have_begun(world, path: str) -> None:
    owner = world.person()
    event = await world.approved(owner)
    session_id = event["sessions"][0]["id"]
    body = {
        "sessionType": "ONLINE",
        "venueDetails": {"name": "Here", "onlineLink": "https://stream.test/1", "timeZone": "Europe/Paris"},
        "layoutData": event["sessions"][0]["layoutData"],
    }
    changed = await owner.ok("PUT", f"/v1/sessions/{session_id}/{path}", body)
    if path != "layout":
        assert changed["venueDetails"]["timeZone"] == "Europe/Paris"
    await owner.ok("PUT", f"/v1/sessions/{session_id}/status", {"status": "ON_SALE"})
    assert (await owner.call("PUT", f"/v1/sessions/{session_id}/{path}", body)).status_code == 409
    assert (await owner.call("DELETE", f"/v1/sessions/{session_id}")).status_code == 409
