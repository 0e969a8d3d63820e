"""Reading untrusted JSON: every fault is collected under its path, so that one answer names them all.

A reader returns a harmless placeholder of the right type for a faulty member; whoever builds a value from it must
call ``Faults.check`` before using the value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from ticketly_common import clock
from ticketly_common.problems import invalid, malformed
from ticketly_event_command.money import minor_from_json

MOST_FAULTS: Final = 500
"""Faults beyond this number are not listed: a wrong layout could name 100,000."""
LAST_YEAR: Final = 9000
"""Keeps date arithmetic (recurrence, durations) far from the end of the calendar."""
NIL: Final = UUID(int=0)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MISSING: Final = "is missing"


class Faults:
    """Field path -> sentence. ``len`` counts the listed ones."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def add(self, path: str, sentence: str) -> None:
        """Note a fault; the first one per path stays."""
        if len(self._found) < MOST_FAULTS:
            self._found.setdefault(path or "body", sentence)

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, path: object) -> bool:
        return path in self._found

    def check(self) -> None:
        """Raise Problem 422 ``validation-failed`` when anything was noted."""
        if self._found:
            raise invalid(self._found)


def decode(body: bytes | str) -> Any:
    """Parse JSON; raises Problem 400 ``malformed-request``."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, UnicodeEncodeError, RecursionError):
        raise malformed("The body is not valid JSON.") from None


def reader(body: bytes, faults: Faults) -> Reader:
    """Parse a body that must be a JSON object."""
    return Reader(decode(body), "", faults)


class Reader:
    """One JSON object at ``path``. Unknown members are ignored; null counts as absent."""

    __slots__ = ("_faults", "_raw", "path")

    def __init__(self, raw: object, path: str, faults: Faults) -> None:
        self.path = path
        self._faults = faults
        if isinstance(raw, dict):
            self._raw: Mapping[str, Any] = raw
        else:
            self._raw = {}
            faults.add(path, "must be an object")

    def at(self, name: str) -> str:
        """Return the path of a member."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Say whether a member is given and not null."""
        return self._raw.get(name) is not None

    def raw(self, name: str) -> Any:
        """Return a member as it came, None when absent."""
        return self._raw.get(name)

    def fault(self, name: str, sentence: str) -> None:
        """Note a fault at a member."""
        self._faults.add(self.at(name), sentence)

    def text(self, name: str, *, shortest: int = 0, longest: int) -> str:
        """Return a text, stripped at both ends; absent counts as empty. Lengths are characters after stripping."""
        value = self._raw.get(name)
        if value is None:
            value = ""
        if not isinstance(value, str):
            self.fault(name, "must be text")
            return ""
        value = value.strip()
        if "\x00" in value:
            self.fault(name, "contains a character that is not allowed")
        elif len(value) < shortest:
            self.fault(name, _MISSING if not value else f"must have at least {shortest} characters")
        elif len(value) > longest:
            self.fault(name, f"must have at most {longest} characters")
        return value

    def maybe_text(self, name: str, *, longest: int) -> str | None:
        """Return a text, or None when absent or empty."""
        return self.text(name, longest=longest) or None

    def choice(self, name: str, allowed: tuple[str, ...], *, default: str | None = None) -> str:
        """Return one of the allowed words. ``CANCELED`` is read as ``CANCELLED``."""
        value = self._raw.get(name)
        if value is None and default is not None:
            return default
        if value == "CANCELED":
            value = "CANCELLED"
        if value not in allowed:
            self.fault(name, _MISSING if value is None else f"must be one of {', '.join(allowed)}")
            return allowed[0]
        return str(value)

    def identifier(self, name: str) -> UUID:
        """Return a required UUID."""
        value = self.maybe_identifier(name)
        if value is None:
            self.fault(name, _MISSING)
            return NIL
        return value

    def maybe_identifier(self, name: str) -> UUID | None:
        """Return a UUID, or None when absent or the empty string."""
        value = self._raw.get(name)
        if value is None or value == "":
            return None
        try:
            return UUID(value)
        except (ValueError, TypeError, AttributeError):
            self.fault(name, "must be a UUID")
            return NIL

    def instant(self, name: str) -> datetime:
        """Return a required instant in UTC."""
        value = self.maybe_instant(name)
        if value is None:
            self.fault(name, _MISSING)
            return _EPOCH
        return value

    def maybe_instant(self, name: str) -> datetime | None:
        """Return an instant in UTC, or None when absent or empty."""
        value = self._raw.get(name)
        if value is None or value == "":
            return None
        try:
            instant = clock.from_wire(value)
        except (ValueError, TypeError, OverflowError):
            self.fault(name, "must be an instant with an offset, such as 2027-03-01T13:30:00Z")
            return _EPOCH
        if not _EPOCH.year <= instant.year <= LAST_YEAR:
            self.fault(name, f"must be between the years {_EPOCH.year} and {LAST_YEAR}")
            return _EPOCH
        return instant

    def boolean(self, names: tuple[str, ...], *, default: bool | None = None) -> bool:
        """Return the first given of several spellings; a fault when absent and without default."""
        for name in names:
            value = self._raw.get(name)
            if isinstance(value, bool):
                return value
            if value is not None:
                self.fault(name, "must be true or false")
                return False
        if default is None:
            self.fault(names[0], _MISSING)
            return False
        return default

    def integer(self, name: str, *, least: int, most: int) -> int:
        """Return a required whole number within bounds."""
        value = self.maybe_integer(name, least=least, most=most)
        if value is None:
            self.fault(name, _MISSING)
            return least
        return value

    def maybe_integer(self, name: str, *, least: int, most: int) -> int | None:
        """Return a whole number within bounds, or None when absent."""
        value = self._raw.get(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            self.fault(name, "must be a whole number")
            return least
        if not least <= value <= most:
            self.fault(name, f"must be between {least} and {most}")
            return least
        return value

    def number(self, name: str, *, least: float, most: float) -> float:
        """Return a required number within bounds."""
        value = self.maybe_number(name, least=least, most=most)
        if value is None:
            self.fault(name, _MISSING)
            return least
        return value

    def maybe_number(self, name: str, *, least: float, most: float) -> float | None:
        """Return a number within bounds, or None when absent."""
        value = self._raw.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.fault(name, "must be a number")
            return least
        if not least <= value <= most:
            self.fault(name, f"must be between {least:g} and {most:g}")
            return least
        return value

    def money(self, name: str, *, least_minor: int = 0) -> int:
        """Return a required amount in minor units."""
        value = self.maybe_money(name, least_minor=least_minor)
        if value is None:
            self.fault(name, _MISSING)
            return least_minor
        return value

    def maybe_money(self, name: str, *, least_minor: int = 0) -> int | None:
        """Return an amount in minor units, or None when absent; a third decimal is a fault."""
        value = self._raw.get(name)
        if value is None:
            return None
        try:
            minor = minor_from_json(value)
        except ValueError as error:
            self.fault(name, str(error))
            return least_minor
        if minor < least_minor:
            self.fault(name, "must not be negative" if least_minor == 0 else "must be more than 0")
            return least_minor
        return minor

    def child(self, name: str) -> Reader:
        """Return the reader of a required nested object."""
        value = self._raw.get(name)
        if value is None:
            self.fault(name, _MISSING)
            value = {}
        return Reader(value, self.at(name), self._faults)

    def children(self, name: str) -> Iterator[Reader]:
        """Yield a reader per element of a list of objects; absent counts as empty."""
        for index, value in enumerate(self.items(name)):
            yield Reader(value, f"{self.at(name)}[{index}]", self._faults)

    def items(self, name: str) -> list[Any]:
        """Return a list member as it came; absent counts as empty."""
        value = self._raw.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.fault(name, "must be a list")
            return []
        return value
