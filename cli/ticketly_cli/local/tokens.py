"""Access tokens of the local realm by password grant. Only the local realm has clients that allow this."""

from __future__ import annotations

import httpx2

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local.state import PlatformState
from ticketly_cli.local.views import AccessToken

_DOMAIN = "@ticketly.test"
_TIMEOUT_SECONDS = 10.0


def access_token(platform: PlatformState, user: str, client: str, scope: str = "") -> AccessToken:
    """A token of a test user; `user` may leave out the domain. Raises CliError for an unknown user or a refusal."""
    name = user if "@" in user else user + _DOMAIN
    login = platform.users.get(name)
    if login is None:
        raise CliError(
            f"There is no test user {name}.", f"There are: {', '.join(platform.users)}.", ExitCode.BAD_ARGUMENTS
        )
    form = {"grant_type": "password", "client_id": client, "username": name, "password": login.password}
    if scope:
        form["scope"] = scope
    try:
        answer = httpx2.post(platform.token_url, data=form, timeout=_TIMEOUT_SECONDS)
    except httpx2.HTTPError as error:
        raise CliError(
            f"Keycloak does not answer at {platform.keycloak_url}.", "See `ticketly status`.", ExitCode.UNREACHABLE
        ) from error
    body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    if answer.status_code != httpx2.codes.OK:
        reason = body.get("error_description") or body.get("error") or f"status {answer.status_code}"
        raise CliError(f"Keycloak refuses a token for {name} and client {client}: {reason}.")
    return AccessToken(body["access_token"], int(body["expires_in"]), name, client)
