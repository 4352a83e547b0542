"""What a process tells Prometheus: the names, types and labels of its metrics.

python -m tools.watch.exposition FILE…    prints them as tests/support/metrics.yaml has them
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_TYPE = re.compile(r"# TYPE (\S+) (\w+)")
_SERIES = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? ")
_LABEL = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="')
_PARTS = ("_bucket", "_sum", "_count")
# Of every metric that passes Ray's recorder, and nothing that a query asks for.
_OF_THE_RECORDER = ("otel_scope_name", "otel_scope_schema_url", "otel_scope_version", "SessionName", "Version")


@dataclass
class Metric:
    type: str
    labels: set[str] = field(default_factory=set)


def metrics(text: str) -> dict[str, Metric]:
    """By name; of a histogram without the endings of its parts."""
    found: dict[str, Metric] = {}
    for line in text.splitlines():
        if declared := _TYPE.match(line):
            found.setdefault(declared[1], Metric(declared[2]))
        elif series := _SERIES.match(line):
            metric = found.get(series[1]) or found.get(_whole(series[1]))
            if metric is not None:
                metric.labels |= {name for name in _LABEL.findall(series[2] or "") if name not in _OF_THE_RECORDER}
    return found


def _whole(name: str) -> str:
    for part in _PARTS:
        name = name.removesuffix(part)
    return name


def lines(found: Mapping[str, Metric]) -> list[str]:
    return [
        f"  {name}: {{type: {metric.type}, labels: [{', '.join(sorted(metric.labels - {'le'}))}]}}"
        for name, metric in sorted(found.items())
    ]


if __name__ == "__main__":
    everything: dict[str, Metric] = {}
    for file in sys.argv[1:]:
        everything |= metrics(Path(file).read_text(encoding="utf-8"))
    print("\n".join(lines(everything)))
