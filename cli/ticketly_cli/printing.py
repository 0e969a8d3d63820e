"""Turns results, progress and errors into text. The only module that imports rich.

Results go to standard output, everything else (progress, notes, errors) to standard error, so that
`ticketly ... -o json | jq` always works. Colour, spinners and live lines appear only when the stream is a terminal.

Over 300 lines because rich may be imported nowhere else: every way of showing something lives here.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Protocol

import yaml
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.spinner import Spinner
from rich.table import Table as RichTable
from rich.text import Text as RichText

from ticketly_cli.errors import CliError
from ticketly_cli.results import Cell, Facts, Result, Table, Text, Tone, View

PLAIN_WIDTH = 200
"""Columns when the output is not a terminal: wide enough that no identifier is cut."""

PLAIN_PROGRESS_SECONDS = 10.0
"""Without a terminal a long step says where it is this often."""

_STYLES: dict[Tone, str] = {
    "plain": "",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "dim": "dim",
    "strong": "bold",
}


class OutputFormat(StrEnum):
    """The value of --output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class Step(Protocol):
    """A running step of a longer operation, as the code that does the work sees it."""

    def advance(self, count: int = 1) -> None:
        """`count` more units are done."""
        ...

    def say(self, text: str) -> None:
        """What is being done now; replaces the previous text."""
        ...


class SilentStep:
    """A step nobody watches (--quiet, tests)."""

    def advance(self, count: int = 1) -> None:
        """Nothing to show."""

    def say(self, text: str) -> None:
        """Nothing to show."""


class _PlainStep:
    """Progress for logs: a line now and then, never a control character."""

    def __init__(self, console: Console, title: str, total: int | None) -> None:
        self._console = console
        self._title = title
        self._total = total
        self._done = 0
        self._last_line_at = time.monotonic()

    def advance(self, count: int = 1) -> None:
        self._done += count
        self._line_if_due("")

    def say(self, text: str) -> None:
        self._line_if_due(text)

    def _line_if_due(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last_line_at < PLAIN_PROGRESS_SECONDS:
            return
        self._last_line_at = now
        share = f" {self._done}/{self._total}" if self._total else ""
        detail = f" ({text})" if text else ""
        self._console.print(f"{self._title} ...{share}{detail}", markup=False, highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One line of a board: what, how it is, since how many seconds, and a remark."""

    name: str
    state: Cell
    seconds: float
    remark: str = ""


class Board(Protocol):
    """Several things that happen at the same time, one line each."""

    def say(self, text: str) -> None:
        """What is being done now, in one line above the others."""
        ...

    def show(self, rows: Sequence[BoardRow]) -> None:
        """All lines as they are now."""
        ...


class _SilentBoard:
    def say(self, text: str) -> None:
        """Nothing to show."""

    def show(self, rows: Sequence[BoardRow]) -> None:
        """Nothing to show."""


class _PlainBoard:
    """A board for logs: a line whenever something changes, never a control character."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, tuple[str, str]] = {}

    def say(self, text: str) -> None:
        self._line(text)

    def show(self, rows: Sequence[BoardRow]) -> None:
        for row in rows:
            now = (row.state.text, row.remark)
            if self._shown.get(row.name) != now:
                self._shown[row.name] = now
                self._line(f"{row.name}: {row.state.text}" + (f" ({row.remark})" if row.remark else ""))

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class _LiveBoard:
    """A board on a terminal, drawn again in place."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._text = ""
        self._rows: Sequence[BoardRow] = ()

    def say(self, text: str) -> None:
        self._text = text
        self._draw()

    def show(self, rows: Sequence[BoardRow]) -> None:
        self._text = ""
        self._rows = rows
        self._draw()

    def _draw(self) -> None:
        grid = RichTable.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True, justify="right")
        grid.add_column(overflow="ellipsis", no_wrap=True)
        for row in self._rows:
            grid.add_row(row.name, _cell(row.state), f"{row.seconds:.0f} s", RichText(row.remark, style="dim"))
        shown = Group(Spinner("dots", text=RichText(self._text)), grid) if self._text else grid
        self._live.update(shown)


class _LiveStep:
    """Progress on a terminal."""

    def __init__(self, progress: Progress, task: TaskID, title: str) -> None:
        self._progress = progress
        self._task = task
        self._title = title

    def advance(self, count: int = 1) -> None:
        self._progress.advance(self._task, count)

    def say(self, text: str) -> None:
        self._progress.update(self._task, description=f"{self._title}: {text}" if text else self._title)


@dataclass(slots=True)
class Terminal:
    """Where the running command prints to, and how. The parser fills in the options before the command's body runs."""

    stdout: IO[str] = field(default_factory=lambda: sys.stdout)
    stderr: IO[str] = field(default_factory=lambda: sys.stderr)
    stdin: IO[str] = field(default_factory=lambda: sys.stdin)
    output: OutputFormat = OutputFormat.TABLE
    quiet: bool = False
    verbosity: int = 0
    debug: bool = False

    def result(self, result: Result) -> None:
        """Print a result in the chosen format. With --quiet the table view is left out (the exit code tells)."""
        if self.output is OutputFormat.JSON:
            self.stdout.write(json.dumps(result.to_data(), indent=2, ensure_ascii=False) + "\n")
        elif self.output is OutputFormat.YAML:
            self.stdout.write(yaml.safe_dump(result.to_data(), sort_keys=False, allow_unicode=True))
        elif not self.quiet:
            self._view(result.to_view(), self.stdout)
        self.stdout.flush()

    def show(self, view: View) -> None:
        """Something a person has to see before the result: on standard error, with --quiet too."""
        self._view(view, self.stderr)

    def ask(self, question: str) -> str | None:
        """What the person at the terminal answers; None when nobody is there to answer."""
        if not (self.stdin.isatty() and self.stderr.isatty()):
            return None
        self.stderr.write(question)
        self.stderr.flush()
        return self.stdin.readline().rstrip("\n")

    def line(self, text: str) -> None:
        """One line on standard output as it is: log lines, a token, a followed stream."""
        self.stdout.write(text + "\n")
        self.stdout.flush()

    def note(self, text: str) -> None:
        """One line for the person who watches; not part of the result."""
        if not self.quiet:
            self._console(self.stderr).print(RichText(text), soft_wrap=True)

    def detail(self, text: str) -> None:
        """A note shown with -v only."""
        if self.verbosity > 0:
            self.note(text)

    def warning(self, text: str) -> None:
        """A note that is shown even with --quiet."""
        console = self._console(self.stderr)
        console.print(RichText.assemble(("warning: ", _STYLES["warn"]), text), soft_wrap=True)

    def error(self, error: CliError) -> None:
        """The sentence and the next step, on standard error."""
        console = self._console(self.stderr)
        console.print(RichText.assemble(("error: ", _STYLES["bad"]), error.message), soft_wrap=True)
        if error.next_step:
            console.print(RichText(error.next_step), soft_wrap=True)

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Step]:
        """Show that something longer runs: a spinner or bar on a terminal, plain lines elsewhere.

        `total` is the number of units `advance` will count, or None when it is not known.
        """
        if self.quiet:
            yield SilentStep()
            return
        console = self._console(self.stderr)
        started = time.monotonic()
        if not console.is_terminal:
            console.print(RichText(f"{title} ..."), soft_wrap=True)
            yield _PlainStep(console, title, total)
            console.print(RichText(f"{title}: done in {time.monotonic() - started:.1f} s"), soft_wrap=True)
            return
        columns = [SpinnerColumn(finished_text="[green]✓[/green]"), TextColumn("{task.description}", markup=False)]
        if total is not None:
            columns += [BarColumn(bar_width=30), MofNCompleteColumn()]
        with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
            task = progress.add_task(title, total=total)
            yield _LiveStep(progress, task, title)
            done = total if total is not None else 1
            progress.update(task, description=title, total=done, completed=done)

    @contextmanager
    def board(self) -> Iterator[Board]:
        """Show several things at once: drawn in place on a terminal, a line per change elsewhere."""
        console = self._console(self.stderr)
        if self.quiet:
            yield _SilentBoard()
        elif not console.is_terminal:
            yield _PlainBoard(console)
        else:
            with Live(console=console, refresh_per_second=8) as live:
                yield _LiveBoard(live)

    def _view(self, view: View, stream: IO[str]) -> None:
        console = self._console(stream)
        for part in view:
            if isinstance(part, Text):
                console.print(RichText(part.text, style=_STYLES[part.tone]), soft_wrap=True)
            elif isinstance(part, Facts):
                _print_facts(console, part)
            else:
                _print_table(console, part)

    @staticmethod
    def _console(stream: IO[str]) -> Console:
        is_terminal = stream.isatty()
        width = None if is_terminal else PLAIN_WIDTH
        return Console(file=stream, width=width, no_color=None if is_terminal else True, highlight=False, emoji=False)


def _cell(value: str | Cell) -> RichText:
    if isinstance(value, Cell):
        return RichText(value.text, style=_STYLES[value.tone])
    return RichText(value)


def _print_facts(console: Console, facts: Facts) -> None:
    if facts.title:
        console.print(RichText(facts.title, style=_STYLES["strong"]))
    grid = RichTable.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.pairs:
        grid.add_row(RichText(name, style=_STYLES["dim"]), _cell(value))
    console.print(grid)


def _print_table(console: Console, table: Table) -> None:
    if table.title:
        console.print(RichText(table.title, style=_STYLES["strong"]))
    drawn = RichTable(box=None, pad_edge=False, header_style=_STYLES["strong"])
    for column in table.columns:
        drawn.add_column(column, overflow="fold")
    for row in table.rows:
        drawn.add_row(*[_cell(value) for value in row])
    console.print(drawn)


_current: ContextVar[Terminal] = ContextVar("ticketly_terminal")


def terminal() -> Terminal:
    """The terminal of the running command (set by `main.run`); a plain one outside of it."""
    found = _current.get(None)
    if found is None:
        found = Terminal()
        _current.set(found)
    return found


def use_terminal(chosen: Terminal) -> None:
    """Make `chosen` the terminal of this run."""
    _current.set(chosen)
