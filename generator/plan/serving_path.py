"""Which path requests take in an environment, and where it is said."""

from __future__ import annotations

from generator.documents.merge import JsonObject
from generator.facts.releases import RayRelease

PATH_SWITCHES = {"RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING", "RAY_SERVE_THROUGHPUT_OPTIMIZED"}
"""Ray's variables of the throughput path: who sets one in `pods.env` chooses by hand."""


def standard_because(chart: JsonObject, release: RayRelease) -> str:
    """What keeps an environment on the standard path, as it is said there; empty where it takes the throughput path.

    `chart` is what it says of the chart. Decision 15: the faster path where the Ray release has it and nothing is asked
    for that only the other can.
    """
    serving, pods = chart.get("serving") or {}, chart.get("pods") or {}
    if not release.throughput_path:
        return f"Ray {release.ray}, which has no other"
    if path := serving.get("path"):
        return "" if path == "throughput" else f"chart.serving.path: {path}"
    if serving.get("routing") == "unified":
        return "chart.serving.routing: unified"
    if serving.get("ingress"):
        return "chart.serving.ingress"
    switches = sorted(PATH_SWITCHES & (pods.get("env") or {}).keys())
    return f"chart.pods.env.{switches[0]}" if switches else ""
