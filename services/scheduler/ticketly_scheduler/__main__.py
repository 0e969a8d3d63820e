"""``python -m ticketly_scheduler``: serve both listeners until SIGTERM."""

from __future__ import annotations

import sys

from ticketly_common import process
from ticketly_scheduler.app import create_app
from ticketly_scheduler.settings import Settings

if __name__ == "__main__":
    sys.exit(process.main("scheduler", Settings, create_app))
