"""Forward-only migrations: plain SQL files applied by dbmate.

dbmate keeps the book (table ``schema_migrations``), runs each file in a transaction and demands an (empty) ``down``
section at its end. It takes no lock of its own, so two starting processes are serialised here by an advisory lock in
the same database.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import sysconfig
from importlib.resources import as_file, files
from pathlib import Path

import asyncpg
import structlog

from ticketly_common.settings import Postgres

_LOCK_KEY = 0x7469636B6574  # any constant: it only has to be the same in every process
_log = structlog.get_logger(__name__)


class MigrationError(Exception):
    """A migration failed; the text is dbmate's own, without the connection's password."""


def _dbmate() -> Path:
    return Path(sysconfig.get_path("scripts")) / "dbmate"


async def migrate(settings: Postgres, package: str) -> None:
    """Apply the pending migrations of ``<package>/migrations``; raises MigrationError."""
    connection = await asyncpg.connect(settings.url(), server_settings={"application_name": "migrations"})
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        with as_file(files(package).joinpath("migrations")) as folder:
            await _run(settings, folder)
    finally:
        await connection.close()


async def _run(settings: Postgres, folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        str(_dbmate()),
        "--migrations-dir",
        str(folder),
        "--no-dump-schema",
        "migrate",
        env={**os.environ, "DATABASE_URL": settings.url()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = re.sub(r"://[^@\s]+@", "://", output.decode(errors="replace")).strip()
    if process.returncode != 0:
        raise MigrationError(text)
    _log.info("migrations applied", package=folder.parent.name, output=text.splitlines()[-1:] or ["nothing pending"])


def main(settings: Postgres, package: str) -> int:
    """Run ``migrate`` from a command line; returns the process's exit code."""
    try:
        asyncio.run(migrate(settings, package))
    except (MigrationError, OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"migrations failed: {error}\n")
        return 1
    return 0
