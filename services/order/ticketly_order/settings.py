"""Settings of the order service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from ticketly_common.settings import Cors, Group, Kafka, Platform, Postgres, Redis, ServiceSettings


class Holds(Group):
    """How long and how much a buyer may hold.

    ``ttl_seconds`` is the life of a new hold. Opening a payment extends it once by ``payment_extension_seconds``.
    0 means "no limit" for the two limits; members of the realm group ``exempt_group`` (full path) have none.
    """

    ttl_seconds: float = Field(default=300, gt=0, le=86_400)
    payment_extension_seconds: float = Field(default=300, ge=0, le=86_400)
    max_seats_per_order: int = Field(default=10, ge=0)
    max_open_orders_per_user: int = Field(default=3, ge=0)
    exempt_group: str = ""


class Compat(Group):
    """Switches for old clients. ``lost_seat_status_by_client`` reads ``client=400,other=400``."""

    lost_seat_status_by_client: Annotated[dict[str, int], NoDecode] = Field(default_factory=dict)

    @field_validator("lost_seat_status_by_client", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.strip() for part in value.split(",") if part.strip()]
        found: dict[str, int] = {}
        for pair in pairs:
            client, _, status = pair.rpartition("=")
            if not client or status not in {"400", "409"}:
                msg = f"expected <client>=400 or <client>=409, got {pair!r}"
                raise ValueError(msg)
            found[client] = int(status)
        return found


class Settings(ServiceSettings):
    """Everything ``create_app`` needs."""

    postgres: Postgres
    kafka: Kafka
    redis: Redis = Redis()
    holds: Holds = Holds()
    compat: Compat = Compat()
    cors: Cors = Cors()
    platform: Platform = Platform()
