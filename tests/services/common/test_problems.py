"""The error shape of contract 0.4."""

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from ticketly_common import problems
from ticketly_common.asgi import public_listener
from ticketly_common.problems import Problem, field_path
from ticketly_common.settings import Cors


class Body(BaseModel):
    title: str
    sessions: list[dict[str, int]]


def client() -> httpx2.AsyncClient:
    app = FastAPI()
    problems.install(app)

    @app.post("/things")
    async def create(body: Body, number: int = 0) -> dict[str, str]:
        if body.title == "taken":
            raise problems.conflict("name-taken", "Taken.", names=["a"])
        if body.title == "bug":
            raise RuntimeError("secret internals")
        return {"title": body.title}

    wrapped = public_listener(app, cors=Cors(origins=("http://localhost:8090",)), max_body_bytes=1000)
    transport = httpx2.ASGITransport(app=wrapped, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


async def test_a_problem_carries_the_standard_and_the_older_members() -> None:
    async with client() as http:
        answer = await http.post("/things", json={"title": "taken", "sessions": []})
    body = answer.json()
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["type"] == "urn:ticketly:problem:name-taken"
    assert body["message"] == body["detail"] == "Taken."
    assert (body["status"], body["error"], body["path"], body["names"]) == (409, "Conflict", "/things", ["a"])
    assert body["instance"] == "urn:uuid:" + answer.headers["x-request-id"]
    assert body["errors"] == {}
    assert body["timestamp"].endswith("Z")


async def test_validation_faults_are_422_and_all_named_by_path() -> None:
    async with client() as http:
        answer = await http.post("/things", json={"sessions": [{"a": "x"}]})
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == {"title", "sessions[0].a"}


@pytest.mark.parametrize(("content", "query"), [(b"{", ""), (b'{"title":"x","sessions":[]}', "?number=x")])
async def test_what_cannot_be_read_is_400(content: bytes, query: str) -> None:
    async with client() as http:
        answer = await http.post("/things" + query, content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-request")


async def test_a_bug_answers_500_without_internals() -> None:
    async with client() as http:
        answer = await http.post("/things", json={"title": "bug", "sessions": []})
    assert answer.status_code == 500
    assert "secret" not in answer.text


async def test_a_body_over_the_limit_is_413_by_length_and_by_arrival() -> None:
    async def chunks():
        for _ in range(20):
            yield b"x" * 100

    async with client() as http:
        declared = await http.post("/things", content=b"x" * 2000)
        streamed = await http.post("/things", content=chunks())
    assert [declared.status_code, streamed.status_code] == [413, 413]
    assert declared.json()["code"] == streamed.json()["code"] == "payload-too-large"


async def test_unknown_routes_and_methods_have_the_same_shape_and_slashes_do_not_matter() -> None:
    async with client() as http:
        missing = await http.get("/nothing")
        method = await http.get("/things")
        slash = await http.post("/things/", json={"title": "a", "sessions": []})
    assert (missing.status_code, missing.json()["code"]) == (404, "route-not-found")
    assert (method.status_code, method.json()["code"]) == (405, "method-not-allowed")
    assert slash.status_code == 200


async def test_cors_exposes_the_headers_clients_need_also_on_errors() -> None:
    async with client() as http:
        preflight = await http.options(
            "/things",
            headers={
                "origin": "http://localhost:8090",
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,x-own",
            },
        )
        answer = await http.get("/nothing", headers={"origin": "http://localhost:8090"})
        foreign = await http.get("/nothing", headers={"origin": "http://evil.test"})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-max-age"] == "3600"
    assert "x-own" in preflight.headers["access-control-allow-headers"]
    assert "X-Total-Count" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in foreign.headers


async def test_a_request_id_is_kept_when_it_is_a_uuid_and_replaced_otherwise() -> None:
    known = "6f0e1f2a-5d3c-4a51-9d4e-0a6c1d0f7b11"
    async with client() as http:
        kept = await http.get("/nothing", headers={"x-request-id": known})
        replaced = await http.get("/nothing", headers={"x-request-id": "<script>"})
    assert kept.headers["x-request-id"] == known
    assert len(replaced.headers["x-request-id"]) == 36


def test_field_paths_read_like_the_request() -> None:
    assert field_path(("sessions", 0, "startTime")) == "sessions[0].startTime"


def test_a_problem_is_readable_in_a_log() -> None:
    assert str(Problem(409, "name-taken", "Taken.")) == "409 name-taken: Taken."
