"""`ticketly race`: many buyers, the same seats, a proved verdict."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result

HOLD_TTL_SECONDS = 300.0
"""The platform's default; an answer that states its own deadline is taken by its word."""

MAX_BUYERS = 5000
MAX_SEATS = 5000
MAX_BASKET = 10


def register(app: typer.Typer) -> None:
    """Add `ticketly race`."""
    app.command("race")(race)


def race(
    buyers: Annotated[int, typer.Option("--buyers", min=1, max=MAX_BUYERS, help="How many users fight.")] = 100,
    seats: Annotated[int, typer.Option("--seats", min=1, max=MAX_SEATS, help="How many seats there are.")] = 16,
    basket: Annotated[
        int, typer.Option("--basket", min=1, max=MAX_BASKET, help="Seats per attempt; above 1 the baskets overlap.")
    ] = 1,
    chaos: Annotated[
        list[str] | None,
        typer.Option(
            "--chaos",
            metavar="FAULT",
            help="A fault meanwhile (repeatable): redis-flush, redis-stop, kafka-stop, order-pause, order-kill.",
        ),
    ] = None,
    target: Annotated[
        str, typer.Option("--target", metavar="URL", help="Where the claims go; default: the platform's front door.")
    ] = "",
    seed: Annotated[int | None, typer.Option("--seed", help="Repeat the plan of an earlier race.")] = None,
    history: Annotated[
        Path | None, typer.Option("--history", help="Where to write the history; default: ./race-history-<time>.jsonl.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave orders and event as they are.")] = False,
    timeout_seconds: Annotated[
        float, typer.Option("--timeout", min=0.1, max=120.0, help="Seconds after which an answer counts as missing.")
    ] = 10.0,
) -> Result:
    """Let many buyers fight for the same seats, then prove what happened.

    The race makes an event and users of its own. With baskets of one, all buyers want the same seat at the same
    moment, seat after seat; with larger baskets everybody wants overlapping random baskets, while half of the open
    orders are given back in the same moment. Every request is written to the history, which is then checked by
    itself and against the order database. Unpaid orders are cancelled and the event is deleted afterwards.

    \b
    Examples:
      ticketly race
      ticketly race --buyers 100 --seats 16 -o json
      ticketly race --basket 4 --chaos redis-flush --chaos order-pause
      ticketly race --target http://127.0.0.1:8084      straight to the order service
    """
    import uvloop

    from ticketly_cli.local import state
    from ticketly_cli.race.field import RaceOptions
    from ticketly_cli.race.run import run_race

    if basket > seats:
        raise CliError(
            f"A basket of {basket} cannot be filled from {seats} seats.",
            "Choose --basket not larger than --seats.",
            ExitCode.BAD_ARGUMENTS,
        )
    platform = state.load()
    path = history or Path(f"race-history-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl")
    try:
        path.touch()
    except OSError as error:
        raise CliError(
            f"The history cannot be written to {path}: {error.strerror}.", "Choose another --history."
        ) from error
    options = RaceOptions(
        buyers=buyers,
        seats=seats,
        basket=basket,
        seed=secrets.randbelow(1_000_000) if seed is None else seed,
        target=target,
        history=path,
        keep=keep,
        chaos=tuple(chaos or ()),
        timeout_seconds=timeout_seconds,
        hold_ttl_seconds=HOLD_TTL_SECONDS,
    )
    return uvloop.run(run_race(options, platform, terminal()))
