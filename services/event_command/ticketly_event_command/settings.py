"""Settings of the event command service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from ticketly_common.settings import Cors, Group, Platform, Postgres, ServiceSettings


class Uploads(Group):
    """``max_bytes`` bounds whole request bodies; ``directory`` holds images (written by this service alone)."""

    max_bytes: int = Field(default=52_428_800, ge=1_048_576, le=104_857_600)
    directory: Path


class Peers(Group):
    """Internal addresses of other services; ``order_internal_url`` is asked before something is deleted."""

    order_internal_url: str


class Canary(Group):
    """``enabled``: write the lag canary's row about once a second. Off: nobody can tell how late readers are."""

    enabled: bool = False


class Settings(ServiceSettings):
    """Everything the process reads from its environment."""

    postgres: Postgres
    uploads: Uploads
    peers: Peers
    cors: Cors = Cors()
    platform: Platform = Platform()
    canary: Canary = Canary()
