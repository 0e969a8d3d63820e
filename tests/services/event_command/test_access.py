"""Every route says who may call it, and means it."""

from __future__ import annotations

from uuid import uuid4

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from ticketly_common.auth import Access, declared_access

from .conftest import CONCERTS, code, event_request, session_request

PREFIX = "/api/event-seating"


def routes(app) -> list[tuple[str, str, Access | None]]:
    # ``app.routes`` shows an included router as one entry, so the routes in it have to be walked.
    return [
        (method, route.path.removeprefix(PREFIX), declared_access(route))
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute)
        for method in route.methods
    ]


async def everything(world, owner) -> dict[str, str]:
    """One of each thing that a path can name, all belonging to ``owner``."""
    event = await owner.event()
    organization_id = event["organizationId"]
    template = await owner.ok(
        "POST",
        "/v1/seating-templates",
        {"name": "Hall", "organizationId": organization_id, "layoutData": {"layout": {"blocks": []}}},
    )
    return {
        "event_id": event["id"],
        "organization_id": organization_id,
        "session_id": event["idMap"]["session-1"],
        "tier_id": event["idMap"]["tier-1"],
        "discount_id": event["idMap"]["discount-1"],
        "template_id": template["id"],
        "category_id": CONCERTS,
        "member_id": str(uuid4()),
        "photo_id": str(uuid4()),
        "owner_id": owner.subject,
        "kind": "logos",
        "file": "x.png",
    }


IMAGE = {"files": [("file", ("a.png", b"\x89PNG\r\n\x1a\n" + b"0" * 20, "image/png"))]}


def arguments(method: str, path: str, ids: dict[str, str]):
    """Body and files for routes that name the owner's things in them."""
    if (method, path) == ("POST", "/v1/events"):
        import json

        return {"files": [("request", (None, json.dumps(event_request(ids["organization_id"]))))]}
    if (method, path) == ("POST", "/v1/sessions"):
        return {"body": {"eventId": ids["event_id"], "sessions": [session_request(ids["tier_id"])]}}
    if (method, path) == ("POST", "/v1/seating-templates"):
        plan = {"layout": {"blocks": []}}
        return {"body": {"name": "T", "organizationId": ids["organization_id"], "layoutData": plan}}
    if (method, path) == ("GET", "/v1/sessions"):
        return {"params": {"eventId": ids["event_id"]}}
    if method == "POST" and path.endswith(("cover-photos", "logo")):
        return IMAGE
    return {} if method in {"GET", "DELETE"} else {"body": {}}


async def test_no_route_forgets_to_declare_its_access(world) -> None:
    for app, least in ((world.public, 60), (world.inside, 10)):
        assert len(routes(app)) >= least
        assert [route for route in routes(app) if route[2] is None] == []


async def test_without_a_token_only_public_routes_answer(world) -> None:
    ids = {name: str(uuid4()) for name in await everything(world, world.person())}
    for method, path, access in routes(world.public):
        response = await world.client.request(method, PREFIX + path.format(**ids))
        if access is Access.PUBLIC:
            assert response.status_code in {200, 404}
        else:
            assert code(response) == (401, "unauthenticated"), (method, path)
            assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_strangers_token_opens_nothing_that_belongs_to_the_owner(world) -> None:
    ids = await everything(world, world.person())
    stranger = world.person()
    checked = 0
    for method, path, access in routes(world.public):
        if access in {Access.OWNER, Access.SCANNER}:
            response = await stranger.call(method, path.format(**ids), **arguments(method, path, ids))
            assert code(response) == (403, "forbidden"), (method, path, response.text)
            checked += 1
    assert checked > 30


async def test_an_unknown_id_is_not_found_before_anything_else_is_judged(world) -> None:
    owner = world.person()
    ids = {name: str(uuid4()) for name in await everything(world, owner)}
    for method, path, access in routes(world.public):
        if access in {Access.OWNER, Access.SCANNER}:
            response = await owner.call(method, path.format(**ids), **arguments(method, path, ids))
            assert response.status_code == 404, (method, path, response.text)
            assert response.json()["code"].endswith("-not-found")


async def test_roles_open_exactly_their_routes(world) -> None:
    ids = await everything(world, world.person())
    nobody = world.person()
    for method, path, access in routes(world.public):
        if access is Access.ROLE:
            response = await nobody.call(method, path.format(**ids), **arguments(method, path, ids))
            assert code(response) == (403, "role-required"), (method, path)


@pytest.mark.parametrize("role", ["event_admin", "category_admin", "organization_admin"])
async def test_one_role_does_not_open_another_ones_routes(world, role: str) -> None:
    token = {"Authorization": f"Bearer {world.issuer.token(str(uuid4()), roles=[role])}"}
    path = {
        "event_admin": "/v1/organizations/admin/all",
        "category_admin": "/v1/events/admin/all",
        "organization_admin": "/v1/events/admin/all",
    }[role]
    assert (await world.client.get(PREFIX + path, headers=token)).status_code == 403


async def test_administrators_read_everybodys_things(world) -> None:
    owner, admin = world.person(), world.admin()
    ids = await everything(world, owner)
    for path in (
        "/v1/organizations/admin/{organization_id}",
        "/v1/organizations/admin/user/{owner_id}",
        "/v1/organizations/admin/all",
        "/v1/events/admin/{event_id}",
        "/v1/events/admin/organization/{organization_id}",
        "/v1/events/admin/all",
        "/v1/session-analytics/admin/events/{event_id}",
        "/v1/session-analytics/admin/organizations/{organization_id}",
        "/v1/session-analytics/admin/organizations/{organization_id}/sessions",
    ):
        await admin.ok("GET", path.format(**ids))


async def test_internal_routes_are_unknown_outside_and_closed_to_users_inside(world) -> None:
    url = f"{PREFIX}/internal/v1/sessions/{uuid4()}/on-sale"
    borrowed = world.issuer.token(str(uuid4()), scope="internal-api")
    wrong_client = world.issuer.service_token("login-testing")
    no_scope = world.issuer.service_token("events-service", scope="profile")
    for token in (borrowed, wrong_client, no_scope):
        headers = {"Authorization": f"Bearer {token}"}
        assert (await world.client.patch(url, headers=headers)).status_code == 404
        assert (await world.internal.patch(url, headers=headers)).status_code == 403
    service = {"Authorization": f"Bearer {world.issuer.service_token('scheduler-service-client')}"}
    assert code(await world.internal.patch(url, headers=service)) == (404, "session-not-found")
    assert (await world.client.patch(url, headers=service)).status_code == 404


async def test_a_service_token_is_no_user_token(world) -> None:
    headers = {"Authorization": f"Bearer {world.issuer.service_token('events-service')}"}
    response = await world.client.get(f"{PREFIX}/v1/organizations/my", headers=headers)
    assert code(response) == (403, "audience-mismatch")


async def test_a_scanner_reads_sessions_until_removed(world) -> None:
    owner, scanner = world.person(), world.person()
    ids = await everything(world, owner)
    member = uuid4()
    await world.sql(
        "INSERT INTO organization_members (id, organization_id, user_id, email, name) "
        "VALUES ($1, $2, $3, 'a@b.c', 'Ann')",
        member,
        ids["organization_id"],
        scanner.subject,
    )
    await world.sql("INSERT INTO organization_member_roles (member_id, role) VALUES ($1, 'SCANNER')", member)
    path, staff = f"/v1/sessions/{ids['session_id']}", f"/v1/organizations/{ids['organization_id']}/staff"
    assert (await scanner.call("GET", path)).status_code == 200
    assert (await scanner.call("DELETE", path)).status_code == 403
    for spelling in ("isActive", "active"):
        off = await owner.ok("PATCH", f"{staff}/{scanner.subject}/status", {spelling: False})
        assert off["active"] is False
        assert (await scanner.call("GET", path)).status_code == 403
        on = await owner.ok("PATCH", f"{staff}/{scanner.subject}/status", {spelling: True})
        assert on["active"] is True
    assert await owner.ok("GET", staff) == [
        {
            "id": str(member),
            "userId": scanner.subject,
            "email": "a@b.c",
            "name": "Ann",
            "roles": ["SCANNER"],
            "active": True,
        }
    ]
    assert (await owner.call("DELETE", f"{staff}/{scanner.subject}")).status_code == 204
    assert (await owner.call("DELETE", f"{staff}/{scanner.subject}")).status_code == 404
    assert (await scanner.call("GET", path)).status_code == 403
