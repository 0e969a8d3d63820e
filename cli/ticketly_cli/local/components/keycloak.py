"""Keycloak: the built distribution from the cache, with data of its own per platform (links to code, own H2 files).

The realm is imported when there is none yet. When the realm file has changed since, the data is made anew: users and
sessions made by hand or by `seed` are gone then, the test users keep their ids.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ticketly_cli.local import health, java
from ticketly_cli.local.component import Component, ProcessSpec, fingerprint
from ticketly_cli.local.state import KEYCLOAK_ADMINISTRATOR, REALM

HEAP_MB = 320
_LINKED = ("lib", "conf", "providers", "themes")


@dataclass(frozen=True, slots=True)
class KeycloakServer:
    """One server with one realm of ours."""

    distribution: Path
    archive: Path
    """Recorded classes; need not exist."""
    home: Path
    """Its own folder; everything below is written by Keycloak or by `prepare`."""
    port: int
    realm: Mapping[str, Any] = field(repr=False)
    administrator_password: str = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Link the code, write the realm file, drop data that was imported from another realm file."""
        link_code(self.distribution, self.home)
        content = json.dumps(self.realm, indent=1, sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()
        marker = self.home / "realm.sha256"
        if not marker.is_file() or marker.read_text(encoding="ascii") != digest:
            shutil.rmtree(self.home / "data", ignore_errors=True)
        (self.home / "data" / "import").mkdir(parents=True, exist_ok=True)
        realm_file = self.home / "data" / "import" / f"{REALM}-realm.json"
        descriptor = os.open(realm_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        marker.write_text(digest, encoding="ascii")

    def process(self) -> ProcessSpec:
        arguments = [*start_arguments(self.port), "--import-realm"]
        return ProcessSpec(
            argv=tuple(java.keycloak(self.distribution, self.home, HEAP_MB, arguments, java.use_archive(self.archive))),
            folder=self.home.parent,
            environment={
                "KC_BOOTSTRAP_ADMIN_USERNAME": KEYCLOAK_ADMINISTRATOR,
                "KC_BOOTSTRAP_ADMIN_PASSWORD": self.administrator_password,
            },
            stop_timeout_seconds=30.0,
        )


def link_code(distribution: Path, home: Path) -> None:
    """Make `home` a Keycloak of its own that shares the code of `distribution`."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in _LINKED:
        link = home / name
        if link.is_symlink():
            link.unlink()
        link.symlink_to(distribution / name)


def start_arguments(port: int) -> list[str]:
    """Start the built server on the loopback interface; the host name is fixed, so tokens have one issuer."""
    return [
        "start",
        "--optimized",
        "--http-enabled=true",
        f"--hostname=http://127.0.0.1:{port}",
        "--http-host=127.0.0.1",
        f"--http-port={port}",
        "--log-level=warn,org.keycloak.exportimport:info",
    ]


def component(server: KeycloakServer, version: str) -> Component:
    return Component(
        name="keycloak",
        needs=frozenset(),
        version=version,
        address=server.url,
        process=server.process(),
        prepare=server.prepare,
        probe=functools.partial(health.http, f"{server.url}/realms/{REALM}/.well-known/openid-configuration"),
        start_timeout_seconds=300.0,
        fingerprint=fingerprint(server.realm),
    )
