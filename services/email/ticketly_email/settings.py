"""Settings of the mail service."""

from __future__ import annotations

from ticketly_common.settings import Listen, ServiceSettings


class InternalListen(Listen):
    """The mail service answers nobody outside: it has no public listener, so no public port is asked for."""

    public_port: int = 0


class Settings(ServiceSettings):
    """Everything ``create_app`` needs."""

    listen: InternalListen
