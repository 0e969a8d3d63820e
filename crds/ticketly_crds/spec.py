"""The TicketlyPlatform document: parsed, checked, frozen.

``load`` and ``parse`` either return a platform or raise one SpecError that lists every fault with its field path.
A platform that parses may still be incomplete for a place: what must be present where is the blueprint's matter.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from ticketly_crds import connections
from ticketly_crds.quantities import TimeZone
from ticketly_crds.sections import (
    BY_NAME,
    DEFAULT_CURRENCY,
    SEVERAL_FAULTS,
    Connect,
    Connectors,
    Identity,
    Images,
    Ingress,
    Kafka,
    Log,
    Mail,
    Mongo,
    ObjectStorage,
    Payments,
    Postgres,
    Redis,
    Scheduling,
    Section,
    Telemetry,
    repeated_names,
    several_faults,
)
from ticketly_crds.workloads import Compat, FlashSale, Holds, Lag, RateLimits, Services, Uploads

GROUP: Final = "ticketly.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "TicketlyPlatform"
PLURAL: Final = "ticketlyplatforms"
DEFAULT_RELEASE: Final = "0.1.0"
"""Image tag of the release this package belongs to."""

_MAX_DOCUMENT_CHARS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: ``path`` such as ``spec.services.order.autoscaling.max``."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class SpecError(ValueError):
    """A platform file is not valid; ``faults`` lists everything that is wrong with it, in document order."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        """Keep the faults; the text has one line for each."""
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class Metadata(BaseModel):
    """The part of Kubernetes' object metadata that matters here; the API server's other fields are ignored."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        serialize_by_alias=True,
    )

    name: str = Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=40)
    namespace: str = Field(default="default", pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class Spec(Section):
    """What the platform shall be. On a laptop an absent store section means an embedded component; in a cluster
    postgres, mongo, kafka, connect and identity must be given."""

    version: str = Field(default=DEFAULT_RELEASE, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", max_length=128)
    """Tag of all images that are not overridden."""
    time_zone: TimeZone = "Asia/Colombo"
    """IANA zone of events that name none."""
    log: Log = Log()
    images: Images = Images()
    ingress: Ingress = Ingress()
    identity: Identity | None = None
    postgres: Postgres | None = None
    mongo: Mongo | None = None
    redis: Redis | None = None
    kafka: Kafka | None = None
    connect: Connect | None = None
    connectors: Connectors = Connectors()
    object_storage: ObjectStorage = ObjectStorage()
    scheduling: Scheduling = Scheduling()
    payments: Payments | None = None
    mail: Mail | None = None
    holds: Holds = Holds()
    uploads: Uploads = Uploads()
    rate_limits: RateLimits = RateLimits()
    compat: Compat = Compat()
    services: Services = Services()
    lag: Lag = Lag()
    telemetry: Telemetry = Telemetry()
    flash_sales: tuple[FlashSale, ...] = Field(default=(), max_length=32, json_schema_extra=BY_NAME)
    """Planned sales: minimum replicas are raised before each and restored afterwards."""
    deletion_policy: Literal["Retain", "Delete"] = "Retain"
    """What happens to topics, connectors and slots when the platform is deleted."""

    @property
    def currency(self) -> str:
        """ISO 4217 code of all prices."""
        return self.payments.currency if self.payments else DEFAULT_CURRENCY

    def pods_at_most(self) -> dict[str, int]:
        """Return how many pods of each service with a database there can be at once in a cluster, by service key."""
        return connections.scaled(
            {"order": self.services.order.autoscaling.max, "eventCommand": self.services.event_command.autoscaling.max}
        )

    @model_validator(mode="after")
    def _check_connection_budget(self) -> Self:
        if self.postgres is None:
            return self
        try:
            connections.pools(self.postgres.connection_budget, self.pods_at_most())
        except connections.BudgetTooSmall as error:
            message = f"{error} for the pods that order and eventCommand may scale to"
            raise several_faults([(".postgres.connectionBudget", message)]) from None
        return self

    @field_validator("flash_sales")
    @classmethod
    def _check_flash_sales(cls, sales: tuple[FlashSale, ...], info: ValidationInfo) -> tuple[FlashSale, ...]:
        found = repeated_names("flashSales", (sale.name for sale in sales))
        services: Services | None = info.data.get("services")
        for index, sale in enumerate(sales):
            for key, replicas in sale.min_replicas.items() if services else ():
                most = getattr(services, _snake(key)).autoscaling.max
                if replicas > most:
                    message = f"must be <= services.{key}.autoscaling.max ({most})"
                    found.append((f"[{index}].minReplicas.{key}", message))
        if found:
            raise several_faults(found)
        return sales


class TicketlyPlatform(Section):
    """One platform: the same document drives Kubernetes and a laptop."""

    api_version: Literal["ticketly.io/v1alpha1"]
    kind: Literal["TicketlyPlatform"]
    metadata: Metadata
    spec: Spec = Spec()

    @property
    def name(self) -> str:
        """``metadata.name``."""
        return self.metadata.name


def load(path_or_text: Path | str) -> TicketlyPlatform:
    """Read a platform from a file (a Path) or from YAML or JSON text (a str).

    Raises SpecError for anything that is not one valid platform, and OSError when the file cannot be read.
    """
    text = path_or_text.read_text(encoding="utf-8") if isinstance(path_or_text, Path) else path_or_text
    if len(text) > _MAX_DOCUMENT_CHARS:
        raise SpecError((Fault("", f"the document is longer than {_MAX_DOCUMENT_CHARS} characters"),))
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader with fewer types
    except (yaml.YAMLError, RecursionError) as error:
        raise SpecError((Fault("", f"not one YAML document: {' '.join(str(error).split())}"),)) from None
    if not isinstance(document, Mapping):
        raise SpecError((Fault("", "must be a mapping with apiVersion, kind, metadata and spec"),))
    return parse(document)


def parse(document: Mapping[str, Any]) -> TicketlyPlatform:
    """Check a decoded document (as the Kubernetes API returns it: ``status`` is passed over).

    Raises SpecError listing all faults.
    """
    wanted = {key: value for key, value in document.items() if key != "status"}
    try:
        encoded = json.dumps(wanted, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError((Fault("", f"not representable as JSON: {error}"),)) from None
    try:
        # JSON mode: lists become tuples and texts become instants, while strictness still refuses "5432" as a port
        return TicketlyPlatform.model_validate_json(encoded, by_alias=True, by_name=False)
    except ValidationError as error:
        raise SpecError(tuple(_faults(error))) from None


def _snake(key: str) -> str:
    return {"eventCommand": "event_command", "eventQuery": "event_query"}.get(key, key)


def _faults(error: ValidationError) -> Iterator[Fault]:
    for detail in error.errors(include_url=False):
        location = detail["loc"]
        if detail["type"] == "value_error" and isinstance(location[-1], str):
            # a default that fails a check is located by its Python name
            location = (*location[:-1], to_camel(location[-1]))
        path = _path(location)
        if detail["type"] == SEVERAL_FAULTS:
            yield from (Fault(path + below, message) for below, message in detail["ctx"]["found"])
        else:
            yield Fault(path, _message(detail))


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if part == "[key]":
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


def _message(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return "unknown field"
        case "missing":
            return "required"
        case "greater_than_equal":
            return f"must be >= {context['ge']}"
        case "less_than_equal":
            return f"must be <= {context['le']}"
        case "literal_error":
            return f"must be {context['expected']}"
        case "string_pattern_mismatch":
            return f"must match {context['pattern']}"
        case "value_error":
            return str(context["error"])
        case _:
            return detail["msg"].replace("Input should", "must").removeprefix("Value error, ")


class _Loader(yaml.SafeLoader):
    """Safe YAML as Kubernetes reads it: instants stay text, a repeated key is a fault, no merge surprises."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} repeated", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
