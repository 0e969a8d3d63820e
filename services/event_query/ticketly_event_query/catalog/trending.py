"""Trending scores: views and purchases, halved every two days. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

HALF_LIFE_DAYS = 2.0
WINDOW_DAYS = 14
PURCHASE_WEIGHT = 10.0


@dataclass(frozen=True, slots=True)
class Score:
    """The score document of contract 4.6."""

    event_id: str
    score: float
    views: int
    purchases: int
    calculated_at: datetime


def score(event_id: str, views: Mapping[date, int], purchases: Sequence[datetime], now: datetime) -> Score:
    """Return an event's score from its views per day and the instants of its purchases."""
    today = now.date()
    points = sum(count * _weight((today - day).days) for day, count in views.items())
    points += sum(PURCHASE_WEIGHT * _weight((today - instant.date()).days) for instant in purchases)
    return Score(event_id, round(points, 4), sum(views.values()), len(purchases), now)


def _weight(age_days: int) -> float:
    return 0.0 if age_days > WINDOW_DAYS else float(0.5 ** (max(age_days, 0) / HALF_LIFE_DAYS))
