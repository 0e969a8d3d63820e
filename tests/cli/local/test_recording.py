"""Recording of Keycloak's classes next to a running platform."""

from __future__ import annotations

import asyncio

import pytest

from ticketly_cli.local import paths, recording, toolchain
from ticketly_cli.local.identity import is_alive
from ticketly_cli.local.toolchain import Toolchain


@pytest.fixture
def tools(tmp_path):
    """The real distribution in a cache of its own, without an archive."""
    real = toolchain.prepare(["keycloak"], paths.cache_folder(), print)
    (tmp_path / real.keycloak.name).symlink_to(real.keycloak)
    return Toolchain(cache=tmp_path, versions=real.versions)


async def test_a_recording_that_is_given_up_leaves_nothing_behind(tools, tmp_path):
    heard = []
    started = asyncio.Event()

    def process_changed(record) -> None:
        heard.append(record)
        started.set()

    task = asyncio.create_task(recording.record(tools, process_changed))
    await asyncio.wait_for(started.wait(), 30)
    assert is_alive(heard[0].identity)
    task.cancel()
    await asyncio.wait((task,))
    assert not is_alive(heard[0].identity)
    assert heard[-1] is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [tools.keycloak.name, "recording.lock"]


async def test_an_archive_is_made_once(tools):
    tools.keycloak_archive.write_text("made before")
    heard = []
    await recording.record(tools, heard.append)
    assert heard == []
