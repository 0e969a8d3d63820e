"""Sections of ``.spec`` about how the services run and what they allow: scaling, limits, sales, compatibility."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from ticketly_crds.quantities import Instant, Quantity, parse_quantity
from ticketly_crds.sections import Section, ServiceKey, UrlKey

Replicas = Annotated[int, Field(ge=1, le=100)]
Percent = Annotated[int, Field(ge=1, le=1000)]


class ScalePolicy(Section):
    """At most ``value`` pods or percent of the present pods per period."""

    type: Literal["Percent", "Pods"]
    value: int = Field(ge=1, le=1000)
    period_seconds: int = Field(ge=1, le=1800)


class ScaleUp(Section):
    """At once by default: a sale's first minute decides."""

    stabilization_seconds: int = Field(default=0, ge=0, le=3600)
    policies: tuple[ScalePolicy, ...] = Field(
        default=(ScalePolicy(type="Percent", value=100, period_seconds=15),), min_length=1, max_length=8
    )


class ScaleDown(Section):
    """Slowly by default: pods that just became warm are worth keeping."""

    stabilization_seconds: int = Field(default=300, ge=0, le=3600)
    policies: tuple[ScalePolicy, ...] = Field(
        default=(ScalePolicy(type="Percent", value=100, period_seconds=15),), min_length=1, max_length=8
    )


class Autoscaling(Section):
    """Pod count bounds and the load, in percent of the requested resources, that adds pods."""

    min: Replicas = 1
    max: Replicas = 3
    cpu: Percent = 70
    memory: Percent | None = None
    scale_up: ScaleUp = ScaleUp()
    scale_down: ScaleDown = ScaleDown()

    @field_validator("max")
    @classmethod
    def _not_below_min(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("min")
        if least is not None and value < least:
            raise ValueError(f"must be >= min ({least})")
        return value


class EventCommandAutoscaling(Autoscaling):
    """Organizers are few."""

    max: Replicas = 2


class EventQueryAutoscaling(Autoscaling):
    """Readers are many and come at once."""

    max: Replicas = 10


class OrderAutoscaling(Autoscaling):
    """Two pods at least, so that a lost node does not stop sales."""

    min: Replicas = 2
    max: Replicas = 15
    memory: Percent | None = 80


class ResourceAmounts(Section):
    """CPU in cores, memory in bytes, as Kubernetes quantities."""

    cpu: Quantity | None = None
    memory: Quantity | None = None


class Requests(ResourceAmounts):
    """What a pod is promised; autoscaling percentages refer to it."""

    cpu: Quantity | None = "250m"
    memory: Quantity | None = "256Mi"


class Limits(ResourceAmounts):
    """No CPU limit by default: throttling turns a spike into time-outs."""

    memory: Quantity | None = "512Mi"


class Resources(Section):
    """Requests and limits of one pod."""

    requests: Requests = Requests()
    limits: Limits = Limits()

    @field_validator("limits")
    @classmethod
    def _not_below_requests(cls, value: Limits, info: ValidationInfo) -> Limits:
        requests = info.data.get("requests")
        if requests is None:
            return value
        for unit in ("cpu", "memory"):
            least, most = getattr(requests, unit), getattr(value, unit)
            if least is not None and most is not None and parse_quantity(most) < parse_quantity(least):
                raise ValueError(f"{unit} must be >= requests.{unit} ({least})")
        return value


class EnvEntry(Section):
    """One more environment variable of a service; a name the platform sets itself is replaced by it."""

    name: str = Field(pattern=r"^[A-Z_][A-Z0-9_]*$", max_length=128)
    value: str = Field(default="", max_length=4096)
    secret_ref: UrlKey | None = None

    @field_validator("secret_ref")
    @classmethod
    def _one_source(cls, value: UrlKey | None, info: ValidationInfo) -> UrlKey | None:
        if value is not None and info.data.get("value"):
            raise ValueError("must not stand beside value")
        return value


class ServiceSpec(Section):
    """How one service runs."""

    resources: Resources = Resources()
    autoscaling: Autoscaling = Autoscaling()
    env: tuple[EnvEntry, ...] = Field(default=(), max_length=64)


class EventCommandSpec(ServiceSpec):
    """The write side of events."""

    autoscaling: EventCommandAutoscaling = EventCommandAutoscaling()


class EventQuerySpec(ServiceSpec):
    """The read side."""

    autoscaling: EventQueryAutoscaling = EventQueryAutoscaling()


class OrderSpec(ServiceSpec):
    """The sale."""

    autoscaling: OrderAutoscaling = OrderAutoscaling()


class Services(Section):
    """The five services."""

    event_command: EventCommandSpec = EventCommandSpec()
    event_query: EventQuerySpec = EventQuerySpec()
    order: OrderSpec = OrderSpec()
    scheduler: ServiceSpec = ServiceSpec()
    email: ServiceSpec = ServiceSpec()


class Holds(Section):
    """Limits of a purchase. 0 means no limit; members of ``exemptGroup`` (full path) are not limited."""

    ttl_seconds: int = Field(default=300, ge=1, le=86_400)
    payment_extension_seconds: int = Field(default=300, ge=0, le=86_400)
    max_seats_per_order: int = Field(default=10, ge=0, le=1000)
    max_open_orders_per_user: int = Field(default=3, ge=0, le=1000)
    exempt_group: str = Field(default="", pattern=r"^(/[^/]+)*$", max_length=256)


class Uploads(Section):
    """Largest accepted upload in bytes; the edge's body limit follows it."""

    max_bytes: int = Field(default=52_428_800, ge=1_048_576, le=104_857_600)


class ClientRate(Section):
    """Token bucket per client: ``average`` requests per ``periodSeconds``, ``burst`` at once. Average 0: off."""

    average: int = Field(ge=0, le=1_000_000)
    burst: int = Field(ge=1, le=1_000_000)
    period_seconds: int = Field(default=1, ge=1, le=3600)


class PerClientRate(ClientRate):
    """All requests of one client."""

    average: int = Field(default=20, ge=0, le=1_000_000)
    burst: int = Field(default=40, ge=1, le=1_000_000)


class PaymentLaneRate(ClientRate):
    """Payment routes have a lane of their own, so that a crowd of readers cannot starve a payment."""

    average: int = Field(default=10, ge=0, le=1_000_000)
    burst: int = Field(default=20, ge=1, le=1_000_000)


class RateLimits(Section):
    """Limits per client at the edge."""

    per_client: PerClientRate = PerClientRate()
    payment_lane: PaymentLaneRate = PaymentLaneRate()


class Compat(Section):
    """Switches for old load scripts. By client id: the HTTP status of a lost seat instead of 409."""

    lost_seat_status_by_client: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")], Literal[400, 409]] = (
        Field(default={}, max_length=16)
    )


class Lag(Section):
    """The end-to-end objective: a change is visible to readers within ``sloSeconds``; the probe measures it."""

    slo_seconds: int = Field(default=2, ge=1, le=3600)
    probe: bool = True


class FlashSale(Section):
    """Minimum replicas are raised ``leadMinutes`` before ``start`` and restored ``durationMinutes`` after it."""

    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
    start: Instant
    lead_minutes: int = Field(default=10, ge=0, le=1440)
    duration_minutes: int = Field(default=60, ge=1, le=10_080)
    min_replicas: dict[ServiceKey, Replicas] = Field(min_length=1)
