"""How the engine fails, for those who must not import Pulumi."""

from __future__ import annotations


class EngineError(Exception):
    """The engine refused or failed. `output` is what it printed, not redacted."""

    def __init__(self, output: str) -> None:
        super().__init__("the engine failed")
        self.output = output


class StackMissingError(EngineError):
    """There is no stack of that name in the backend."""


class LockedError(EngineError):
    """Somebody else holds the stack's lock."""


class CancelledError(EngineError):
    """The operation was cancelled by a signal to this process."""
