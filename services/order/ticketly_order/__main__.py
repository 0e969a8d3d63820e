"""``python -m ticketly_order`` serves; ``python -m ticketly_order migrate`` applies migrations and exits."""

from __future__ import annotations

import argparse
import sys

from ticketly_common import migrations, tracing
from ticketly_common.serving import run
from ticketly_common.settings import SettingsError, load
from ticketly_common.telemetry import configure_logging
from ticketly_order.app import create_app
from ticketly_order.settings import Settings


def main() -> int:
    """Return the exit code: 0 done, 1 migrations failed, 2 settings incomplete."""
    parser = argparse.ArgumentParser(prog="ticketly_order", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["serve", "migrate"], default="serve")
    command = parser.parse_args().command
    try:
        settings = load(Settings)
    except SettingsError as error:
        sys.stderr.write(f"order: {error}\n")
        return 2
    configure_logging(settings.log, service="order")
    if command == "migrate":
        return migrations.main(settings.postgres, "ticketly_order")
    with tracing.exporting(settings.tracing, service="order"):
        run(create_app(settings), settings.listen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
