"""Every written file by its path in the repository."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ticketly_lab.packaging import chart, compose, permissions
from ticketly_lab.packaging.documents import documents
from ticketly_operator.desired.installation import Installation, manifests

PLAIN = "operator/install/ticketly-operator.yaml"
CHART = "operator/chart"
COMPOSE = "compose"
GUIDE = "docs/install.md"
_BEGIN = "<!-- permissions: written by python -m ticketly_lab.packaging -->\n"
_END = "<!-- end of permissions -->\n"
_HEAD = """\
# The Ticketly operator for a whole cluster: kubectl apply --server-side -f ticketly-operator.yaml
# Written by python -m ticketly_lab.packaging. Change the image to where yours is, see docs/install.md.
"""


def artefacts(definition: Mapping[str, Any], guide: str) -> dict[str, str]:
    """`definition` is the CustomResourceDefinition, `guide` the page as it is, whose table is replaced.

    Raises ValueError when the page has no place for the table.
    """
    return {
        PLAIN: _HEAD + documents([definition, *manifests(Installation())]),
        **{f"{CHART}/{path}": text for path, text in chart.files(definition).items()},
        **compose.files(),
        GUIDE: _with_table(guide),
    }


def _with_table(guide: str) -> str:
    before, begins, rest = guide.partition(_BEGIN)
    _, ends, after = rest.partition(_END)
    if not begins or not ends:
        raise ValueError(f"{GUIDE} lacks the lines {_BEGIN.strip()} and {_END.strip()}")
    return f"{before}{_BEGIN}\n{permissions.table()}\n{_END}{after}"
