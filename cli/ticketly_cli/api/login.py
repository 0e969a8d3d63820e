"""The public API as one of the test users of the local platform."""

from __future__ import annotations

import httpx2

from ticketly_cli.api.identity import Login
from ticketly_cli.api.transport import Api
from ticketly_cli.errors import CliError
from ticketly_cli.local.state import PlatformState

ORGANIZER = "test@ticketly.test"
ADMINISTRATOR = "admin@ticketly.test"


def api_as(client: httpx2.AsyncClient, platform: PlatformState, username: str) -> Api:
    """Calls through the front door as that user. Raises CliError when the platform has no such user."""
    user = platform.users.get(username)
    if user is None:
        raise CliError(f"This platform has no user {username}.", "Run `ticketly up` to make the test users.")
    login = Login(client, platform.token_url, user.username, user.password)
    return Api(client, platform.front_door_url, login.token)
