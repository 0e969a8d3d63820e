"""A support bundle: parts of text in one archive, each redacted on its way in; what could not be had is said.

`add` is the only way in, so that nothing reaches the archive unredacted.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from ticketly_cli.cluster.redaction import redact, redact_tree
from ticketly_cli.cluster.refusals import ApiError
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.results import Cell, Facts, JsonObject, Table, Text, View

_MAX_PART_CHARS: Final = 5_000_000
_MAX_REASON_CHARS: Final = 300
_SHOWN_REASON_CHARS: Final = 90


@dataclass(slots=True)
class Bundle:
    """Parts by file name, and why others are missing."""

    parts: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, gather: Callable[[], Any]) -> Any:
        """Take a text, or a JSON value (as YAML or JSON by the name's ending); what was gathered, None if it failed.

        A part that cannot be had is remembered with its reason and does not stop the others. An empty value is left
        out.
        """
        try:
            found = gather()
            text = _text(name, found)
        except CliError as error:
            said = error.said if isinstance(error, ApiError) and error.said else error.message
            self.missing[name] = redact(said)[:_MAX_REASON_CHARS]
            return None
        except Exception as error:  # noqa: BLE001 - a bundle is made when things are broken, so any part may be
            self.missing[name] = type(error).__name__
            return None
        if text:
            self.parts[name] = text[-_MAX_PART_CHARS:]
        return found


def _text(name: str, found: Any) -> str:
    if found is None or found in ("", [], {}):
        return ""
    if isinstance(found, str):
        return redact(found)
    tree = redact_tree(found)
    if name.endswith(".json"):
        return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
    return str(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120))


@dataclass(frozen=True, slots=True)
class ReportResult:
    """Data: `file`, `about`, `parts` (name and size in bytes), `missing` (name and reason)."""

    file: str
    about: str
    parts: Sequence[tuple[str, int]]
    missing: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {
            "file": self.file,
            "about": self.about,
            "parts": [{"name": name, "bytes": size} for name, size in self.parts],
            "missing": [{"name": name, "reason": reason} for name, reason in self.missing.items()],
        }

    def to_view(self) -> View:
        rows: list[tuple[str | Cell, ...]] = [(name, f"{size}", "") for name, size in self.parts]
        rows += [
            (name, "", Cell(f"missing: {reason[:_SHOWN_REASON_CHARS]}", "warn"))
            for name, reason in self.missing.items()
        ]
        facts = Facts([("about", self.about), ("bundle", self.file)])
        promise = "No Secret was read, and credentials in logs were masked. Look through it before you give it away."
        return (Table(("part", "bytes", ""), rows), Text(""), facts, Text(promise, "dim"))


def write(bundle: Bundle, path: Path, about: str, now: datetime, versions: Mapping[str, str]) -> ReportResult:
    """Write the archive, readable by its owner only. Raises CliError when the file is there or cannot be written."""
    index = {
        "about": about,
        "created": now.isoformat(timespec="seconds"),
        "versions": dict(versions),
        "parts": sorted(bundle.parts),
        "missing": dict(bundle.missing),
    }
    files = {"report.json": _text("report.json", index), **dict(sorted(bundle.parts.items()))}
    folder = path.name.removesuffix(".gz").removesuffix(".tar").removesuffix(".tgz")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz") as archive:
            for name, text in files.items():
                content = text.encode()
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size, entry.mtime, entry.mode = len(content), int(now.timestamp()), 0o600
                archive.addfile(entry, io.BytesIO(content))
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}.", "Choose another file with --to.") from None
    return ReportResult(str(path), about, [(name, len(text.encode())) for name, text in files.items()], bundle.missing)
