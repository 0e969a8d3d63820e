"""How long to wait before a component that ended is started again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
HEALTHY_AFTER_SECONDS = 60.0


@dataclass(slots=True)
class BackOff:
    """Doubles with every failure up to the longest wait; starts over after a healthy minute."""

    failures: int = 0

    def next_seconds(self, healthy_for_seconds: float) -> float:
        """The wait after another end; `healthy_for_seconds` is how long it had been healthy before (0: never was)."""
        if healthy_for_seconds >= HEALTHY_AFTER_SECONDS:
            self.failures = 0
        wait = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(self.failures, 20))
        self.failures += 1
        return wait
