"""``python -m ticketly_event_command`` serves; ``python -m ticketly_event_command migrate`` migrates and exits."""

from __future__ import annotations

import sys

from ticketly_common import migrations, process
from ticketly_event_command.app import NAME, create_app
from ticketly_event_command.settings import Settings


def migrate(settings: Settings) -> int:
    """Apply the migrations that are pending; return the exit code."""
    return migrations.main(settings.postgres, "ticketly_event_command")


if __name__ == "__main__":
    sys.exit(process.main(NAME, Settings, create_app, migrate=migrate))
