"""Sections of ``.spec`` about how the services run and what they allow: scaling, limits, sales, compatibility."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from ticketly_crds.quantities import Instant, Quantity, parse_quantity
from ticketly_crds.sections import BY_NAME, Section, ServiceKey, UrlKey, repeated_names, several_faults

Replicas = Annotated[int, Field(ge=1, le=100)]
Percent = Annotated[int, Field(ge=1, le=1000)]


class ScalePolicy(Section):
    """At most ``value`` pods or percent of the present pods per period."""

    type: Literal["Percent", "Pods"]
    """Unit of the value: percent of the present pods, or pods."""
    value: int = Field(ge=1, le=1000)
    """How much may change in one period."""
    period_seconds: int = Field(ge=1, le=1800)
    """Length of the period."""


class ScaleUp(Section):
    """At once by default: a sale's first minute decides."""

    stabilization_seconds: int = Field(default=0, ge=0, le=3600)
    """The lowest count wanted in this time counts, so that a short peak changes nothing."""
    policies: tuple[ScalePolicy, ...] = Field(
        default=(ScalePolicy(type="Percent", value=100, period_seconds=15),), min_length=1, max_length=8
    )
    """The policy that allows most counts."""


class ScaleDown(Section):
    """Slowly by default: pods that just became warm are worth keeping."""

    stabilization_seconds: int = Field(default=300, ge=0, le=3600)
    """The highest count wanted in this time counts, so that a short dip changes nothing."""
    policies: tuple[ScalePolicy, ...] = Field(
        default=(ScalePolicy(type="Percent", value=100, period_seconds=15),), min_length=1, max_length=8
    )
    """The policy that allows most counts."""


class Autoscaling(Section):
    """Bounds of the pod count and the load that adds pods. With min and max equal the count is fixed."""

    min: Replicas = 1
    """Pods at least."""
    max: Replicas = 3
    """Pods at most."""
    cpu: Percent = 70
    """Mean CPU use to aim at, in percent of the requested CPU."""
    memory: Percent | None = None
    """Mean memory use to aim at, in percent of the requested memory. null: not looked at."""
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
    """Pods at most."""


class EventQueryAutoscaling(Autoscaling):
    """Readers are many and come at once."""

    max: Replicas = 10
    """Pods at most."""


class OrderAutoscaling(Autoscaling):
    """Two pods at least, so that a lost node does not stop sales."""

    min: Replicas = 2
    """Pods at least."""
    max: Replicas = 15
    """Pods at most. Each holds database connections: see postgres.connectionBudget."""
    memory: Percent | None = 80
    """Mean memory use to aim at, in percent of the requested memory. null: not looked at."""


class ResourceAmounts(Section):
    """CPU in cores, memory in bytes, as Kubernetes quantities."""

    cpu: Quantity | None = None
    """CPU in cores. null: not set."""
    memory: Quantity | None = None
    """Memory in bytes. null: not set."""


class Requests(ResourceAmounts):
    """What a pod is promised; autoscaling percentages refer to it."""

    cpu: Quantity | None = "250m"
    """CPU in cores. null: not set."""
    memory: Quantity | None = "256Mi"
    """Memory in bytes. null: not set."""


class Limits(ResourceAmounts):
    """No CPU limit by default: throttling turns a spike into time-outs."""

    memory: Quantity | None = "512Mi"
    """Memory in bytes. null: not set."""


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
    """Name of the variable."""
    value: str = Field(default="", max_length=4096)
    """Value of the variable, for what is no secret."""
    secret_ref: UrlKey | None = None
    """Takes the value from a Secret; it does not stand beside value."""

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
    env: tuple[EnvEntry, ...] = Field(default=(), max_length=64, json_schema_extra=BY_NAME)
    """More environment variables; one that the platform sets itself is replaced."""

    @field_validator("env")
    @classmethod
    def _distinct_names(cls, entries: tuple[EnvEntry, ...]) -> tuple[EnvEntry, ...]:
        if found := repeated_names("env", (entry.name for entry in entries)):
            raise several_faults(found)
        return entries


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
    """Work that is due at a time."""
    email: ServiceSpec = ServiceSpec()
    """Mails to buyers and organizers."""


class Holds(Section):
    """How long seats are held for a buyer, and limits of a purchase."""

    ttl_seconds: int = Field(default=300, ge=1, le=86_400)
    """How long seats are held for an order that is not paid."""
    payment_extension_seconds: int = Field(default=300, ge=0, le=86_400)
    """Added once when a payment begins."""
    max_seats_per_order: int = Field(default=10, ge=0, le=1000)
    """0: no limit."""
    max_open_orders_per_user: int = Field(default=3, ge=0, le=1000)
    """0: no limit."""
    exempt_group: str = Field(default="", pattern=r"^(/[^/]+)*$", max_length=256)
    """Full path of a group of the issuer whose members have no limits, for local and test realms. Empty: none."""


class Uploads(Section):
    """What organizers may upload."""

    max_bytes: int = Field(default=52_428_800, ge=1_048_576, le=104_857_600)
    """Largest accepted upload in bytes; the edge's body limit follows it."""


class ClientRate(Section):
    """Token bucket per client."""

    average: int = Field(ge=0, le=1_000_000)
    """Requests per period; 0 switches the limit off."""
    burst: int = Field(ge=1, le=1_000_000)
    """Requests that may come at once."""
    period_seconds: int = Field(default=1, ge=1, le=3600)
    """Length of the period."""


class PerClientRate(ClientRate):
    """All requests of one client."""

    average: int = Field(default=20, ge=0, le=1_000_000)
    """Requests per period; 0 switches the limit off."""
    burst: int = Field(default=40, ge=1, le=1_000_000)
    """Requests that may come at once."""


class PaymentLaneRate(ClientRate):
    """Payment routes have a lane of their own, so that a crowd of readers cannot starve a payment."""

    average: int = Field(default=10, ge=0, le=1_000_000)
    """Requests per period; 0 switches the limit off."""
    burst: int = Field(default=20, ge=1, le=1_000_000)
    """Requests that may come at once."""


class RateLimits(Section):
    """Limits per client at the edge."""

    per_client: PerClientRate = PerClientRate()
    payment_lane: PaymentLaneRate = PaymentLaneRate()


class Compat(Section):
    """Switches for old load scripts."""

    lost_seat_status_by_client: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")], Literal[400, 409]] = (
        Field(default={}, max_length=16)
    )
    """By client id: the HTTP status of a lost seat."""


class Lag(Section):
    """The end-to-end objective: how soon a change is visible to readers."""

    slo_seconds: int = Field(default=2, ge=1, le=3600)
    """Seconds within which a change is visible; the condition LagWithinSLO tells."""
    probe: bool = True
    """Measure it with a canary row from the command database to a reader."""


class FlashSale(Section):
    """Minimum replicas are raised ``leadMinutes`` before ``start`` and restored ``durationMinutes`` after it."""

    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
    """Distinct name of the sale."""
    start: Instant
    """When the sale opens: RFC 3339 with zone, such as 2027-03-01T09:00:00Z."""
    lead_minutes: int = Field(default=10, ge=0, le=1440)
    """Minutes before start at which the minimum is raised."""
    duration_minutes: int = Field(default=60, ge=1, le=10_080)
    """Minutes after start at which the minimum is restored."""
    min_replicas: dict[ServiceKey, Replicas] = Field(min_length=1, max_length=5)
    """Raised minimum of pods by service; at most that service's autoscaling.max."""
