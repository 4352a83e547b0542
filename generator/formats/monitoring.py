"""What watches a release, in the chart's values: objects of the Prometheus operator, and dashboards for Grafana."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from generator.formats.bounds import Count
from generator.formats.fields import Closed
from generator.formats.kubernetes import Annotations, Labels
from generator.formats.texts import text

# A duration of Prometheus: units from the largest on, each once (model.ParseDuration of github.com/prometheus/common).
Duration = Annotated[
    str,
    text(
        r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?([0-9]{1,9}ms)?$",
        "empty, or a duration: numbers with h, m, s or ms behind them, such as 30s",
    ),
]
Address = Annotated[
    str,
    text(r"^(https?://[^\s\"'{}]+)?$", "empty, or an address that begins with http:// or https://", longest=2048),
]
Percent = Annotated[float, Field(gt=0, le=100)]
# The largest bucket of the time to the first token is 2560 (vllm/v1/metrics/loggers.py): above it all is alike.
Latency = Annotated[float, Field(gt=0, le=2560)]
Days = Annotated[int, Field(ge=1, le=3650)]
Minutes = Annotated[int, Field(ge=1, le=10080)]


class PodMonitor(Closed):
    """Has the Prometheus operator collect what head, ingress workers and workers tell of themselves."""

    enabled: bool = False
    interval: Duration = ""
    """How often; empty: Prometheus' own."""
    labels: Labels = {}
    """Labels of the object: those by which your Prometheus selects PodMonitors."""


class Thresholds(Closed):
    """From where on an alert fires. Latencies are what 19 of 20 requests stay below."""

    errorRatePercent: Percent = 5
    timeToFirstTokenSeconds: Latency = 5
    timePerOutputTokenSeconds: Latency = 0.2
    waitingRequests: Annotated[int, Field(ge=1, le=2**31 - 1)] = 10
    """Of one replica, on average."""
    kvCachePercent: Percent = 95
    preemptionsPerMinute: Count = 10
    gpuMemoryPercent: Percent = 98
    pendingMinutes: Minutes = 15
    """A pod that found no node."""
    changeMinutes: Minutes = 60
    """A new cluster beside the old one."""
    certificateDays: Days = 14


class PrometheusRule(Closed):
    """Alerts of the release."""

    enabled: bool = False
    labels: Labels = {}
    """Labels of the object: those by which your Prometheus selects PrometheusRules."""
    alertLabels: Labels = {}
    """Labels of every alert, such as the team that gets it."""
    runbookUrl: Address = ""
    """What the alerts' `runbook_url` begins with; the alert's name follows. Empty: they have none."""
    thresholds: Thresholds = Thresholds()


class Dashboards(Closed):
    """Grafana's dashboards, a ConfigMap each, for a sidecar that looks for them by their label."""

    enabled: bool = False
    labels: Labels = {"grafana_dashboard": "1"}
    annotations: Annotations = {}
    """Such as `grafana_folder`."""


class Monitoring(Closed):
    podMonitor: PodMonitor = PodMonitor()
    prometheusRule: PrometheusRule = PrometheusRule()
    dashboards: Dashboards = Dashboards()
