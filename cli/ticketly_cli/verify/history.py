"""The history file: JSON lines, a header, one line per invocation and per answer, a footer.

    {"format": "ticketly-history", "version": 1, "session_id": "...", "seats": [...], "hold_ttl_seconds": 300, ...}
    {"op_id": 0, "process": "buyer-0001", "kind": "place", "type": "invoke", "seats": ["..."], "time_ns": 12}
    {"op_id": 0, "process": "buyer-0001", "kind": "place", "type": "ok", "status": 201, "order_id": "...",
     "seats": ["..."], "held_until": "...", "hold_ns": 299990000000, "time_ns": 34}
    {"type": "note", "time_ns": 40, "text": "redis flushed"}
    {"format": "ticketly-history-end", "records": 3, "sha256": "..."}

Lines stand in the order of their times. The footer counts the lines between header and footer and carries the
SHA-256 of all bytes before it, so that a cut or edited file is recognised. It is no signature: whoever edits a file
can edit its footer too, which is why the checks read the database as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ticketly_cli.verify.operations import KINDS, OUTCOMES, Header, History, Operation, Problem

FORMAT = "ticketly-history"
FOOTER_FORMAT = "ticketly-history-end"
VERSION = 1
MAX_SHOWN_PROBLEMS = 20


class HistoryWriter:
    """Writes a history while it happens. Not closing it leaves a file without a footer: visibly incomplete."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self._file: IO[bytes] = path.open("wb")
        self._digest = hashlib.sha256()
        self._records = 0
        self._write({"format": FORMAT, "version": VERSION, **header})

    def append(self, record: Mapping[str, Any]) -> None:
        """One record; the caller keeps the order of times."""
        self._records += 1
        self._write(record)

    def so_far(self) -> History:
        """The history as if it ended here; writing goes on."""
        self._file.flush()
        return parse_history(self.path.read_bytes() + self._footer())

    def close(self) -> None:
        """Write the footer."""
        self._file.write(self._footer())
        self._file.close()

    def abandon(self) -> None:
        """Close the file without a footer."""
        self._file.close()

    def __enter__(self) -> HistoryWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _footer(self) -> bytes:
        return _line({"format": FOOTER_FORMAT, "records": self._records, "sha256": self._digest.hexdigest()})

    def _write(self, record: Mapping[str, Any]) -> None:
        line = _line(record)
        self._digest.update(line)
        self._file.write(line)


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def read_history(path: Path) -> History:
    """Read a file. Never raises for its content: what is wrong with it stands in `problems`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return History(None, (), (Problem(f"the history cannot be read: {error.strerror or error}", blinding=True),))
    return parse_history(content)


@dataclass(slots=True)
class _Reading:
    """The state of one pass over the lines."""

    problems: list[Problem] = field(default_factory=list)
    operations: dict[int, Operation] = field(default_factory=dict)
    last_time_ns: int | None = None
    records: int = 0

    def blind(self, text: str) -> None:
        self._add(text, blinding=True)

    def misfit(self, text: str) -> None:
        self._add(text, blinding=False)

    def _add(self, text: str, *, blinding: bool) -> None:
        if len(self.problems) < MAX_SHOWN_PROBLEMS or (blinding and all(not p.blinding for p in self.problems)):
            self.problems.append(Problem(text, blinding))


def parse_history(content: bytes) -> History:
    """Parse the bytes of a history; pure."""
    reading = _Reading()
    if not content.strip():
        reading.blind("the history is empty")
        return History(None, (), tuple(reading.problems))
    lines = content.split(b"\n")
    if lines[-1]:
        reading.blind("the last line is cut off")
    else:
        lines.pop()
    header = _header(lines[0], reading)
    footer = _footer(lines[-1]) if len(lines) > 1 else None
    body = lines[1:-1] if footer is not None else lines[1:]
    for number, line in enumerate(body, start=2):
        _record(number, line, reading)
    if footer is None:
        reading.blind("the footer is missing, so the history may be cut off")
    else:
        _check_footer(footer, content, lines[-1], len(body), reading)
    return History(header, tuple(reading.operations.values()), tuple(reading.problems))


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _header(line: bytes, reading: _Reading) -> Header | None:
    found = _object(line)
    if found is None or found.get("format") != FORMAT:
        reading.blind("the first line is not the header of a history")
        return None
    if found.get("version") != VERSION:
        reading.blind(f"the history has version {found.get('version')!r}; this program reads version {VERSION}")
        return None
    seats, ttl = found.get("seats"), found.get("hold_ttl_seconds")
    if not isinstance(found.get("session_id"), str) or not _is_text_list(seats):
        reading.blind("the header names no session or no seats")
        return None
    users = found.get("users")
    known = {"format", "version", "session_id", "event_id", "seats", "seed", "started", "target", "hold_ttl_seconds"}
    return Header(
        session_id=found["session_id"],
        event_id=str(found.get("event_id", "")),
        seats=tuple(seats or ()),
        seed=found["seed"] if isinstance(found.get("seed"), int) else 0,
        started=str(found.get("started", "")),
        target=str(found.get("target", "")),
        hold_ttl_seconds=float(ttl) if _is_number(ttl) and ttl is not None and ttl > 0 else None,
        users={str(name): str(user) for name, user in users.items()} if isinstance(users, dict) else {},
        extra={name: value for name, value in found.items() if name not in known and name != "users"},
    )


def _footer(line: bytes) -> dict[str, Any] | None:
    found = _object(line)
    return found if found is not None and found.get("format") == FOOTER_FORMAT else None


def _check_footer(
    footer: Mapping[str, Any], content: bytes, footer_line: bytes, records: int, reading: _Reading
) -> None:
    if footer.get("records") != records:
        reading.blind(f"the footer counts {footer.get('records')!r} records, the file holds {records}")
    before = content[: content.rindex(footer_line)]
    if footer.get("sha256") != hashlib.sha256(before).hexdigest():
        reading.misfit("the checksum in the footer does not match: the history was changed after it was written")


def _record(number: int, line: bytes, reading: _Reading) -> None:
    found = _object(line)
    if found is None:
        reading.blind(f"line {number} is not a JSON object")
        return
    fault = _fault(found)
    if fault:
        reading.blind(f"line {number}: {fault}")
        return
    time_ns = found["time_ns"]
    if reading.last_time_ns is not None and time_ns < reading.last_time_ns:
        reading.blind(f"line {number}: time goes backwards")
    reading.last_time_ns = max(time_ns, reading.last_time_ns or time_ns)
    if found["type"] == "invoke":
        _invoke(number, found, reading)
    elif found["type"] in OUTCOMES:
        _answer(number, found, reading)


def _fault(found: Mapping[str, Any]) -> str:
    """Why a record cannot be used at all; empty when it can."""
    kind = found.get("type")
    if kind not in ("invoke", "note", *OUTCOMES):
        return f"unknown type {kind!r}"
    if not _is_integer(found.get("time_ns")):
        return "time_ns is not a whole number"
    if kind == "note":
        return ""
    return next(_faults_of_operation(found), "")


def _faults_of_operation(found: Mapping[str, Any]) -> Iterator[str]:
    if not _is_integer(found.get("op_id")):
        yield "op_id is not a whole number"
    if found.get("kind") not in KINDS:
        yield f"unknown kind {found.get('kind')!r}"
    if not isinstance(found.get("process"), str):
        yield "process is not text"
    for name in ("seats", "contested"):
        if found.get(name) is not None and not _is_text_list(found[name]):
            yield f"{name} is not a list of texts"
    for name in ("order_id", "code"):
        if found.get(name) is not None and not isinstance(found[name], str):
            yield f"{name} is not text"
    for name in ("status", "hold_ns"):
        if found.get(name) is not None and not _is_integer(found[name]):
            yield f"{name} is not a whole number"
    if found["type"] == "invoke" and found.get("kind") == "place" and not found.get("seats"):
        yield "a place without seats"


def _invoke(number: int, found: Mapping[str, Any], reading: _Reading) -> None:
    op_id = found["op_id"]
    if op_id in reading.operations:
        reading.misfit(f"line {number}: op_id {op_id} is used twice")
        op_id = -1 - number  # kept under an id of its own, so that the operation is still checked
    reading.operations[op_id] = Operation(
        op_id=op_id,
        process=found["process"],
        kind=found["kind"],
        seats=tuple(found.get("seats") or ()),
        outcome="unknown",
        invoked_ns=found["time_ns"],
        returned_ns=None,
        order_id=found.get("order_id"),
    )


def _answer(number: int, found: Mapping[str, Any], reading: _Reading) -> None:
    op_id = found["op_id"]
    asked = reading.operations.get(op_id)
    named = found.get("seats") if found["type"] == "ok" else found.get("contested")
    answered = None if named is None else tuple(named)
    if asked is None or asked.returned_ns is not None:
        reading.misfit(f"line {number}: an answer to op_id {op_id}, which is not waiting for one")
        op_id = op_id if asked is None else -1 - number
        asked = None
    elif (asked.process, asked.kind) != (found["process"], found["kind"]):
        reading.misfit(f"line {number}: the answer to op_id {op_id} is of another process or kind than its question")
    reading.operations[op_id] = Operation(
        op_id=op_id,
        process=found["process"],
        kind=found["kind"],
        seats=asked.seats if asked is not None else answered or (),
        outcome=found["type"],
        invoked_ns=asked.invoked_ns if asked is not None else None,
        returned_ns=found["time_ns"],
        order_id=found.get("order_id") or (asked.order_id if asked is not None else None),
        status=found.get("status"),
        code=found.get("code"),
        answered_seats=answered,
        hold_ns=found.get("hold_ns"),
    )


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_text_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
