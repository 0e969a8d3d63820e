"""Images: who sees them, for how long, and under which names."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from .conftest import code, event_request

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 " + b"0" * 8


def photo(content: bytes = PNG):
    return ("file", ("a.bin", content, "application/octet-stream"))


async def test_a_cover_photo_is_found_by_the_id_in_its_address(world) -> None:
    owner = world.person()
    organization = await owner.organization()
    files = [
        ("request", (None, json.dumps(event_request(organization["id"])))),
        ("coverImages", ("one.png", PNG, "image/png")),
        ("coverImages", ("two.webp", WEBP, "image/webp")),
    ]
    event = await owner.ok("POST", "/v1/events", files=files)
    detail = await owner.detail(event["id"])
    first, second = detail["coverPhotos"]
    assert [item["url"] for item in detail["coverPhotoItems"]] == [first, second]
    parts = urlsplit(first)
    assert "/" not in parts.query
    assert parts.path.rpartition("/")[2] == f"{detail['coverPhotoItems'][0]['id']}.png"
    shown = await world.client.get(first)
    assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
    assert (await world.client.get(second)).headers["content-type"] == "image/webp"
    photo_id = parts.path.rpartition("/")[2].removesuffix(".png")
    gone = await owner.call("DELETE", f"/v1/events/{event['id']}/update/cover-photos/{photo_id}")
    assert (gone.status_code, gone.json()["version"]) == (200, 2)
    assert (await world.client.get(first)).status_code == 404
    assert (await owner.call("DELETE", f"/v1/events/{event['id']}/update/cover-photos/{photo_id}")).status_code == 404


async def test_a_photo_is_private_until_approval_and_a_signature_lasts_an_hour(world) -> None:
    owner = world.person()
    event = await owner.event()
    await owner.ok("POST", f"/v1/events/{event['id']}/update/cover-photos", files=[photo()])
    signed = (await owner.detail(event["id"]))["coverPhotos"][0]
    plain = signed.partition("?")[0]
    stored = await world.sql("SELECT photo_url FROM event_cover_photos WHERE event_id = $1", event["id"])
    assert stored[0]["photo_url"] == plain
    assert (await world.client.get(plain)).status_code == 404
    assert (await world.client.get(signed)).status_code == 200
    assert (await world.client.get(signed[:-1] + ("0" if signed[-1] != "0" else "1"))).status_code == 404
    world.clock.ahead = timedelta(minutes=61)
    assert (await world.client.get(signed)).status_code == 404
    world.clock.ahead = timedelta()
    await world.admin().ok("POST", f"/v1/events/{event['id']}/approve")
    shown = await world.client.get(plain)
    assert (shown.content, shown.headers["cache-control"]) == (PNG, "public, max-age=3600")


async def test_an_event_has_at_most_five_photos(world) -> None:
    owner = world.person()
    event = await owner.event()
    path = f"/v1/events/{event['id']}/update/cover-photos"
    for _ in range(5):
        await owner.ok("POST", path, files=[photo()])
    assert code(await owner.call("POST", path, files=[photo()])) == (409, "limit-reached")
    assert len(list(world.parts.objects._directory.glob("cover-photos/*"))) == 5


async def test_a_logo_is_replaced_and_removed(world) -> None:
    owner = world.person()
    organization = await owner.organization()
    path = f"/v1/organizations/{organization['id']}/logo"
    first = (await owner.ok("POST", path, files=[photo()]))["logoUrl"]
    assert (await world.client.get(first)).content == PNG
    assert (await world.client.get(first.partition("?")[0])).status_code == 404
    second = (await owner.ok("POST", path, files=[photo(WEBP)]))["logoUrl"]
    assert (await world.client.get(first)).status_code == 404
    event = await owner.event(organization["id"])
    await world.admin().ok("POST", f"/v1/events/{event['id']}/approve")
    assert (await world.client.get(second.partition("?")[0])).content == WEBP
    assert (await owner.call("DELETE", path)).status_code == 204
    assert (await owner.ok("GET", f"/v1/organizations/{organization['id']}"))["logoUrl"] is None


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"", (415, "unsupported-media-type")),
        (b"<svg/>", (415, "unsupported-media-type")),
        (PNG + b"0" * 1024 * 1024, (413, "payload-too-large")),
    ],
)
async def test_a_logo_that_is_no_small_image_is_refused(world, content: bytes, answer) -> None:
    owner = world.person()
    organization = await owner.organization()
    response = await owner.call("POST", f"/v1/organizations/{organization['id']}/logo", files=[photo(content)])
    assert code(response) == answer


async def test_a_form_without_the_file_is_a_fault(world) -> None:
    owner = world.person()
    organization = await owner.organization()
    response = await owner.call("POST", f"/v1/organizations/{organization['id']}/logo", files=[("other", (None, "x"))])
    assert list(response.json()["errors"]) == ["file"]


@pytest.mark.parametrize("path", ["..%2f..%2fetc/passwd", "logos/..%2fx.png", "covers/a.png", "logos/a.png?expires=²"])
async def test_other_names_are_no_files(world, path: str) -> None:
    assert (await world.client.get(f"/api/event-seating/v1/files/{path}")).status_code == 404
