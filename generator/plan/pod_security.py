"""What an environment's pods need that a namespace may refuse: said with the plan, and no fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from generator.facts.pod_security import Level, beyond_restricted
from generator.formats.environment import Environment
from generator.plan.plans import PlanWarning

_SHOWN = 5


def pod_security_warnings(name: str, environment: Environment) -> Iterator[PlanWarning]:
    """One note for the environment, where the restricted Pod Security Standard refuses what it says."""
    found = list(_found(environment))
    if not found:
        return
    level = "privileged" if any(of == "privileged" for _, of in found) else "baseline"
    places = ", ".join(place for place, _ in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    text = (
        f"the restricted Pod Security Standard refuses {places}{more}. The namespace has to allow it: "
        f"kubectl label namespace {environment.namespace} pod-security.kubernetes.io/enforce={level}"
    )
    yield PlanWarning(kind="environment", subject=name, text=text)


def _found(environment: Environment) -> Iterator[tuple[str, Level]]:
    chart = environment.chart
    blocks: dict[str, Mapping[str, Any]] = {
        f"chart.{block}": chart.get(block) or {} for block in ("pods", "head", "ingressWorkers")
    }
    blocks |= {f"pools.{name}.workerGroup": pool.workerGroup for name, pool in environment.pools.items()}
    for where, block in blocks.items():
        for place, level in beyond_restricted(block):
            yield f"{where}.{place}", level
    if (chart.get("modelCache") or {}).get("type") == "hostPath":
        yield "chart.modelCache.hostPath", "privileged"
