"""``python -m ticketly_event_query`` serves; ``… migrate`` makes the indexes and exits (there is no SQL here)."""

from __future__ import annotations

import asyncio
import sys

from ticketly_common import serving, telemetry, tracing
from ticketly_common.settings import SettingsError, load
from ticketly_event_query.app import create_app
from ticketly_event_query.mongo import connection
from ticketly_event_query.settings import Settings


async def _migrate(settings: Settings) -> None:
    client, database = connection.connect(settings.mongo)
    try:
        await connection.create_indexes(database)
    finally:
        client.close()


def main() -> int:
    """Return the exit code: 0, or 2 when the settings or the arguments are wrong."""
    try:
        settings = load(Settings)
    except SettingsError as error:
        sys.stderr.write(f"event-query: {error}\n")
        return 2
    telemetry.configure_logging(settings.log, service="event-query")
    match sys.argv[1:]:
        case []:
            with tracing.exporting(settings.tracing, service="event-query"):
                serving.run(create_app(settings), settings.listen)
        case ["migrate"]:
            asyncio.run(_migrate(settings))
        case _:
            sys.stderr.write("usage: python -m ticketly_event_query [migrate]\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
