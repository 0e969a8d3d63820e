"""What of a status is worth a write by itself, and what merely moves while nothing happens. Pure."""

from __future__ import annotations

from typing import Any

from ticketly_crds.status import PlatformStatus

_MOVING_SLOT_FIELDS = frozenset({"retained_bytes", "confirmed_flush_lsn", "seconds_to_full"})


def essential(status: PlatformStatus) -> dict[str, Any]:
    """Return the status without log positions, retained bytes, projections and the lag's figures."""
    content = status.model_dump(by_alias=False)
    content.pop("lag")
    for connector in content["connectors"]:
        if connector["slot"] is not None:
            connector["slot"] = {
                key: value for key, value in connector["slot"].items() if key not in _MOVING_SLOT_FIELDS
            }
    return content
