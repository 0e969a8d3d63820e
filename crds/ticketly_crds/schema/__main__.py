"""``python -m ticketly_crds.schema [definition | ticketlyplatform | conditions]`` prints the file of that name.

``definition`` is crds/ticketly_crds/ticketlyplatform.yaml, the other two are pages of docs/reference.
"""

from __future__ import annotations

import sys

from ticketly_crds import schema


def main(arguments: list[str]) -> int:
    """Print one file; return 2 for a name that is none."""
    name = arguments[0] if arguments else "definition"
    if len(arguments) > 1 or name not in schema.FILES:
        sys.stderr.write(f"give one of: {', '.join(schema.FILES)}\n")
        return 2
    sys.stdout.write(schema.FILES[name]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
