"""Records as a person can read them: JSON where it is JSON, text where it is text, hexadecimal otherwise. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ticketly_cli.cluster.brokers import SeenRecord
from ticketly_cli.errors import ExitCode
from ticketly_cli.results import JsonObject, Text, View

_MAX_TEXT_CHARS: Final = 20_000
_MAX_HEX_BYTES: Final = 512
_CONTROLS: Final = {
    number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160)) if chr(number) not in "\n\t"
}
"""A record must not be able to steer the terminal."""


@dataclass(frozen=True, slots=True)
class Peek:
    """Data: `topic`, `records`: `partition`, `offset`, `time`, `key`, `headers`, `value`, `value_format`, `id`.

    `value_format` is json (then `value` is the document), text, hex or null (a tombstone). `id` is the header id, the
    event's identity, null without one.
    """

    topic: str
    records: Sequence[SeenRecord]

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {"topic": self.topic, "records": [described(each) for each in self.records]}

    def to_view(self) -> View:
        if not self.records:
            return (Text(f"{self.topic} holds no records."),)
        parts: list[Text] = []
        for each in self.records:
            told = described(each)
            title = f"{self.topic}[{told['partition']}] offset {told['offset']}  {told['time']}"
            parts.append(Text(f"{title}  id {told['id']}" if told["id"] else title, "strong"))
            if told["key"] is not None:
                parts.append(Text(f"key      {_line(told['key'])}"))
            parts += [Text(f"header   {_line(name)}: {_line(value)}", "dim") for name, value in told["headers"]]
            parts += [Text(_shown(told)), Text("")]
        return tuple(parts[:-1])


def described(record: SeenRecord) -> JsonObject:
    """One record as JSON types."""
    value, kind = _decoded(record.value)
    headers = [[name, _decoded_text(content)] for name, content in record.headers]
    return {
        "partition": record.partition,
        "offset": record.offset,
        "time": _time(record.timestamp_ms),
        "key": _decoded(record.key)[0] if record.key is not None else None,
        "headers": headers,
        "id": next((content for name, content in headers if name == "id"), None),
        "value": value,
        "value_format": kind,
    }


def _decoded(content: bytes | None) -> tuple[Any, str]:
    if content is None:
        return None, "null"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return _hexadecimal(content), "hex"
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return (text, "text") if text.isprintable() or _is_prose(text) else (_hexadecimal(content), "hex")
    return found, "json"


def _refuse(constant: str) -> Any:
    """NaN and Infinity are no JSON, though the parser takes them."""
    raise ValueError(constant)


def _is_prose(text: str) -> bool:
    """Text with line breaks is still text; with other control characters it is something else."""
    return not any(ord(mark) in _CONTROLS for mark in text)


def _decoded_text(content: bytes | None) -> str:
    if content is None:
        return ""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return _hexadecimal(content)


def _hexadecimal(content: bytes) -> str:
    shown = content[:_MAX_HEX_BYTES].hex(" ")
    return f"{shown} ... ({len(content)} bytes)" if len(content) > _MAX_HEX_BYTES else shown


def _time(milliseconds: int) -> str:
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(told: JsonObject) -> str:
    if told["value_format"] == "null":
        return "(null: a tombstone)"
    if told["value_format"] == "json":
        text = json.dumps(told["value"], indent=2, ensure_ascii=False)
    else:
        text = str(told["value"])
    safe = text.translate(_CONTROLS)
    return safe if len(safe) <= _MAX_TEXT_CHARS else f"{safe[:_MAX_TEXT_CHARS]}\n... ({len(safe)} characters)"


def _line(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.translate({**_CONTROLS, ord("\n"): "\\n", ord("\t"): "\\t"})[:300]
