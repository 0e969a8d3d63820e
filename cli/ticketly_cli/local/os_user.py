"""The unprivileged user PostgreSQL runs as when the platform is started by root (PostgreSQL refuses root)."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from ticketly_cli.errors import CliError, ExitCode

CANDIDATES = ("postgres", "nobody")
SYSTEM_FOLDER = Path("/var/lib/ticketly")
"""Where root's PostgreSQL keeps its data when the state folder lies where only root may go (below /root)."""


@dataclass(frozen=True, slots=True)
class OsUser:
    """A user and its primary group."""

    name: str
    uid: int
    gid: int


def unprivileged() -> OsUser | None:
    """None when we are not root and need no other user. Raises CliError when there is no such user."""
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return OsUser(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise CliError(
        f"PostgreSQL cannot run as root and this machine has none of the users {', '.join(CANDIDATES)}.",
        "Run ticketly as an ordinary user.",
        ExitCode.UNREACHABLE,
    )


def everybody_can_enter(path: Path) -> bool:
    """Whether any user may pass through `path` and all folders above it; a missing folder counts as closed."""
    for folder in (path, *path.parents):
        try:
            mode = folder.stat().st_mode
        except OSError:
            return False
        if not mode & stat.S_IXOTH:
            return False
    return True


def owned_folder(path: Path, user: OsUser | None) -> None:
    """A private folder (0700) of `user` (None: ours)."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    if user is not None:
        os.chown(path, user.uid, user.gid)


def system_folder() -> Path:
    """`/var/lib/ticketly`, passable but not listable for others. Only root gets here."""
    SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True)
    SYSTEM_FOLDER.chmod(0o711)
    return SYSTEM_FOLDER


def copy_tree(source: Path, target: Path) -> None:
    """A complete copy of `source` that everybody may enter, or nothing; an existing copy is kept."""
    if target.is_dir():
        return
    temporary = target.with_name(f"{target.name}.{os.getpid()}.new")
    shutil.copytree(source, temporary, symlinks=True)
    temporary.chmod(0o755)
    try:
        temporary.rename(target)
    except OSError:
        shutil.rmtree(temporary)
        if not target.is_dir():
            raise
