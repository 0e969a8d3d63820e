"""Starting and stopping processes that belong to the platform.

Every child leads a process group of its own and writes straight into its log file (opened for appending), so a child
never blocks on a pipe, does not die with the supervisor's standard output, and its log can be cut while it writes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ticketly_cli.local import identity as identities
from ticketly_cli.local.component import ProcessSpec
from ticketly_cli.local.identity import ProcessIdentity

_HANDED_DOWN = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_POLL_SECONDS = 0.05
_KILL_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Child:
    """A process we started and still have to reap."""

    process: subprocess.Popen[bytes]
    identity: ProcessIdentity

    def exit_code(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        return self.process.poll()


def child_environment(spec: ProcessSpec) -> dict[str, str]:
    """The whole environment of a child."""
    inherited = {name: os.environ[name] for name in _HANDED_DOWN if name in os.environ}
    return {"PATH": os.defpath, **inherited, "TZ": "UTC", **spec.environment}


def spawn(spec: ProcessSpec, log_file: Path) -> Child:
    """Start the command. Raises OSError when it cannot be started."""
    with log_file.open("ab") as log:
        user = spec.os_user
        process = subprocess.Popen(
            spec.argv,
            cwd=spec.folder,
            env=child_environment(spec),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
            umask=0o077,
        )
    found = identities.identify(process.pid)
    if found is None:
        found = ProcessIdentity(pid=process.pid, started_ticks=-1, boot=identities.boot_id())
    return Child(process, found)


async def stop(child: Child, spec: ProcessSpec) -> None:
    """Ask, wait, then kill; what is left of its process group is killed as well. Returns when it is reaped."""
    if child.exit_code() is None:
        child.process.send_signal(spec.stop_signal)
        await _wait_for_exit(child, spec.stop_timeout_seconds)
    if child.exit_code() is None:
        child.process.kill()
        await _wait_for_exit(child, _KILL_WAIT_SECONDS)
    _kill_group(child.identity.pid)


async def _wait_for_exit(child: Child, seconds: float) -> None:
    await _poll(lambda: child.exit_code() is not None, seconds)


async def _poll(done: Callable[[], bool], seconds: float) -> None:
    """Processes of others give no event when they end, so all are polled alike."""
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:  # noqa: ASYNC110 - see above
        await asyncio.sleep(_POLL_SECONDS)


def _kill_group(group: int) -> None:
    """The leader is gone, so its number cannot have been given to a new group while a member is left."""
    if identities.group_members(group):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            return


async def stop_orphan(identity: ProcessIdentity, stop_signal: int, timeout_seconds: float) -> bool:
    """Stop a process left over from a supervisor that died. False when it was gone already.

    Only that very process and its group are touched (see `identity`).
    """
    if not identities.is_alive(identity):
        return False
    os.kill(identity.pid, stop_signal)
    await _poll(lambda: not identities.is_alive(identity), timeout_seconds)
    if identities.is_alive(identity):
        os.kill(identity.pid, signal.SIGKILL)
        await _poll(lambda: not identities.is_alive(identity), _KILL_WAIT_SECONDS)
    _kill_group(identity.pid)
    return True


def describe_exit(code: int) -> str:
    """`exited with code 1`, `ended by SIGKILL`."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
