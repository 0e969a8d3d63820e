"""``python -m ticketly_event_query`` serves; ``… migrate`` makes the indexes and exits (there is no SQL here)."""

from __future__ import annotations

import sys

from ticketly_common import process
from ticketly_event_query.app import create_app
from ticketly_event_query.mongo import connection
from ticketly_event_query.settings import Settings


def migrate(settings: Settings) -> int:
    """Create the indexes that are missing; return the exit code."""
    return connection.main(settings.mongo)


if __name__ == "__main__":
    sys.exit(process.main("event-query", Settings, create_app, migrate=migrate))
