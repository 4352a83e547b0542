"""Queries of Prometheus: those that alerts and dashboards ask, and the metrics and labels in one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.paths import ROOT
from tools.watch.panels import DASHBOARDS

METRICS: Mapping[str, Any] = yaml.safe_load((ROOT / "tests" / "support" / "metrics.yaml").read_text(encoding="utf-8"))
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)\{([^}]*)\}")
_MATCHER = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)\s*(?:=~|!~|!=|=)\s*""')
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring) \(([^)]*)\)")
_WORD = re.compile(r"\b[a-z_]+:?[a-z_]*_[a-z_]+\b")
_FUNCTIONS = {"histogram_quantile", "max_over_time"}


@dataclass(frozen=True)
class Asked:
    """What a query asks for."""

    metrics: dict[str, set[str]]
    """By metric as it is written, the labels by which it is chosen."""
    labels: set[str]
    """Those by which its series are grouped."""
    bare: set[str]
    """Metrics without braces, and so of every release."""


def asked(query: str) -> Asked:
    plain = _TEXT.sub('""', query)
    metrics: dict[str, set[str]] = {}
    for name, matchers in _SELECTOR.findall(plain):
        metrics.setdefault(name, set()).update(_MATCHER.findall(matchers))
    grouped = {label.strip() for labels in _GROUPING.findall(plain) for label in labels.split(",")}
    rest = _GROUPING.sub("", _SELECTOR.sub("", plain))
    return Asked(metrics, grouped, set(_WORD.findall(rest)) - _FUNCTIONS)


def known() -> dict[str, set[str]]:
    """By series as a query writes it, its labels."""
    found: dict[str, set[str]] = {}
    for source in ("read", "others", "told"):
        for name, row in METRICS[source].items():
            labels = {*row["labels"], *METRICS["target"]}
            if row["type"] == "histogram":
                found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
            else:
                found[name] = labels
    return found


def panel_queries() -> Iterator[tuple[str, str]]:
    """Where each query of the dashboards is, and the query with Grafana's own words filled in."""
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for legend, query in panel.queries.items():
                filled = re.sub(r"\$(namespace|ray_service|application|model)\b", ".+", query)
                yield f"{dashboard.name} / {panel.title} / {legend}", filled.replace("$__rate_interval", "2m")
