"""A dashboard's data as what Grafana reads: JSON of its schema version 39 (Grafana 11)."""

from __future__ import annotations

import json
from typing import Any

from tools.watch.panels import Dashboard, Panel

COLUMNS = 24
HEIGHT = 8
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def grafana_json(dashboard: Dashboard) -> str:
    return json.dumps(_dashboard(dashboard), indent=1, ensure_ascii=False) + "\n"


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "uid": f"ray-serve-llm-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["ray-serve-llm"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source(), *(_variable(*each) for each in dashboard.variables.items())]},
        "links": [
            {
                "type": "dashboards",
                "title": "Ray Serve LLM",
                "tags": ["ray-serve-llm"],
                "keepTime": True,
                "includeVars": True,
            }
        ],
        "panels": _placed(dashboard.panels),
    }


def _source() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _variable(name: str, values: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": f"label_values({values})", "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
        "sort": 1,
    }


def _placed(panels: Any) -> list[dict[str, Any]]:
    """The panels in rows, from left to right."""
    placed, left, top = [], 0, 0
    for number, panel in enumerate(panels, 1):
        if left + panel.width > COLUMNS:
            left, top = 0, top + HEIGHT
        place = {"h": HEIGHT, "w": panel.width, "x": left, "y": top}
        placed.append({"id": number, "gridPos": place, **_panel(panel)})
        left += panel.width
    return placed


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.question,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for number, (legend, query) in enumerate(panel.queries.items())
        ],
    }
