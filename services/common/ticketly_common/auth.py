"""Access tokens: verification, the caller, and who may call which route.

``TokenVerifier`` checks RS256 signatures against the issuer's published keys. Keys are fetched in the background;
verified claims are cached by the token's digest until ``exp``, so the hot path costs one hash and one lookup.
Every route declares its ``Access``; ``undeclared_routes`` lists those that forgot (a test keeps it empty).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx2
import jwt
import structlog
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from ticketly_common.background import background
from ticketly_common.problems import Problem, unavailable
from ticketly_common.settings import Identity

_log = structlog.get_logger(__name__)
_REFRESH_SECONDS = 600.0
_UNKNOWN_KEY_REFETCH_SECONDS = 10.0
_CACHE_LIMIT = 50_000
_CLOCK_LEEWAY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Caller:
    """The verified claims of one token. ``expires_at`` is epoch seconds; ``groups`` are full paths."""

    subject: str
    client: str
    audience: frozenset[str]
    roles: frozenset[str]
    groups: frozenset[str]
    scopes: frozenset[str]
    email: str | None
    expires_at: float


def _challenge(code: str, detail: str) -> Problem:
    return Problem(401, code, detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def bearer(header: str | None) -> str:
    """Return the token of an ``Authorization`` header; raise 401 ``unauthenticated`` without one."""
    if header:
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
    raise _challenge("unauthenticated", "Sign in first.")


def caller_from(claims: Mapping[str, Any]) -> Caller:
    """Read a Keycloak access token's claims; raises 401 ``token-invalid`` without a subject."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise _challenge("token-invalid", "The token names no subject.")
    audience = claims.get("aud", ())
    roles = (claims.get("realm_access") or {}).get("roles", ())
    return Caller(
        subject=subject,
        client=str(claims.get("azp", "")),
        audience=frozenset([audience] if isinstance(audience, str) else audience),
        roles=frozenset(roles),
        groups=frozenset(claims.get("user_groups") or ()),
        scopes=frozenset(str(claims.get("scope", "")).split()),
        email=claims.get("email"),
        expires_at=float(claims["exp"]),
    )


class TokenVerifier:
    """Verifies tokens of one issuer. Use ``running()`` around the service's life to keep keys fresh."""

    def __init__(self, identity: Identity, *, wall: Callable[[], float] = time.time) -> None:
        self._identity = identity
        self._wall = wall
        self._keys: dict[str, jwt.PyJWK] = {}
        self._cache: dict[bytes, Caller] = {}
        self._fetching = asyncio.Lock()
        self._last_fetch = float("-inf")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[TokenVerifier]:
        """Fetch keys now and every ten minutes; a first failure is retried in the background."""
        async with background(self._refresh_forever(), name="signing-keys"):
            yield self

    def use_keys(self, key_set: Mapping[str, Any]) -> None:
        """Install a JWK set (as published by the issuer)."""
        keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(dict(key_set)).keys if key.key_id}
        if keys.keys() != self._keys.keys():
            self._cache.clear()
        self._keys = keys

    def cached(self, token: str) -> Caller | None:
        """Return the caller of a token seen before and not expired, without any waiting."""
        caller = self._cache.get(hashlib.sha256(token.encode("latin-1", "replace")).digest())
        return caller if caller is not None and caller.expires_at > self._wall() else None

    async def verify(self, token: str) -> Caller:
        """Return the caller.

        Raises Problem 401 (``token-invalid``, ``token-expired``) or 503 while no key could be fetched yet.
        """
        known = self.cached(token)
        if known is not None:
            return known
        key = await self._key_for(token)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self._identity.issuer,
                leeway=_CLOCK_LEEWAY_SECONDS,
                options={"verify_aud": False, "require": ["exp", "iss", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise _challenge("token-expired", "Your sign-in has expired.") from None
        except jwt.InvalidTokenError:
            raise _challenge("token-invalid", "The token is not valid.") from None
        caller = caller_from(claims)
        if caller.expires_at <= self._wall():
            raise _challenge("token-expired", "Your sign-in has expired.")
        self._remember(token, caller)
        return caller

    async def user(self, authorization: str | None) -> Caller:
        """Return the caller of a user token: the audience must be the platform's public one."""
        caller = await self.verify(bearer(authorization))
        if self._identity.audience not in caller.audience:
            raise Problem(403, "audience-mismatch", "This token was issued for another service.")
        return caller

    async def service(self, authorization: str | None) -> Caller:
        """Return the caller of a service token: internal audience, scope ``internal-api`` and a known client."""
        caller = await self.verify(bearer(authorization))
        if (
            self._identity.internal_audience not in caller.audience
            or "internal-api" not in caller.scopes
            or caller.client not in self._identity.service_clients
        ):
            raise Problem(403, "forbidden", "Only services of the platform may call this.")
        return caller

    def _remember(self, token: str, caller: Caller) -> None:
        if len(self._cache) >= _CACHE_LIMIT:
            now = self._wall()
            self._cache = {digest: known for digest, known in self._cache.items() if known.expires_at > now}
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
        self._cache[hashlib.sha256(token.encode("latin-1", "replace")).digest()] = caller

    async def _key_for(self, token: str) -> jwt.PyJWK:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise _challenge("token-invalid", "The token is not valid.") from None
        key_id = header.get("kid")
        if header.get("alg") != "RS256" or not isinstance(key_id, str):
            raise _challenge("token-invalid", "The token is not valid.")
        if key_id not in self._keys:
            await self._refetch()
        if not self._keys:
            raise unavailable("Sign-in cannot be checked at the moment.", retry_after_seconds=2)
        key = self._keys.get(key_id)
        if key is None:
            raise _challenge("token-invalid", "The token is not valid.")
        return key

    async def _refetch(self) -> None:
        """Fetch keys again, at a bounded rate: unknown key ids are free to invent for an attacker."""
        async with self._fetching:
            interval = _UNKNOWN_KEY_REFETCH_SECONDS if self._keys else 1.0
            if time.monotonic() - self._last_fetch < interval:
                return
            self._last_fetch = time.monotonic()
            try:
                async with httpx2.AsyncClient(timeout=5.0, trust_env=False) as client:
                    response = await client.get(self._identity.keys_url())
                    response.raise_for_status()
                    self.use_keys(response.json())
            except (httpx2.HTTPError, ValueError, jwt.PyJWTError) as error:
                _log.warning("signing keys not fetched", url=self._identity.keys_url(), error=repr(error))

    async def _refresh_forever(self) -> None:
        while True:
            await self._refetch()
            await asyncio.sleep(_REFRESH_SECONDS if self._keys else 1.0)


class Access(StrEnum):
    """Who may call a route (the words of contract 1.3). Ownership itself is decided by the handler."""

    PUBLIC = "public"
    USER = "user"
    OWNER = "owner"
    BUYER = "buyer"
    SCANNER = "scanner"
    ROLE = "role"
    SERVICE = "service"


@dataclass(frozen=True)
class Requires:
    """FastAPI dependency that declares and enforces a route's access; yields the Caller.

    ``app.state.verifier`` must hold the TokenVerifier. ``role`` is checked for ``Access.ROLE``.
    """

    access: Access
    role: str | None = None

    async def __call__(self, request: Request) -> Caller:
        """Verify the token; raises 401 or 403 problems."""
        verifier: TokenVerifier = request.app.state.verifier
        header = request.headers.get("authorization")
        if self.access is Access.SERVICE:
            return await verifier.service(header)
        caller = await verifier.user(header)
        if self.role is not None and self.role not in caller.roles:
            raise Problem(403, "role-required", f"This needs the role {self.role}.", extra={"role": self.role})
        return caller


async def public() -> None:
    """Declare a route as open to everybody: ``dependencies=[Depends(public)]``."""


def declared_access(route: RouteContext) -> Access | None:
    """Return what a route declares, or None when it declares nothing."""
    pending = [route.dependant]
    while pending:
        dependant = pending.pop()
        if dependant.call is public:
            return Access.PUBLIC
        if isinstance(dependant.call, Requires):
            return dependant.call.access
        pending.extend(dependant.dependencies)
    return None


def api_routes(app: FastAPI) -> list[RouteContext]:
    """Return every API route with its whole path, also those of included routers."""
    return [route for route in iter_route_contexts(app.routes) if isinstance(route.original_route, APIRoute)]


def undeclared_routes(app: FastAPI) -> list[str]:
    """Return ``METHOD path`` of each route without a declared access."""
    return [
        "/".join(sorted(route.methods or ())) + f" {route.path}"
        for route in api_routes(app)
        if declared_access(route) is None
    ]
