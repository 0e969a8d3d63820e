"""`ticketly token`: an access token for a test user."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly token`."""
    app.command("token")(token)


def token(
    user: Annotated[str, typer.Argument(help="admin, user or test, or a whole user name.")],
    client: Annotated[str, typer.Option("--client", help="Client of the local realm.")] = "login-testing",
    scope: Annotated[str, typer.Option("--scope", help="Optional scopes to ask for.")] = "",
) -> Result:
    """Print an access token of the local realm.

    Example:

      curl -H "Authorization: Bearer $(ticketly token test)" http://127.0.0.1:8088/api/order
    """
    from ticketly_cli.local import state, tokens

    return tokens.access_token(state.load(), user, client, scope)
