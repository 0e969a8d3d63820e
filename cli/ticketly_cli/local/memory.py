"""How much memory a process and its descendants take, without counting shared pages twice."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

_PARENT_FIELD = 1
_KIB = 1024


def by_root(roots: list[int]) -> dict[int, int]:
    """Proportional set size in bytes of each root process with all its descendants; 0 for one that is gone."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        children[int(fields[_PARENT_FIELD])].append(int(entry.name))
    return {root: sum(_proportional(pid) for pid in _tree(root, children)) for root in roots}


def _tree(root: int, children: dict[int, list[int]]) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, ()))
    return found


def _proportional(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * _KIB
    except OSError:
        return 0
    return 0
