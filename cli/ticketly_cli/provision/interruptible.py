"""The engine's process, and how a Ctrl-C reaches it.

It runs in a session of its own, so the terminal does not signal it: a Ctrl-C reaches it exactly once, from here. It
then finishes what is under way, writes the state and releases the lock. A second Ctrl-C makes it stop at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pulumi import automation
from semver import VersionInfo

from ticketly_cli.provision.failures import CancelledError
from ticketly_cli.provision.prerequisites import Binary


class InterruptibleCommand(automation.PulumiCommand):
    """Starts the engine in a session of its own and passes signals on, once each."""

    def __init__(self, binary: Binary) -> None:
        self.command = str(binary.path)
        self.version = VersionInfo(*binary.version)
        self._running: subprocess.Popen[str] | None = None
        self._cancelled = 0
        self._guard = threading.RLock()

    @property
    def cancelled(self) -> bool:
        return self._cancelled > 0

    def cancel(self) -> None:
        """Ask the running engine to stop; one that is not started yet will not be."""
        with self._guard:
            self._cancelled += 1
            if self._running is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._running.send_signal(signal.SIGINT)

    def forget_cancellation(self) -> None:
        """What follows is a new operation."""
        self._cancelled = 0

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> automation.CommandResult:
        """Run one command and wait for it. Raises automation.CommandError when it fails."""
        del on_output, on_error  # progress comes from events
        with self._guard:
            if self.cancelled:
                raise CancelledError("")
            process = subprocess.Popen(
                [self.command, *(args if "--non-interactive" in args else ["--non-interactive", *args])],
                cwd=cwd,
                env={**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            self._running = process
        try:
            stdout, stderr = process.communicate()
        finally:
            self._running = None
        result = automation.CommandResult(stdout=stdout, stderr=stderr, code=process.returncode)
        if result.code != 0:
            raise automation.errors.create_command_error(result)
        return result


@contextlib.contextmanager
def cancelling(cancel: Callable[[], None]) -> Iterator[None]:
    """While inside, an interruption cancels instead of raising. Outside of the main thread nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: cancel()) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
