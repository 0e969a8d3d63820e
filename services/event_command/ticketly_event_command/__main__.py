"""``python -m ticketly_event_command`` serves; ``python -m ticketly_event_command migrate`` migrates and exits."""

from __future__ import annotations

import sys

from ticketly_common import migrations, serving, tracing
from ticketly_common.settings import SettingsError, load
from ticketly_common.telemetry import configure_logging
from ticketly_event_command.app import NAME, create_app
from ticketly_event_command.settings import Settings


def main(arguments: list[str]) -> int:
    """Run one of the two modes; returns the exit code (2: wrong arguments or environment)."""
    if arguments not in ([], ["migrate"]):
        sys.stderr.write("usage: python -m ticketly_event_command [migrate]\n")
        return 2
    try:
        settings = load(Settings)
        configure_logging(settings.log, service=NAME)
        if arguments:
            return migrations.main(settings.postgres, "ticketly_event_command")
        with tracing.exporting(settings.tracing, service=NAME):
            serving.run(create_app(settings), settings.listen)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
