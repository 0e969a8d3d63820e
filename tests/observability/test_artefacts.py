"""Files that are written by code are what the code writes; names in queries exist; pages and alerts belong together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ticketly_lab import observability
from ticketly_operator.desired import alerts, rules
from ticketly_operator.desired.dashboards import dashboards
from ticketly_operator.desired.dashboards.panels import COLUMNS, SCHEMA_VERSION
from ticketly_operator.desired.selection import Selection

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
GROUPS = [*rules.platform_groups(Selection()), *rules.operator_groups()]
HEADINGS = ["## Confirm", "## Do", "## Do not", "## Goes away"]

OF_OTHERS = frozenset(
    {
        "up",
        "ALERTS",
        "kube_horizontalpodautoscaler_status_current_replicas",
        "kube_horizontalpodautoscaler_spec_min_replicas",
        "kube_horizontalpodautoscaler_spec_max_replicas",
        "kube_pod_container_status_restarts_total",
    }
)
"""Made by Prometheus itself and by kube-state-metrics."""

WORDS = {"absent", "and", "by", "clamp_min", "count", "deriv", "histogram_quantile", "increase", "label_replace"}
WORDS |= {"max", "min", "or", "rate", "sum", "time", "topk"}
"""What PromQL itself says in our expressions."""


def names(expression: str) -> set[str]:
    """The names of series in an expression."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)", "", bare)
    return {found for found in re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare) if found not in WORDS}


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for board in dashboards():
        for panel in board.json()["panels"]:
            yield f"{board.uid}/{panel['title']}", panel


def queries() -> Iterator[tuple[str, str]]:
    for where, panel in panels():
        for target in panel.get("targets", ()):
            yield where, target["expr"]


@pytest.fixture(scope="session")
def exposed() -> dict[str, tuple[observability.Metric, ...]]:
    return observability.exposed()


def test_written_files_are_up_to_date() -> None:
    assert list(observability.differing()) == [], "run python -m ticketly_lab.observability"


def test_every_name_in_a_rule_or_panel_is_exposed_by_some_component(
    exposed: dict[str, tuple[observability.Metric, ...]],
) -> None:
    known = {name for metrics in exposed.values() for metric in metrics for name in metric.samples}
    known |= {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}
    known |= OF_OTHERS
    looked_at = {
        **{rule.get("alert") or rule["record"]: names(rule["expr"]) for group in GROUPS for rule in group["rules"]},
        **{f"{where}: {expression}": names(expression) for where, expression in queries()},
    }
    assert all(looked_at.values())
    unknown = {where: found - known for where, found in looked_at.items() if found - known}
    assert unknown == {}


def test_names_of_metrics_say_whose_they_are_and_what_they_measure(
    exposed: dict[str, tuple[observability.Metric, ...]],
) -> None:
    shared = ("ticketly_http_", "ticketly_consumer_", "ticketly_database_pool_", "ticketly_tracing_", "ticketly_build_")
    shared += ("ticketly_event_loop_", "ticketly_lag_canary_")
    for part, metrics in exposed.items():
        ours = [metric for metric in metrics if metric.name.startswith("ticketly_")]
        assert ours, part
        for metric in ours:
            assert metric.name.startswith((f"ticketly_{part}_", *shared)), f"{part}: {metric.name}"
            assert metric.meaning, metric.name
            assert not {"id", "user", "user_id", "path", "session", "event", "seat"} & set(metric.labels), metric.name
            if metric.kind == "histogram":
                assert metric.name.endswith(("_seconds", "_bytes", "_size")), metric.name


def test_every_part_shows_its_process_and_its_version(exposed: dict[str, tuple[observability.Metric, ...]]) -> None:
    for part, metrics in exposed.items():
        found = {metric.name for metric in metrics}
        assert {"process_resident_memory_bytes", "python_gc_collections"} <= found, part
        assert found & {"ticketly_build_info", "ticketly_operator_build_info"}, part


def test_promtool_parses_every_query_of_a_panel(check: Callable[[list[dict[str, Any]]], None]) -> None:
    found = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, (_, expression) in enumerate(queries())
    ]
    assert len(found) > 50
    check([{"name": "panels", "rules": found}])


def test_panels_say_what_they_show_in_which_unit_and_from_the_chosen_source() -> None:
    for where, panel in panels():
        if panel["type"] == "row":
            continue
        assert panel["description"].endswith("."), where
        assert panel["fieldConfig"]["defaults"]["unit"], where
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, where
        assert [target["refId"] for target in panel["targets"]] == [
            chr(ord("A") + number) for number in range(len(panel["targets"]))
        ], where
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                grouped = re.findall(r"by \(([^)]*)\)", target["expr"])
                assert not grouped or any(label in re.split(r",\s*", group) for group in grouped), f"{where}: {label}"


def test_panels_lie_beside_each_other_and_have_numbers_of_their_own() -> None:
    for board in dashboards():
        taken: set[tuple[int, int]] = set()
        found = board.json()
        assert found["schemaVersion"] == SCHEMA_VERSION
        assert len({panel["id"] for panel in found["panels"]}) == len(found["panels"])
        for panel in found["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= COLUMNS
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not taken & cells, panel["title"]
            taken |= cells


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    found = {
        rule["alert"]: rule["annotations"]["runbook_url"]
        for group in GROUPS
        for rule in group["rules"]
        if "alert" in rule
    }
    assert found == {name: f"{alerts.RUNBOOKS}/{name}.md" for name in found}
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {*found, "README"}


def test_pages_have_the_same_parts_and_none_is_empty() -> None:
    for page in RUNBOOKS.glob("Ticketly*.md"):
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.stem}\n"), page.name
        assert re.findall(r"^## .*$", text, re.MULTILINE) == HEADINGS, page.name
        for part in re.split(r"^## .*$", text, flags=re.MULTILINE):
            assert len(part.strip()) > 20, page.name
        assert "```" in text, page.name


def test_links_between_the_pages_lead_somewhere() -> None:
    pages = [*RUNBOOKS.glob("*.md"), ROOT / "docs" / "observability.md"]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in target
    ]
    assert len(links) > 30
    assert [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()] == []


def test_metrics_named_in_pages_exist(exposed: dict[str, tuple[observability.Metric, ...]]) -> None:
    known = {name for metrics in exposed.values() for metric in metrics for name in (*metric.samples, metric.name)}
    known |= {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}
    named = {
        (page.name, name)
        for page in RUNBOOKS.glob("*.md")
        for name in re.findall(r"\bticketly[_:][a-z0-9_:]+(?=[{\[) ,`])", page.read_text(encoding="utf-8"))
        if not re.fullmatch(r"ticketly_(cdc|tables|outbox|event_tables|order_outbox)", name)
    }
    assert {(page, name) for page, name in named if name not in known} == set()


def test_the_rules_file_is_valid_yaml_with_all_groups() -> None:
    found = yaml.safe_load((ROOT / observability.RULES).read_text(encoding="utf-8"))
    assert found == {"groups": GROUPS}
