"""Grafana dashboards from tables of panels: layout, variables and everything that is the same in each. Pure.

Schema version 39 (Grafana 10.4 and newer read it). The data source is a variable, so a file fits every Grafana.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

SCHEMA_VERSION: Final = 39
COLUMNS: Final = 24
_HEIGHT: Final = 8
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Unit = Literal["short", "s", "bytes", "reqps", "ops", "percentunit", "none", "string"]


@dataclass(frozen=True, slots=True)
class Query:
    """``legend`` is Grafana's template of a line's name: ``{{outcome}}``."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """``stat`` shows the last value large, ``timeseries`` the course; ``width`` is in 24ths of the dashboard."""

    title: str
    description: str
    unit: Unit
    queries: tuple[Query, ...]
    kind: Literal["timeseries", "stat"] = "timeseries"
    width: int = 8
    stacked: bool = False
    limit: float | None = None
    """Where the line turns red."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """``uid`` is part of its address in Grafana and never changes."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]

    def json(self) -> dict[str, Any]:
        """Return it as Grafana imports it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["ticketly"],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"},
            "timezone": "browser",
            "annotations": {"list": [_alerts()]},
            "templating": {"list": _variables()},
            "panels": _placed(self.rows),
        }


def _placed(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        heading = {"type": "row", "title": row.title, "collapsed": False, "panels": []}
        found.append({"id": len(found) + 1, **heading, "gridPos": place})
        y += 1
        x = 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y = 0, y + _HEIGHT
            found.append(_panel(panel, len(found) + 1, {"x": x, "y": y, "w": panel.width, "h": _HEIGHT}))
            x += panel.width
        y += _HEIGHT
    return found


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": [],
    }
    options: dict[str, Any]
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 10,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if panel.stacked else "none"},
            "thresholdsStyle": {"mode": "off" if panel.limit is None else "line"},
        }
        options = {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    else:
        options = {
            "colorMode": "value",
            "graphMode": "area",
            "justifyMode": "auto",
            "textMode": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "editorMode": "code",
                "expr": query.expression,
                "legendFormat": query.legend,
                "range": True,
            }
            for index, query in enumerate(panel.queries)
        ],
    }


def _variables() -> list[dict[str, Any]]:
    chosen = {"hide": 0, "includeAll": False, "multi": False, "refresh": 2, "sort": 1, "type": "query"}
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0},
        {
            **chosen,
            "name": "namespace",
            "label": "Namespace",
            "datasource": _SOURCE,
            "query": {"query": "label_values(ticketly_operator_condition, namespace)", "refId": "namespace"},
        },
        {
            **chosen,
            "name": "platform",
            "label": "Platform",
            "datasource": _SOURCE,
            "query": {
                "query": 'label_values(ticketly_operator_condition{namespace="$namespace"}, platform)',
                "refId": "platform",
            },
        },
    ]


def _alerts() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertname=~"Ticketly.+",alertstate="firing",namespace=~"$namespace|"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{severity}}",
    }
