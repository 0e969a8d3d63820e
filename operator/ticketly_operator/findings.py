"""What a step of a reconcile found out, in the words of the status. Conditions are merged from it.

A finding asserts one thing about one condition. Events are what a person should read once in `kubectl describe`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ticketly_crds.status import REASONS, ConditionStatus, ConditionType, Reason


@dataclass(frozen=True, slots=True)
class Finding:
    """One assertion. ``message`` is a sentence for a person and carries no secret.

    Raises ValueError for a reason that is not one of that condition's.
    """

    condition: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str = ""

    def __post_init__(self) -> None:
        """Refuse what the status could not carry."""
        if self.reason not in REASONS[self.condition]:
            raise ValueError(f"{self.reason} is no reason of {self.condition}")


@dataclass(frozen=True, slots=True)
class Notice:
    """An event on the platform: ``reason`` in CamelCase, ``message`` a sentence. Equal ones are told once an hour."""

    reason: str
    message: str
    type: Literal["Normal", "Warning"] = "Normal"
