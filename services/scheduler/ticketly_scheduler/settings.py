"""Settings of the scheduler."""

from __future__ import annotations

from ticketly_common.settings import Cors, ServiceSettings


class Settings(ServiceSettings):
    """Everything ``create_app`` needs."""

    cors: Cors = Cors()
