"""A connector's configuration as Connect stores it: passwords stay references that the workers resolve.

A slot that was lost is replaced by a new one and a full snapshot, a new *generation*. Log positions do not tell the
snapshot's rows from those before the gap, so from the second generation on every record carries its number in a header:
a consumer orders versions by (generation, position), and a row that a finished snapshot does not name was deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ticketly_crds.blueprint import Connector, SecretRef

GENERATION_HEADER: Final = "generation"
"""Header of a record, a decimal number; absent in the first generation."""

_TRANSFORM: Final = "generation"
_VALUE: Final = f"transforms.{_TRANSFORM}.value.literal"


def configuration(connector: Connector, secrets_path: str, generation: int = 1) -> dict[str, str]:
    """Return the configuration; ``secrets_path`` is where the workers have the Secrets mounted, a folder for each."""
    found = {key: _reference(value, secrets_path) for key, value in connector.config.items()}
    if generation > 1:
        found |= {
            "transforms": ",".join([*filter(None, [found.get("transforms")]), _TRANSFORM]),
            f"transforms.{_TRANSFORM}.type": "org.apache.kafka.connect.transforms.InsertHeader",
            f"transforms.{_TRANSFORM}.header": GENERATION_HEADER,
            _VALUE: str(generation),
        }
    return found


def generation_of(config: Mapping[str, str]) -> int:
    """Return the generation a stored configuration writes, 1 for one that says nothing."""
    text = config.get(_VALUE, "")
    return max(1, int(text)) if text.isascii() and text.isdigit() else 1


def _reference(value: str | SecretRef, secrets_path: str) -> str:
    if isinstance(value, SecretRef):
        return f"${{directory:{secrets_path}/{value.name}:{value.key}}}"
    return value
