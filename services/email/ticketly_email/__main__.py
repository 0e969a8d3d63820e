"""``python -m ticketly_email``: serve the internal listener until SIGTERM."""

from __future__ import annotations

import sys

from ticketly_common import process
from ticketly_email.app import create_app
from ticketly_email.settings import Settings

if __name__ == "__main__":
    sys.exit(process.main("email", Settings, lambda _: create_app()))
