"""Tokens: what is accepted, what is refused and how."""

import base64
import json
import time

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI

from ticketly_common import problems
from ticketly_common.auth import Access, Caller, Requires, public, undeclared_routes
from ticketly_common.problems import Problem
from ticketly_common.testing import TokenIssuer

ISSUER = TokenIssuer()


async def refusal(token: str | None, *, service: bool = False) -> tuple[int, str]:
    verifier = ISSUER.verifier()
    header = None if token is None else f"Bearer {token}"
    with pytest.raises(Problem) as caught:
        await (verifier.service(header) if service else verifier.user(header))
    return caught.value.status, caught.value.code


def unsigned(subject: str) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {"iss": ISSUER.issuer, "sub": subject, "aud": "ticketly-api", "exp": time.time() + 60}
    return f"{part({'alg': 'none', 'kid': 'test'})}.{part(claims)}."


async def test_a_good_token_yields_its_claims() -> None:
    token = ISSUER.token("u1", groups=["/Tiers/PRO"], roles=["event_admin"], email="a@b.test")
    caller = await ISSUER.verifier().user(f"bearer {token}")
    assert caller.subject == "u1"
    assert caller.client == "login-testing"
    assert caller.groups == {"/Tiers/PRO"}
    assert caller.roles == {"event_admin"}
    assert caller.email == "a@b.test"


async def test_what_is_no_valid_token_is_refused() -> None:
    good = ISSUER.token("u1")
    assert await refusal(None) == (401, "unauthenticated")
    assert await refusal("") == (401, "unauthenticated")
    assert await refusal("garbage") == (401, "token-invalid")
    assert await refusal(unsigned("u1")) == (401, "token-invalid")
    assert await refusal(good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")) == (401, "token-invalid")
    assert await refusal(TokenIssuer().token("u1")) == (401, "token-invalid")
    assert await refusal(ISSUER.token("u1", expires_in_seconds=-1)) == (401, "token-expired")
    assert await refusal(ISSUER.token("u1", expires_in_seconds=-60)) == (401, "token-expired")
    assert await refusal(ISSUER.token("u1", iss="http://other.test")) == (401, "token-invalid")
    assert await refusal(ISSUER.token("u1", nbf=time.time() + 60)) == (401, "token-invalid")
    assert await refusal(ISSUER.token("u1", audience="account")) == (403, "audience-mismatch")
    assert await refusal(ISSUER.sign({"iss": ISSUER.issuer, "sub": "u1", "exp": time.time() + 9}, key_id="other")) == (
        401,
        "token-invalid",
    )


async def test_the_scope_alone_opens_no_internal_route() -> None:
    assert await refusal(ISSUER.token("u1", scope="internal-api"), service=True) == (403, "forbidden")
    assert await refusal(ISSUER.service_token("login-testing"), service=True) == (403, "forbidden")
    assert await refusal(ISSUER.service_token(scope="profile"), service=True) == (403, "forbidden")
    caller = await ISSUER.verifier().service(f"Bearer {ISSUER.service_token()}")
    assert caller.client == "events-service"


async def test_a_cached_token_still_expires() -> None:
    clock = [time.time()]
    verifier = ISSUER.verifier()
    verifier._wall = lambda: clock[0]
    token = ISSUER.token("u1", expires_in_seconds=100)
    assert (await verifier.verify(token)).subject == "u1"
    assert verifier.cached(token) is not None
    clock[0] += 101
    assert verifier.cached(token) is None


async def test_withdrawn_keys_end_cached_tokens() -> None:
    verifier = ISSUER.verifier()
    token = ISSUER.token("u1")
    await verifier.verify(token)
    verifier.use_keys({"keys": [{**TokenIssuer().key_set()["keys"][0], "kid": "new"}]})
    assert verifier.cached(token) is None


async def test_routes_enforce_what_they_declare_and_silence_is_found() -> None:
    app = FastAPI()
    problems.install(app)
    app.state.verifier = ISSUER.verifier()

    @app.get("/open", dependencies=[Depends(public)])
    async def open_route() -> str:
        return "ok"

    admin = Depends(Requires(Access.ROLE, "event_admin"))

    @app.get("/admin")
    async def admin_route(caller: Caller = admin) -> str:
        return caller.subject

    @app.get("/forgotten")
    async def forgotten() -> str:
        return "oops"

    included = APIRouter(prefix="/more")

    @included.get("/hidden")
    async def hidden() -> str:
        return "oops"

    app.include_router(included)
    assert undeclared_routes(app) == ["GET /forgotten", "GET /more/hidden"]
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as http:
        refused = await http.get("/admin", headers={"authorization": f"Bearer {ISSUER.token('u1')}"})
        allowed = await http.get(
            "/admin", headers={"authorization": f"Bearer {ISSUER.token('u1', roles=['event_admin'])}"}
        )
        anonymous = await http.get("/admin")
    assert (refused.status_code, refused.json()["code"]) == (403, "role-required")
    assert (allowed.status_code, allowed.json()) == (200, "u1")
    assert anonymous.headers["www-authenticate"] == 'Bearer error="invalid_token"'
