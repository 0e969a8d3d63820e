"""The mail sink: takes every mail, sends none, shows them over HTTP."""

from __future__ import annotations

import functools
import sys
from importlib import metadata
from pathlib import Path

from ticketly_cli.local import health
from ticketly_cli.local.component import Component, ProcessSpec


def component(folder: Path, smtp_port: int, http_port: int) -> Component:
    """`folder` keeps the mails; its parent must exist."""
    url = f"http://127.0.0.1:{http_port}"
    arguments = ("--smtp-port", str(smtp_port), "--http-port", str(http_port), "--folder", str(folder))
    return Component(
        name="mail",
        needs=frozenset(),
        version=f"aiosmtpd {metadata.version('aiosmtpd')}",
        address=url,
        process=ProcessSpec(
            argv=(sys.executable, "-m", "ticketly_cli.local.mail_sink", *arguments), folder=folder.parent
        ),
        probe=functools.partial(health.http, f"{url}/mails"),
        stand_in="keeps mails instead of sending them",
    )
