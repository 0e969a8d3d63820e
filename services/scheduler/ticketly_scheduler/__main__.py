"""``python -m ticketly_scheduler``: serve both listeners until SIGTERM."""

from __future__ import annotations

import sys

from ticketly_common import serving, telemetry, tracing
from ticketly_common.settings import SettingsError, load
from ticketly_scheduler.app import create_app
from ticketly_scheduler.settings import Settings


def main() -> int:
    """Return the exit status: 0 after a stop that was asked for, 3 for a wrong environment."""
    try:
        settings = load(Settings)
    except SettingsError as error:
        sys.stderr.write(f"ticketly_scheduler: {error}\n")
        return 3
    telemetry.configure_logging(settings.log, service="scheduler")
    with tracing.exporting(settings.tracing, service="scheduler"):
        serving.run(create_app(settings), settings.listen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
