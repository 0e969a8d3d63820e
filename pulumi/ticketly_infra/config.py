"""What a stack may be told: typed, checked as a whole before any resource exists, every error named by its key.

`load` takes the raw values of `Pulumi.<stack>.yaml` (namespace `ticketly`). What is not given comes from the profile.
No secret is ever configuration: passwords are made in AWS, and what only people know is put into Secrets Manager.

Over 300 lines because it is one list: everything a person may set, in one place to read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from ticketly_infra import addresses

NAMESPACE: Final = "ticketly"
DEFAULT_REGION: Final = "ap-south-1"
_STACK: Final = re.compile(r"[a-z][a-z0-9]{0,11}")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")

ProfileName = Literal["dev", "prod"]


def _host(value: str) -> str:
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    if not re.fullmatch(rf"(?=.{{1,253}}$){label}(\.{label})+", value):
        raise ValueError("must be a domain name in lower case, such as tickets.example.com")
    return value


def _narrow(value: IPv4Network) -> IPv4Network:
    if value.prefixlen < 16:
        raise ValueError(f"must not be wider than /16, got {value}")
    return value


Domain = Annotated[str, AfterValidator(_host)]
Mail = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]
Origin = Annotated[str, Field(pattern=r"^https://[a-z0-9.-]+(:\d+)?$")]
RoleArn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:iam::\d{12}:role/.+$")]
NarrowBlock = Annotated[IPv4Network, AfterValidator(_narrow)]
Label = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=40)]


class Section(BaseModel):
    """Frozen, camelCase on the outside, refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=False)


class NetworkSettings(Section):
    """The VPC. `nat_gateways` "perZone" survives the loss of a zone, "one" is cheaper and does not."""

    cidr: IPv4Network = IPv4Network("10.0.0.0/16")
    zones: tuple[Annotated[str, Field(pattern=r"^[a-z]$")], ...] = ("a", "b", "c")
    public_subnets: tuple[IPv4Network, ...] | None = None
    private_subnets: tuple[IPv4Network, ...] | None = None
    nat_gateways: Literal["one", "perZone"] = "perZone"
    interface_endpoints: bool = True
    reserved_cidrs: tuple[IPv4Network, ...] = ()
    flow_log_days: Literal[7, 14, 30, 60, 90, 180, 365] = 90

    @property
    def plan(self) -> addresses.Plan:
        """Blocks by zone, the given ones before the computed ones."""
        public, private = addresses.default_subnets(self.cidr)
        return addresses.Plan(
            self.cidr,
            public if self.public_subnets is None else self.public_subnets,
            private if self.private_subnets is None else self.private_subnets,
        )


class DatabaseSettings(Section):
    """PostgreSQL. `slot_wal_keep_mib` bounds what a stopped connector can hold back: past it the slot is lost."""

    engine_version: str = Field(default="17", pattern=r"^1[5-9](\.\d+)?$")
    instance_class: str = Field(default="db.m7g.large", pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$")
    storage_gib: int = Field(default=100, ge=20, le=16384)
    max_storage_gib: int = Field(default=1000, ge=20, le=65536)
    multi_az: bool = True
    backup_days: int = Field(default=14, ge=7, le=35)
    slot_wal_keep_mib: int = Field(default=8192, ge=512, le=1_048_576)
    performance_insights_days: Literal[7, 31, 93, 186, 372, 731] = 7


class ClusterSettings(Section):
    """EKS with managed nodes (`prod`) or k3s on EC2 (`dev`). No public endpoint unless blocks are named for it."""

    version: str = Field(default="1.33", pattern=r"^1\.\d{2}$")
    instance_type: str = Field(default="m7g.large", pattern=r"^[a-z0-9-]+\.[a-z0-9]+$")
    min_nodes: int = Field(default=3, ge=1, le=100)
    max_nodes: int = Field(default=9, ge=1, le=100)
    disk_gib: int = Field(default=50, ge=20, le=1000)
    public_access_cidrs: tuple[NarrowBlock, ...] = Field(default=(), max_length=20)
    admin_role_arns: tuple[RoleArn, ...] = Field(default=(), max_length=10)
    k3s_version: str = Field(default="v1.33.5+k3s1", pattern=r"^v1\.\d+\.\d+\+k3s\d+$")


class CacheSettings(Section):
    """ElastiCache, profile `prod`."""

    node_type: str = Field(default="cache.m7g.large", pattern=r"^cache\.[a-z0-9]+\.[a-z0-9]+$")
    nodes: int = Field(default=3, ge=2, le=6)


class KafkaSettings(Section):
    """MSK, profile `prod`."""

    version: str = Field(default="3.9.x.kraft", pattern=r"^\d\.\d+\.(\d+|x)(\.kraft)?$")
    instance_type: str = Field(default="kafka.m7g.large", pattern=r"^kafka\.[a-z0-9]+\.[a-z0-9]+$")
    brokers_per_zone: int = Field(default=1, ge=1, le=10)
    storage_gib: int = Field(default=250, ge=10, le=16384)


class DocumentSettings(Section):
    """The read side's store, profile `prod`: DocumentDB, or a MongoDB elsewhere whose URI people put into a secret."""

    kind: Literal["documentdb", "external"] = "documentdb"
    instance_class: str = Field(default="db.r6g.large", pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$")
    nodes: int = Field(default=3, ge=2, le=16)
    backup_days: int = Field(default=7, ge=1, le=35)


class DataNodeSettings(Section):
    """The one private machine of profile `dev` with Kafka, Connect, MongoDB and Redis."""

    instance_type: str = Field(default="m7g.large", pattern=r"^[a-z0-9-]+\.[a-z0-9]+$")
    disk_gib: int = Field(default=60, ge=20, le=1000)


class IdentitySettings(Section):
    """Keycloak. `admin_cidrs` may open its console; without any it is reached through Session Manager only."""

    tasks: int = Field(default=2, ge=1, le=6)
    cpu: Literal[512, 1024, 2048, 4096] = 1024
    memory_mib: int = Field(default=2048, ge=1024, le=16384)
    image_tag: str = Field(default="26.7.3", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
    admin_cidrs: tuple[NarrowBlock, ...] = Field(default=(), max_length=5)


class EdgeSettings(Section):
    """Load balancer and firewall. Requests per client address and five minutes; bytes of one upload."""

    requests_per_five_minutes: int = Field(default=3000, ge=100, le=2_000_000_000)
    sign_in_requests_per_five_minutes: int = Field(default=300, ge=10, le=2_000_000_000)
    log_days: int = Field(default=90, ge=7, le=3650)


class MailSettings(Section):
    """SES. `sender` empty: tickets@<domain>."""

    sender: Mail | Literal[""] = ""
    report_to: Mail | Literal[""] = ""


class Settings(Section):
    """One stack. The profile decides what exists; the sections decide how large it is."""

    profile: ProfileName
    domain: Domain
    stack: str
    region: str
    hosted_zone_id: str = Field(default="", pattern=r"^(Z[A-Z0-9]{6,31})?$")
    platform_name: Label = "ticketly"
    platform_namespace: Label = "ticketly"
    web_origins: tuple[Origin, ...] = Field(default=(), max_length=32)
    alarm_email: Mail | Literal[""] = ""
    monthly_budget_usd: int = Field(default=3500, ge=10, le=1_000_000)
    protect: bool = True
    secret_recovery_days: int = Field(default=30, ge=7, le=30)
    tags: dict[str, str] = Field(default_factory=dict, max_length=40)
    network: NetworkSettings = NetworkSettings()
    database: DatabaseSettings = DatabaseSettings()
    cluster: ClusterSettings = ClusterSettings()
    cache: CacheSettings = CacheSettings()
    kafka: KafkaSettings = KafkaSettings()
    documents: DocumentSettings = DocumentSettings()
    data_node: DataNodeSettings = DataNodeSettings()
    identity: IdentitySettings = IdentitySettings()
    edge: EdgeSettings = EdgeSettings()
    mail: MailSettings = MailSettings()

    @property
    def api_host(self) -> str:
        return f"api.{self.domain}"

    @property
    def auth_host(self) -> str:
        return f"auth.{self.domain}"

    @property
    def images_host(self) -> str:
        return f"images.{self.domain}"

    @property
    def mail_sender(self) -> str:
        return self.mail.sender or f"tickets@{self.domain}"

    @property
    def zones(self) -> tuple[str, ...]:
        """Full names of the availability zones, in the order of the address plan."""
        return tuple(f"{self.region}{letter}" for letter in self.network.zones)


PROFILES: Final[Mapping[str, Mapping[str, Any]]] = {
    "prod": {},
    "dev": {
        "monthlyBudgetUsd": 500,
        "secretRecoveryDays": 7,
        "network": {"natGateways": "one", "interfaceEndpoints": False, "flowLogDays": 14},
        "database": {
            "instanceClass": "db.t4g.medium", "storageGib": 30, "maxStorageGib": 100, "multiAz": False,
            "backupDays": 7, "slotWalKeepMib": 4096,
        },
        "cluster": {"instanceType": "t4g.medium", "minNodes": 3, "maxNodes": 4, "diskGib": 30},
        "identity": {"tasks": 1, "cpu": 512, "memoryMib": 1024},
        "edge": {"logDays": 14},
    },
}  # fmt: skip
"""What a profile says about keys that nobody set. `prod` is the defaults of the sections."""

_TOP_LEVEL_JSON: Final = frozenset(
    to_camel(name)
    for name, field in Settings.model_fields.items()
    if not isinstance(field.default, str | int | bool) and name not in {"profile", "domain", "stack", "region"}
)


class ConfigError(ValueError):
    """The configuration is not usable; `faults` has one line for each key, such as `ticketly:network.zones: ...`."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(stack: str, values: Mapping[str, Any], region: str = "") -> Settings:
    """Settings of a stack from its raw configuration (texts; objects as JSON or decoded). Raises ConfigError."""
    given, faults = _decoded(values)
    profile = given.get("profile")
    if profile is None:
        faults.append(_line("profile", f"required: one of {', '.join(sorted(PROFILES))}"))
    elif profile not in PROFILES:
        faults.append(_line("profile", f"unknown: {profile!r}; one of {', '.join(sorted(PROFILES))}"))
    if not _STACK.fullmatch(stack):
        faults.append(f"stack {stack!r}: its name must be 1 to 12 lower-case letters and digits, a letter first")
    region = region or DEFAULT_REGION
    if not _REGION.fullmatch(region):
        faults.append(f"aws:region: {region!r} is not a region such as {DEFAULT_REGION}")
    known = str(profile) if profile in PROFILES else "prod"
    merged = {**_merged(PROFILES[known], given), "profile": known, "stack": stack, "region": region}
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        faults += [_line(_path(one["loc"]), _reason(one)) for one in error.errors()]
        raise ConfigError(tuple(faults)) from None
    faults += _whole(settings)
    if faults:
        raise ConfigError(tuple(faults))
    return settings


def _decoded(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {}
    faults = []
    for key, value in values.items():
        if key in {"stack", "region"}:
            faults.append(_line(key, "unknown key"))
        elif key in _TOP_LEVEL_JSON and isinstance(value, str):
            try:
                found[key] = json.loads(value)
            except ValueError:
                faults.append(_line(key, "must be an object or a list; set it with `pulumi config set --path`"))
        else:
            found[key] = value
    return found, faults


def _merged(profile: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(profile)
    for key, value in given.items():
        below = profile.get(key)
        found[key] = {**below, **value} if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return found


def _whole(settings: Settings) -> Iterator[str]:
    """What only the whole can tell."""
    network, database, cluster = settings.network, settings.database, settings.cluster
    for fault in addresses.faults(network.plan, network.zones, network.reserved_cidrs):
        yield _line(f"network.{fault.key}", fault.message)
    if database.max_storage_gib < database.storage_gib:
        yield _line("database.maxStorageGib", f"must be >= database.storageGib ({database.storage_gib})")
    if cluster.max_nodes < cluster.min_nodes:
        yield _line("cluster.maxNodes", f"must be >= cluster.minNodes ({cluster.min_nodes})")
    # a slot that may hold more than the disk stops the database before the slot is given up
    half = database.storage_gib * 1024 // 2
    if database.slot_wal_keep_mib > half:
        yield _line("database.slotWalKeepMib", f"must be at most half of the storage ({half})")
    if settings.profile == "prod":
        if not settings.alarm_email:
            yield _line("alarmEmail", "required with profile prod: somebody has to get the alarms")
        if not database.multi_az:
            yield _line("database.multiAz", "must be true with profile prod")
    reserved = {"Project", "Stack", "Component", "ManagedBy", "Name"}
    for tag in sorted(reserved & set(settings.tags)):
        yield _line(f"tags.{tag}", "is set by the program")


def _path(place: tuple[int | str, ...]) -> str:
    found = ""
    for part in place:
        found += f"[{part}]" if isinstance(part, int) else f".{part}" if found else part
    return found


def _reason(error: Any) -> str:
    match error["type"]:
        case "missing":
            return "required"
        case "extra_forbidden":
            return "unknown key"
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            return str(error["msg"])[:1].lower() + str(error["msg"])[1:]


def _line(key: str, message: str) -> str:
    return f"{NAMESPACE}:{key}: {message}"
