"""``python -m ticketly_crds.schema > crds/ticketly_crds/ticketlyplatform.yaml``."""

from __future__ import annotations

import sys

from ticketly_crds import schema

if __name__ == "__main__":
    sys.stdout.write(schema.text())
