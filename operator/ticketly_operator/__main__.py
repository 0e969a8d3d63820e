"""``python -m ticketly_operator``: run the operator."""

from __future__ import annotations

import sys

from ticketly_operator.main import main

if __name__ == "__main__":
    sys.exit(main())
