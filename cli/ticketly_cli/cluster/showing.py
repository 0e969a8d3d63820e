"""`status` of a platform in a cluster: once, continuously, or until it is ready."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final, NoReturn

from ticketly_cli.cluster import applying, operators, platforms, statuses
from ticketly_cli.cluster.connection import Api
from ticketly_cli.cluster.statuses import ClusterStatus
from ticketly_cli.errors import CliError
from ticketly_cli.printing import Terminal

_WATCH_SECONDS: Final = 1.0


def show(api: Api, name: str, shown: Terminal, *, check: bool, wait_seconds: float | None) -> ClusterStatus:
    """The status, after waiting for Ready if that is wanted. Raises CliError (1) when it is not ready in time."""
    found = platforms.find(api, name)
    if wait_seconds is not None:
        with shown.step(f"Waiting for {found['metadata']['name']} to be ready") as step:
            found = applying.until_ready(api, found, wait_seconds, step)
    operator = operators.find(api, platforms_in=found["metadata"]["namespace"])
    return ClusterStatus(found, operator, api.context, datetime.now(UTC), must_be_ready=check)


def watch(api: Api, name: str, shown: Terminal) -> NoReturn:
    """Show it until interrupted. An API server that is away for a while is said so, and asked again."""
    found = platforms.find(api, name)
    metadata = found["metadata"]
    with shown.board() as board:
        while True:
            board.show(statuses.board_rows(found, datetime.now(UTC)))
            time.sleep(_WATCH_SECONDS)
            try:
                found = platforms.find(api, metadata["name"])
            except CliError as error:
                board.say(error.message)
