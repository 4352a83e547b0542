"""How many replicas each deployment has, from the metrics that Ray Serve's controller gives on the head pod.

KubeRay's own status does not count replicas, and Ray's API asks for a token that only the pods have. The metrics are
text: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

Counts = Mapping[str, Mapping[str, tuple[int, int]]]
"""By application and deployment: replicas that run, replicas that are wanted."""

HEALTHY = "ray_serve_deployment_replica_healthy"
TARGET = "ray_serve_autoscaling_target_replicas"
_SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def replica_counts(metrics: str) -> Counts:
    """Read them of the text of a metrics page. A deployment that says no target is wanted as it is."""
    running: dict[tuple[str, str], int] = {}
    wanted: dict[tuple[str, str], int] = {}
    for line in metrics.splitlines():
        sample = _SAMPLE.match(line)
        if sample is None or sample[1] not in (HEALTHY, TARGET):
            continue
        labels = dict(_LABEL.findall(sample[2]))
        key, value = (labels.get("application", ""), labels.get("deployment", "")), _number(sample[3])
        if value is None:
            continue
        if sample[1] == TARGET:
            wanted[key] = int(value)
        else:
            running[key] = running.get(key, 0) + (value > 0)
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    for application, deployment in {**wanted, **running}:
        key = (application, deployment)
        counts.setdefault(application, {})[deployment] = (running.get(key, 0), wanted.get(key, running.get(key, 0)))
    return counts


def _number(stated: str) -> float | None:
    """The value of a sample; None where it is none or has no end (`NaN`, `+Inf`)."""
    try:
        value = float(stated)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
