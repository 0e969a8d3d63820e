"""``python -m ticketly_email``: serve the internal listener until SIGTERM."""

from __future__ import annotations

import sys

from ticketly_common import serving, telemetry, tracing
from ticketly_common.settings import SettingsError, load
from ticketly_email.app import create_app
from ticketly_email.settings import Settings


def main() -> int:
    """Return the exit status: 0 after a stop that was asked for, 3 for a wrong environment."""
    try:
        settings = load(Settings)
    except SettingsError as error:
        sys.stderr.write(f"ticketly_email: {error}\n")
        return 3
    telemetry.configure_logging(settings.log, service="email")
    with tracing.exporting(settings.tracing, service="email"):
        serving.run(create_app(), settings.listen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
