"""Whether what watches a release can be there: what the cluster knows, against `monitoring` of the values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from generator.chart import Manifest
from generator.cluster.finding import Finding, fails, passes, warns

SUBJECT = "monitoring"
MONITORING = "monitoring.coreos.com/v1"
KINDS: Mapping[str, str] = {"PodMonitor": "podMonitor", "PrometheusRule": "prometheusRule"}
"""By kind, its key in the values."""


def monitoring_findings(known: Mapping[str, bool], manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """`known`: whether the cluster knows each of KINDS."""
    made = {manifest["kind"] for manifest in manifests if manifest["apiVersion"] == MONITORING}
    without = [kind for kind in KINDS if kind in made and not known[kind]]
    unused = [KINDS[kind] for kind in KINDS if known[kind] and kind not in made]
    to_write = " and ".join(f"`{key}: {{enabled: true}}`" for key in unused)
    if without:
        yield fails(
            SUBJECT,
            f"the cluster does not know {' and '.join(without)} ({MONITORING}), and helm refuses the release",
            "Install the Prometheus operator's CRDs (kube-prometheus-stack has them), or take "
            f"{' and '.join(f'monitoring.{KINDS[kind]}' for kind in without)} out of the values.",
        )
    if unused:
        yield warns(
            SUBJECT,
            "the cluster has a Prometheus operator, and nothing of this release "
            + ("is collected" if "podMonitor" in unused else "alerts"),
            f"Write {to_write} below `monitoring` of the chart's values, or leave it so.",
        )
    if made and not without and not unused:
        yield passes(SUBJECT, f"the cluster knows {' and '.join(sorted(made))}")
