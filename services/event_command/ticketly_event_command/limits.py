"""What each tier of a user allows. Limits are counted under a lock, in the transaction of their effect."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Tier(StrEnum):
    """Tiers from lowest to highest."""

    FREE = "FREE"
    PRO = "PRO"
    ENTERPRISE = "ENTERPRISE"


@dataclass(frozen=True, slots=True)
class Limits:
    """Most of each kind. Active events are the APPROVED ones: PENDING does not count."""

    organizations_per_user: int
    templates_per_organization: int
    active_events_per_organization: int
    sessions_per_event: int

    def to_wire(self) -> dict[str, int]:
        """Return the limit object of the contract."""
        return {
            "maxOrganizationsPerUser": self.organizations_per_user,
            "maxSeatingLayoutsPerOrg": self.templates_per_organization,
            "maxActiveEvents": self.active_events_per_organization,
            "maxSessionsPerEvent": self.sessions_per_event,
        }


LIMITS: Final[dict[Tier, Limits]] = {
    Tier.FREE: Limits(3, 5, 1, 5),
    Tier.PRO: Limits(10, 25, 10, 52),
    Tier.ENTERPRISE: Limits(100, 200, 1000, 200),
}
MOST_COVER_PHOTOS: Final = 5
MOST_COVER_PHOTO_BYTES: Final = 10 * 1024 * 1024
MOST_LOGO_BYTES: Final = 1024 * 1024
TEMPLATE_PAGE_SIZE: Final = 6
LAYOUT_GAP: Final = 25
"""Smallest x and y of a saved template."""


def tier_of(groups: Collection[str]) -> Tier:
    """Return the highest tier among full group paths such as ``/Tiers/PRO``; none means FREE."""
    held = [tier for tier in Tier if f"/Tiers/{tier}" in groups]
    return held[-1] if held else Tier.FREE


def platform_limits() -> dict[str, object]:
    """Return the members of ``/v1/config`` that are the same for everybody."""
    return {
        "organizationLimits": {"maxLogoSize": MOST_LOGO_BYTES},
        "eventLimits": {"maxCoverPhotos": MOST_COVER_PHOTOS, "maxCoverPhotoSize": MOST_COVER_PHOTO_BYTES},
        "seatingLayoutConfig": {"defaultPageSize": TEMPLATE_PAGE_SIZE, "defaultGap": LAYOUT_GAP},
    }
