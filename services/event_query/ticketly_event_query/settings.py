"""Settings of the read side; every name carries its unit."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from ticketly_common.settings import Cors, Group, Kafka, Platform, Redis, ServiceSettings


class Mongo(Group):
    """Where the projections live. The URI may hold a password: it is never logged."""

    uri: SecretStr
    database: str = "event-seating"


class Seats(Group):
    """Live seat states in memory.

    ``map_refresh_ms``: a seat map is rendered at most this often, so an answer may be that old. ``ring_changes``: how
    many seat changes per session can be resumed or asked for as a delta; more memory, fewer full snapshots.
    ``load_timeout_ms``: how long a first request waits for the store to catch up before it answers 503.
    ``layout_poll_ms``: how soon a changed layout, price or visibility reaches the maps in memory.
    ``idle_seconds``: a session nobody asked for is dropped from memory. ``max_loaded_seats`` bounds all of them.
    """

    map_refresh_ms: int = Field(default=100, ge=0, le=5000)
    ring_changes: int = Field(default=8192, ge=16, le=1_000_000)
    load_timeout_ms: int = Field(default=5000, ge=100, le=60_000)
    layout_poll_ms: int = Field(default=500, ge=50, le=10_000)
    idle_seconds: int = Field(default=600, ge=10)
    max_loaded_seats: int = Field(default=2_000_000, ge=100_000)


class Streams(Group):
    """Seat streams of one process.

    ``max_connections``: above it 503. ``buffer_bytes``: a client with more unsent bytes than this is cut and resumes
    by id. ``window_ms``: changes this close together share an event. ``retry_ms`` is told to clients at shutdown.
    """

    max_connections: int = Field(default=20_000, ge=1)
    buffer_bytes: int = Field(default=65_536, ge=4096)
    socket_send_bytes: int = Field(default=32_768, ge=4096)
    heartbeat_seconds: float = Field(default=15.0, gt=0, le=300)
    window_ms: int = Field(default=20, ge=0, le=1000)
    retry_ms: int = Field(default=2000, ge=100, le=60_000)


class Consumers(Group):
    """Names of the consumer groups and how much one batch may hold.

    ``group_prefix`` separates installations that share a broker; all processes of one installation use the same.
    """

    group_prefix: str = "event-query"
    max_records: int = Field(default=5000, ge=1, le=50_000)
    sweep_seconds: float = Field(default=3.0, gt=0)


class Catalog(Group):
    """``fresh_ms``: answers of public read routes are reused for this long; a change shows that much later."""

    fresh_ms: int = Field(default=100, ge=0, le=10_000)


class Discounts(Group):
    """``code_lookups_per_minute``: per user and process; guessing codes gets 429. 0 = no limit."""

    code_lookups_per_minute: int = Field(default=30, ge=0)


class Canary(Group):
    """The lag canary. ``writer_url``: internal listener of the command service, which tells what it wrote."""

    enabled: bool = False
    writer_url: str = ""

    @model_validator(mode="after")
    def _somebody_to_ask(self) -> Canary:
        if self.enabled and not self.writer_url:
            msg = "writer_url: required when the canary is enabled"
            raise ValueError(msg)
        return self


class Settings(ServiceSettings):
    """Everything the process needs; see the groups."""

    kafka: Kafka
    mongo: Mongo
    redis: Redis = Redis()
    cors: Cors = Cors()
    platform: Platform = Platform()
    seats: Seats = Seats()
    streams: Streams = Streams()
    consumers: Consumers = Consumers()
    catalog: Catalog = Catalog()
    discounts: Discounts = Discounts()
    canary: Canary = Canary()
