"""`python -m ticketly_lab.observability`: write rules, dashboards and the tables of docs/observability.md.

`--check` compares instead. Nothing in these files is written by hand: the tables are in `ticketly_operator.desired`
and in the registries of the services, each of which is asked in a process of its own, because a registry belongs to a
process.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ticketly_operator.desired import alerts, rules
from ticketly_operator.desired.dashboards import dashboards
from ticketly_operator.desired.selection import Selection

ROOT = Path(__file__).resolve().parents[2]
"""Of the checkout: nothing of this is installed."""

RULES = "observability/prometheus/ticketly.rules.yaml"
DASHBOARDS = "observability/grafana"
GUIDE = "docs/observability.md"
SERVICES = ("event_command", "event_query", "order", "scheduler", "email")

_HEAD = """\
# Rules about all Ticketly platforms and their operator, for a Prometheus that is configured by file.
# Written by python -m ticketly_lab.observability; the operator applies the same as a PrometheusRule for each platform.
"""
_LOOK = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
if sys.argv[1] == "ticketly_operator.metrics":
    registry = importlib.import_module(sys.argv[1]).Metrics().registry
else:
    from prometheus_client import REGISTRY as registry
found = {}
for collector, names in registry._collector_to_names.items():
    labels = list(getattr(collector, "_labelnames", ()))
    for family in (collector.describe() if hasattr(collector, "describe") else collector.collect()):
        found[family.name] = [family.type, labels, family.documentation]
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Metric:
    """A family of series. `suffixes` are what its samples' names end with."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def samples(self) -> tuple[str, ...]:
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(self.kind, ("",))
        return tuple(self.name + suffix for suffix in suffixes)


@functools.cache
def exposed() -> dict[str, tuple[Metric, ...]]:
    """What each part tells Prometheus, by part: the services, then `operator`."""
    modules = {service: f"ticketly_{service}.app" for service in SERVICES}
    return {part: _metrics(module) for part, module in {**modules, "operator": "ticketly_operator.metrics"}.items()}


def _metrics(module: str) -> tuple[Metric, ...]:
    done = subprocess.run([sys.executable, "-c", _LOOK, module], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return tuple(Metric(name, kind, tuple(labels), help_) for name, (kind, labels, help_) in sorted(found.items()))


def artefacts(guide: str) -> dict[str, str]:
    """Every written file by its path; `guide` is the page as it is, whose tables are replaced."""
    groups = [*rules.platform_groups(Selection()), *rules.operator_groups()]
    made = {RULES: _HEAD + yaml.safe_dump({"groups": groups}, sort_keys=False, width=10_000, allow_unicode=True)}
    for board in dashboards():
        made[f"{DASHBOARDS}/{board.uid}.json"] = json.dumps(board.json(), indent=2, ensure_ascii=False) + "\n"
    made[GUIDE] = with_table(with_table(guide, "metrics", metrics_table(exposed())), "alerts", alerts_table())
    return made


def with_table(page: str, name: str, table: str) -> str:
    """The page with what stands between a table's two marks replaced. Raises ValueError when it has no such marks."""
    begin, end = f"<!-- {name}: written by python -m ticketly_lab.observability -->\n", f"<!-- end of {name} -->\n"
    before, begins, rest = page.partition(begin)
    _, ends, after = rest.partition(end)
    if not begins or not ends:
        raise ValueError(f"{GUIDE} lacks the lines {begin.strip()} and {end.strip()}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def metrics_table(found: Mapping[str, Iterable[Metric]]) -> str:
    """One line for each metric of ours with the parts that have it; Python's and the process's own are left out."""
    where: dict[Metric, list[str]] = {}
    for part, metrics in found.items():
        for metric in metrics:
            if metric.name.startswith("ticketly_"):
                where.setdefault(metric, []).append(part.replace("_", "-"))
    lines = ["| metric | type | labels | meaning | exposed by |", "|---|---|---|---|---|"]
    for metric, parts in sorted(where.items(), key=lambda pair: pair[0].name):
        name = metric.name + ("_total" if metric.kind == "counter" else "")
        by = "all services" if len(parts) == len(SERVICES) else ", ".join(parts)
        labels = ", ".join(metric.labels)
        lines.append(f"| `{name}` | {metric.kind} | {labels} | {metric.meaning} | {by} |")
    return "\n".join(lines) + "\n"


def alerts_table() -> str:
    """One line for each alert with its page."""
    of = Selection()
    found = (*alerts.platform(of), *alerts.capture(of), *alerts.services(of), *alerts.operator())
    lines = ["| alert | severity | for | meaning |", "|---|---|---|---|"]
    lines += [
        f"| [{alert.name}](runbooks/{alert.name}.md) | {alert.severity} | {alert.lasting} | {_plain(alert.detail)} |"
        for alert in found
    ]
    return "\n".join(lines) + "\n"


def _plain(template: str) -> str:
    """A template's text with words instead of values."""
    text = template
    for part in ("{{ $value | humanizePercentage }}", "{{ $value | humanizeDuration }}", "{{ $value | humanize }}"):
        text = text.replace(part, "N")
    return text.replace("{{ $labels.topic }}", "<topic>")


def differing(root: Path = ROOT) -> dict[str, str]:
    """What would be written over something else, and as empty text what should not be there, by path."""
    wanted = artefacts((root / GUIDE).read_text(encoding="utf-8"))
    there = {path.relative_to(root).as_posix() for path in (root / "observability").rglob("*") if path.is_file()}
    found = dict.fromkeys(sorted(there - wanted.keys()), "")
    for path, text in wanted.items():
        file = root / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            found[path] = text
    return found


def main(arguments: Any = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ticketly_lab.observability", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when something would change")
    options = parser.parse_args(arguments)
    found = differing()
    for path, text in found.items():
        sys.stdout.write(f"{path}\n")
        if options.check:
            continue
        file = ROOT / path
        if text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        else:
            file.unlink()
    return 1 if found and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
