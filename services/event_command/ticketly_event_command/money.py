"""Amounts: integer minor units inside, decimals in major units only on the wire."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

MINOR_PER_MAJOR: Final = 100
MOST_MINOR: Final = 10**11
"""A thousand million major units: far below where a JSON number stops being exact at two decimals."""


def minor_from_json(value: Any) -> int:
    """Return minor units of a JSON number in major units.

    Raises ValueError with a sentence for the client: no number, more than two decimals, too large.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = "must be a number"
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for every unacceptable amount
    # repr of a float is the shortest text that reads back as it, so the client's own digits are judged.
    minor = Decimal(repr(value)) * MINOR_PER_MAJOR
    if not minor.is_finite() or abs(minor) > MOST_MINOR:
        msg = "is too large"
        raise ValueError(msg)
    if minor != minor.to_integral_value():
        msg = "must have at most 2 decimals"
        raise ValueError(msg)
    return int(minor)


def major(minor: int) -> int | float:
    """Return the JSON number in major units: exact, without exponent, whole when it is whole."""
    whole, rest = divmod(minor, MINOR_PER_MAJOR)
    return whole if rest == 0 else minor / MINOR_PER_MAJOR


def maybe_major(minor: int | None) -> int | float | None:
    """Return ``major`` of an amount that may be absent."""
    return None if minor is None else major(minor)
