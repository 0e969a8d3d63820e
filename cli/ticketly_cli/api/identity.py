"""Tokens of users, and the load buyers in the local realm.

Buyers are `buyer-0001@ticketly.test` and so on, members of the group /Load/Buyers (exempt from purchase limits on a
local platform). They are created once and reused. Their password is derived from the identity provider's
administrator password, so it is as secret, stays the same for the life of a platform and needs no file.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from ticketly_cli.api.transport import Api, ApiError
from ticketly_cli.errors import CliError, ExitCode

REALM = "event-ticketing"
LOGIN_CLIENT = "login-testing"
BUYERS_GROUP = "Buyers"
BUYERS_PARENT_GROUP = "Load"
RENEW_SECONDS_BEFORE_END = 30.0
LOGINS_AT_ONCE = 4
"""The identity provider hashes a password per login; more at once only makes each slower."""
IMPORT_CHUNK = 25
_GROUP_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. `valid_until` is of time.monotonic()."""

    value: str = field(repr=False)
    subject: str
    valid_until: float


@dataclass(frozen=True, slots=True)
class Buyer:
    """A load user with a token. `valid_until` is of time.monotonic()."""

    name: str
    user_id: str
    token: str = field(repr=False)
    valid_until: float


def buyer_name(number: int) -> str:
    """User name (and e-mail address) of buyer `number`, counted from 1."""
    return f"buyer-{number:04d}@ticketly.test"


def buyers_password(administrator_password: str) -> str:
    """The password all load buyers of one platform share."""
    digest = hmac.new(administrator_password.encode(), b"ticketly load buyers", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class Login:
    """A user of the realm; renews the token shortly before it ends."""

    def __init__(self, client: httpx2.AsyncClient, token_url: str, username: str, password: str) -> None:
        self._client = client
        self._token_url = token_url
        self.username = username
        self._password = password
        self._current: Token | None = None
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """A token that lasts at least `RENEW_SECONDS_BEFORE_END` more. Raises CliError."""
        return (await self.current()).value

    async def current(self) -> Token:
        """The token with its subject."""
        async with self._lock:
            current = self._current
            if current is None or current.valid_until - time.monotonic() < RENEW_SECONDS_BEFORE_END:
                form = {
                    "grant_type": "password",
                    "client_id": LOGIN_CLIENT,
                    "username": self.username,
                    "password": self._password,
                }
                current = await _fetch_token(self._client, self._token_url, form, f"Logging in {self.username}")
                self._current = current
            return current


class LoadUsers:
    """Creates and logs in the load buyers through the identity provider's admin API."""

    def __init__(
        self, client: httpx2.AsyncClient, keycloak_url: str, token_url: str, administrator: str, password: str
    ) -> None:
        self._client = client
        self._token_url = token_url
        self._password = buyers_password(password)
        master = f"{keycloak_url.rstrip('/')}/realms/master/protocol/openid-connect/token"
        form = {"grant_type": "password", "client_id": "admin-cli", "username": administrator, "password": password}
        self._admin_token: Token | None = None

        async def admin_token() -> str:
            current = self._admin_token
            if current is None or current.valid_until - time.monotonic() < RENEW_SECONDS_BEFORE_END / 2:
                current = await _fetch_token(client, master, form, "Logging in the identity administrator")
                self._admin_token = current
            return current.value

        self._admin = Api(client, f"{keycloak_url.rstrip('/')}/admin/realms/{REALM}", admin_token)

    async def ensure(self, count: int, made: Callable[[int], None]) -> list[str]:
        """Make buyers 1..count exist; returns the names of the new ones. `made` is told the steps."""
        group = await self._group_id()
        members = await self._admin.get(
            f"/groups/{group}/members", "Listing the load buyers", {"max": _GROUP_PAGE, "briefRepresentation": "true"}
        )
        existing = {member["username"] for member in members}
        wanted = [buyer_name(number) for number in range(1, count + 1)]
        missing = [name for name in wanted if name not in existing]
        made(count - len(missing))
        for start in range(0, len(missing), IMPORT_CHUNK):
            chunk = missing[start : start + IMPORT_CHUNK]
            body = {"ifResourceExists": "SKIP", "users": [self._representation(name) for name in chunk]}
            await self._admin.call("POST", "/partialImport", "Creating load buyers", body=body)
            made(len(chunk))
        return missing

    async def log_in(self, count: int, done: Callable[[int], None]) -> list[Buyer]:
        """Tokens for buyers 1..count, in order. Raises CliError when one cannot log in."""
        gate = asyncio.Semaphore(LOGINS_AT_ONCE)

        async def one(name: str) -> Buyer:
            async with gate:
                try:
                    token = await Login(self._client, self._token_url, name, self._password).current()
                except ApiError as error:
                    if error.status not in (400, 401):
                        raise
                    await self._repair(name)
                    token = await Login(self._client, self._token_url, name, self._password).current()
            done(1)
            return Buyer(name, token.subject, token.value, token.valid_until)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(buyer_name(number))) for number in range(1, count + 1)]
        return [task.result() for task in tasks]

    async def remove(self, names: Sequence[str]) -> int:
        """Delete these load buyers; returns how many existed."""
        removed = 0
        for name in names:
            for user in await self._admin.get("/users", "Finding a buyer", {"username": name, "exact": "true"}):
                await self._admin.call("DELETE", f"/users/{user['id']}", "Deleting a buyer")
                removed += 1
        return removed

    async def _repair(self, name: str) -> None:
        """A buyer that exists with another password or half filled in (made by hand): set it right."""
        for user in await self._admin.get("/users", "Finding a buyer", {"username": name, "exact": "true"}):
            await self._admin.call("DELETE", f"/users/{user['id']}", "Replacing a buyer")
        body = {"ifResourceExists": "SKIP", "users": [self._representation(name)]}
        await self._admin.call("POST", "/partialImport", "Replacing a buyer", body=body)

    async def _group_id(self) -> str:
        """The id of /Load/Buyers; makes the group when it is missing."""
        parent = await self._find_group(f"/{BUYERS_PARENT_GROUP}")
        if parent is None:
            await self._admin.post("/groups", "Creating the load group", {"name": BUYERS_PARENT_GROUP})
            parent = await self._find_group(f"/{BUYERS_PARENT_GROUP}")
        path = f"/{BUYERS_PARENT_GROUP}/{BUYERS_GROUP}"
        group = await self._find_group(path)
        if group is None and parent is not None:
            await self._admin.post(f"/groups/{parent}/children", "Creating the buyers' group", {"name": BUYERS_GROUP})
            group = await self._find_group(path)
        if group is None:
            raise CliError(f"The identity provider has no group {path}.", "Check `ticketly status`.")
        return group

    async def _find_group(self, path: str) -> str | None:
        try:
            found = await self._admin.get(f"/group-by-path{path}", "Finding the load group")
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return str(found["id"])

    def _representation(self, name: str) -> dict[str, Any]:
        number = name.partition("@")[0].rpartition("-")[2]
        return {
            "username": name,
            "email": name,
            "emailVerified": True,
            "enabled": True,
            "firstName": "Buyer",
            "lastName": number,
            "groups": [f"/{BUYERS_PARENT_GROUP}/{BUYERS_GROUP}"],
            "credentials": [{"type": "password", "value": self._password, "temporary": False}],
        }


async def _fetch_token(client: httpx2.AsyncClient, url: str, form: dict[str, str], what: str) -> Token:
    asked_at = time.monotonic()
    try:
        answer = await client.post(url, data=form)
    except httpx2.TransportError as error:
        raise CliError(
            f"{what} failed: the identity provider cannot be reached ({type(error).__name__}).",
            "Check `ticketly status`.",
            ExitCode.UNREACHABLE,
        ) from error
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if answer.status_code != 200 or not isinstance(body, dict) or "access_token" not in body:
        code = str(body.get("error", "")) if isinstance(body, dict) else ""
        description = str(body.get("error_description", "no token")) if isinstance(body, dict) else "no token"
        raise ApiError(what, answer.status_code, code, description)
    value = str(body["access_token"])
    return Token(value, _subject(value), asked_at + float(body.get("expires_in", 60)))


def _subject(token: str) -> str:
    """The `sub` claim, read without checking the signature: it is our own token, straight from its issuer."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims.get("sub", ""))
    except (IndexError, ValueError):
        return ""
