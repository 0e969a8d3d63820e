"""Latencies as numbers a person can compare. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in milliseconds by the nearest-rank method; zeros when nothing was measured."""

    p50: float
    p95: float
    p99: float
    max: float

    def to_data(self) -> dict[str, float]:
        return {"p50": self.p50, "p95": self.p95, "p99": self.p99, "max": self.max}


def latency(values_ms: Sequence[float]) -> Latency:
    """Summarise latencies in milliseconds."""
    ordered = sorted(values_ms)

    def rank(share: float) -> float:
        return round(ordered[max(math.ceil(share * len(ordered)) - 1, 0)], 3) if ordered else 0.0

    return Latency(rank(0.50), rank(0.95), rank(0.99), rank(1.0))
