"""Where a platform keeps its state, and where downloads are kept.

One platform per state folder. The state folder holds secrets, so it is private to its owner (mode 0700, except that
others may pass through it, never list it, when PostgreSQL has to run as another user).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

HOME_VARIABLE = "TICKETLY_HOME"
CACHE_VARIABLE = "TICKETLY_CACHE"


@dataclass(frozen=True, slots=True)
class HomeFolder:
    """The files of one platform."""

    root: Path

    @property
    def platform_file(self) -> Path:
        """Ports and addresses; written by the supervisor, read by `state.load`."""
        return self.root / "platform.json"

    @property
    def processes_file(self) -> Path:
        """Identity of every process the supervisor started, so that the next one can clean up after a crash."""
        return self.root / "processes.json"

    @property
    def secrets_file(self) -> Path:
        return self.root / "secrets.json"

    @property
    def specification_file(self) -> Path:
        """The TicketlyPlatform document this platform runs."""
        return self.root / "platform.yaml"

    @property
    def control_socket(self) -> Path:
        return self.root / "control.sock"

    @property
    def up_lock(self) -> Path:
        """Held while an `up` prepares downloads and starts the supervisor."""
        return self.root / "up.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor for its whole life."""
        return self.root / "supervisor.lock"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def configuration(self) -> Path:
        """Rendered configuration files of the components; may hold passwords."""
        return self.root / "configuration"

    def log_file(self, component: str) -> Path:
        return self.logs / f"{component}.log"

    def create(self) -> None:
        """Make the folders; existing ones keep their content."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.data, self.logs, self.configuration):
            folder.mkdir(exist_ok=True, mode=0o700)


def home_folder(explicit: Path | None = None, environment: Mapping[str, str] | None = None) -> HomeFolder:
    """`explicit`, else `$TICKETLY_HOME`, else the user's state folder. Not created here."""
    values = os.environ if environment is None else environment
    if explicit is not None:
        return HomeFolder(explicit.expanduser().absolute())
    if values.get(HOME_VARIABLE):
        return HomeFolder(Path(values[HOME_VARIABLE]).expanduser().absolute())
    return HomeFolder(Path(platformdirs.user_state_dir("ticketly", appauthor=False)))


def cache_folder(environment: Mapping[str, str] | None = None) -> Path:
    """`$TICKETLY_CACHE`, else the user's cache folder. Shared by all platforms of a user; not created here."""
    values = os.environ if environment is None else environment
    if values.get(CACHE_VARIABLE):
        return Path(values[CACHE_VARIABLE]).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("ticketly", appauthor=False))
