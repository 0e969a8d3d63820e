"""``python -m ticketly_order`` serves; ``python -m ticketly_order migrate`` applies migrations and exits."""

from __future__ import annotations

import sys

from ticketly_common import migrations, process
from ticketly_order.app import create_app
from ticketly_order.settings import Settings


def migrate(settings: Settings) -> int:
    """Apply the migrations that are pending; return the exit code."""
    return migrations.main(settings.postgres, "ticketly_order")


if __name__ == "__main__":
    sys.exit(process.main("order", Settings, create_app, migrate=migrate))
