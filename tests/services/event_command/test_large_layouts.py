"""A stadium: 100,000 seats in one request, in one transaction."""

from __future__ import annotations

from .conftest import event_request, layout, session_request


async def test_a_hundred_thousand_seats_are_accepted_and_one_more_is_not(world) -> None:
    owner = world.person()
    organization = await owner.organization()
    plan = layout(200, 500)
    event = await owner.event(organization["id"], sessions=[session_request(layoutData=plan)])
    session_id = event["idMap"]["session-1"]
    found = await world.sql(
        "SELECT s.seat_count, s.layout_version, count(*) AS seats, count(DISTINCT x.id) AS ids "
        "FROM event_sessions s JOIN session_seats x ON x.session_id = s.id AND x.layout_version = s.layout_version "
        "WHERE s.id = $1 GROUP BY s.id",
        session_id,
    )
    assert dict(found[0]) == {"seat_count": 100_000, "layout_version": 1, "seats": 100_000, "ids": 100_000}
    plan["layout"]["blocks"][0]["rows"][0]["seats"].append({"label": "one too many", "tierId": "tier-1"})
    refused = await owner.post_event(
        event_request(organization["id"], sessions=[session_request(layoutData=plan)], discounts=[])
    )
    assert refused.status_code == 422
    assert list(refused.json()["errors"]) == ["sessions[0].layoutData.layout.blocks"]


async def test_a_stadium_can_be_edited_without_renaming_its_seats(world) -> None:
    owner = world.person()
    event = await owner.event(sessions=[session_request(layoutData=layout(100, 200))])
    session_id = event["idMap"]["session-1"]
    session = await owner.ok("GET", f"/v1/sessions/{session_id}")
    plan = session["layoutData"]
    gone = plan["layout"]["blocks"][0]["rows"].pop()
    kept = {seat["id"] for row in plan["layout"]["blocks"][0]["rows"] for seat in row["seats"]}
    plan["layout"]["blocks"][0]["rows"][0]["seats"].append({"label": "new", "status": "RESERVED"})
    edited = await owner.ok("PUT", f"/v1/sessions/{session_id}/layout", {"layoutData": plan})
    rows = await world.sql("SELECT id::text, layout_version FROM session_seats WHERE session_id = $1", session_id)
    ids = {row["id"] for row in rows}
    assert kept < ids
    assert len(ids) == len(kept) + 1
    assert not ids & {seat["id"] for seat in gone["seats"]}
    assert {row["layout_version"] for row in rows} == {2}
    stored = await world.sql("SELECT seat_count, layout_version FROM event_sessions WHERE id = $1", session_id)
    assert tuple(stored[0]) == (len(ids), 2)
    assert edited["version"] == session["version"] + 1
