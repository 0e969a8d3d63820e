"""Log files of the components: size-based rotation, the last lines, and following."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

MAX_BYTES = 16 * 1024 * 1024
KEPT_FILES = 2
_TAIL_BYTES = 512 * 1024
_LAST_LINE_CHARS = 300
_FOLLOW_PAUSE_SECONDS = 0.25


def rotate(path: Path, max_bytes: int = MAX_BYTES, kept: int = KEPT_FILES) -> bool:
    """Move a large file's content to `<name>.1` (older ones to `.2`) and empty the file; True when that was done.

    The writer keeps its open file: it appends, so after the cut it goes on at the beginning. Lines written in the
    moment between copy and cut are lost; that is the price of children that write without a middleman.
    """
    try:
        if path.stat().st_size < max_bytes:
            return False
    except FileNotFoundError:
        return False
    for number in range(kept, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    with path.open("r+b") as file:
        file.truncate(0)
    return True


def last_lines(path: Path, count: int) -> list[str]:
    """Up to `count` last lines, oldest first, without their line ends; nothing when there is no file."""
    return _end(path, count)[0]


def _end(path: Path, count: int) -> tuple[list[str], int]:
    """The last lines and the position behind them."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            content = file.read()
            position = file.tell()
    except FileNotFoundError:
        return [], 0
    return list(deque(content.decode("utf-8", errors="replace").splitlines(), maxlen=count)), position


def last_line(path: Path) -> str:
    """The last line that says something, shortened."""
    for line in reversed(last_lines(path, 50)):
        text = " ".join(line.split())
        if text:
            return text[:_LAST_LINE_CHARS]
    return ""


def follow(path: Path, count: int) -> Iterator[str]:
    """The last `count` lines, then every new one for ever; goes on across rotation."""
    lines, position = _end(path, count)
    yield from lines
    rest = b""
    while True:
        size = path.stat().st_size if path.exists() else 0
        if size < position:
            position, rest = 0, b""
        if size > position:
            with path.open("rb") as file:
                file.seek(position)
                rest += file.read(size - position)
            position = size
            *complete, rest = rest.split(b"\n")
            for line in complete:
                yield line.decode("utf-8", errors="replace")
        else:
            time.sleep(_FOLLOW_PAUSE_SECONDS)
