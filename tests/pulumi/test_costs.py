"""The cost tables add up, and hold what the profiles really make."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ticketly_infra.config import load

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "aws" / "costs.md").read_text(encoding="utf-8")
PROD = {"profile": "prod", "domain": "x.example.com", "alarmEmail": "o@example.com"}


def table(profile: str) -> tuple[dict[str, tuple[str, float, float, float]], float]:
    part = TEXT.split(f"## Profile `{profile}`")[1].split("\n## ")[0]
    rows, total = {}, 0.0
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and re.fullmatch(r"[0-9.]+", cells[2]):
            rows[cells[0]] = (cells[1], float(cells[2]), float(cells[4]), float(cells[5]))
        elif cells[0] == "**Sum**":
            total = float(cells[5].strip("*"))
    return rows, total


@pytest.mark.parametrize("profile", ["dev", "prod"])
def test_every_line_and_the_sum_are_right(profile):
    rows, total = table(profile)
    assert len(rows) > 15
    for name, (_, quantity, each, month) in rows.items():
        assert month == pytest.approx(quantity * each, abs=0.006), name
    assert total == pytest.approx(sum(month for *_, month in rows.values()), abs=0.01)


@pytest.mark.parametrize("profile", ["dev", "prod"])
def test_the_budget_of_a_profile_is_above_its_estimate(profile):
    settings = load(profile, {**PROD, "profile": profile})
    assert table(profile)[1] < settings.monthly_budget_usd


def test_the_tables_name_the_sizes_of_the_profiles():
    prod, dev = load("prod", PROD), load("dev", {**PROD, "profile": "dev"})
    rows = table("prod")[0]
    assert rows["PostgreSQL"][0].startswith(prod.database.instance_class)
    assert rows["Nodes"][0] == f"{prod.cluster.min_nodes} {prod.cluster.instance_type}"
    assert rows["MSK"][0] == f"{3 * prod.kafka.brokers_per_zone} {prod.kafka.instance_type}"
    assert rows["DocumentDB"][0] == f"{prod.documents.nodes} {prod.documents.instance_class}"
    assert rows["ElastiCache"][0] == f"{prod.cache.nodes} {prod.cache.node_type}"
    rows = table("dev")[0]
    assert rows["PostgreSQL"][0].startswith(dev.database.instance_class)
    assert rows["k3s"][0].startswith(f"{1 + dev.cluster.min_nodes} {dev.cluster.instance_type}")
    assert rows["Data node"][0] == f"1 {dev.data_node.instance_type}"


def test_the_tables_count_what_the_programs_make(programs):
    for profile, run in programs.items():
        rows = table(profile)[0]
        counted = {
            "Secrets": "secretsmanager/secret:Secret",
            "Alarms": "cloudwatch/metricAlarm:MetricAlarm",
            "Keys": "kms/key:Key",
        }
        for name, kind in counted.items():
            assert int(rows[name][0]) == len(run.resources.of(kind)), (profile, name)
