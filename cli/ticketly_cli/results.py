"""What commands return: data for programs and a view for people.

A command parses its arguments, calls one function and returns a `Result` (or None when it has nothing to say).
`printing.Terminal` is the only place that turns a result into text. `to_data()` is a documented, stable shape
made of JSON types only; `to_view()` describes what a person sees, without saying how it is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from ticketly_cli.errors import ExitCode

JsonObject: TypeAlias = dict[str, Any]
Tone: TypeAlias = Literal["plain", "good", "warn", "bad", "dim", "strong"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of text with a meaning; the printer chooses the colour, or none."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, one pair per line."""

    pairs: Sequence[tuple[str, str | Cell]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; every row has as many cells as there are columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    title: str = ""


View: TypeAlias = Sequence[Text | Facts | Table]


class Result(Protocol):
    """What the printer needs from a result."""

    @property
    def exit_code(self) -> int:
        """0 unless the result itself is bad news (see `ExitCode`)."""
        ...

    def to_data(self) -> JsonObject:
        """JSON types only, stable names; printed as it is for --output json and yaml."""
        ...

    def to_view(self) -> View:
        """For --output table."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence with machine-readable details."""

    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {"message": self.text, **self.data}

    def to_view(self) -> View:
        return (Text(self.text),)


@dataclass(frozen=True, slots=True)
class Records:
    """A list of like things: one table, one JSON array under `key`."""

    key: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    title: str = ""
    exit_code: int = ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {self.key: [dict(row) for row in self.rows]}

    def to_view(self) -> View:
        cells = [["" if row.get(name) is None else str(row.get(name)) for name in self.columns] for row in self.rows]
        return (Table(columns=self.columns, rows=cells, title=self.title),)
