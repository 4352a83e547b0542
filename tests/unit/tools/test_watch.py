"""What a process tells Prometheus, as the list of metrics has it, and where panels stand."""

from __future__ import annotations

import json

from tests.support.queries import asked
from tools.watch.exposition import lines, metrics
from tools.watch.grafana import COLUMNS, grafana_json
from tools.watch.panels import DASHBOARDS

TOLD = """\
# HELP ray_waiting Requests that wait.
# TYPE ray_waiting gauge
ray_waiting{Version="2.60.0",model_name="m",reason="a, {b}"} 0.0
# TYPE ray_seconds histogram
ray_seconds_bucket{le="0.5",model_name="m"} 1.0
ray_seconds_count{model_name="m"} 1.0
# TYPE ray_up gauge
ray_up 1
"""


def test_the_list_has_types_and_labels_without_those_of_every_series() -> None:
    assert lines(metrics(TOLD)) == [
        "  ray_seconds: {type: histogram, labels: [model_name]}",
        "  ray_up: {type: gauge, labels: []}",
        "  ray_waiting: {type: gauge, labels: [model_name, reason]}",
    ]


def test_what_a_query_asks_for_is_seen() -> None:
    found = asked('sum by (a, b) (rate(x_total{c="{d}",e=~"f"}[5m])) / on (g) sum(y_total) > time()')
    assert found.metrics == {"x_total": {"c", "e"}}
    assert found.labels == {"a", "b", "g"}
    assert found.bare == {"y_total"}


def test_panels_lie_beside_and_below_each_other() -> None:
    for dashboard in DASHBOARDS:
        taken = set()
        for panel in json.loads(grafana_json(dashboard))["panels"]:
            place = panel["gridPos"]
            cells = {(place["x"] + column, place["y"]) for column in range(place["w"])}
            assert place["x"] + place["w"] <= COLUMNS
            assert not cells & taken
            taken |= cells
