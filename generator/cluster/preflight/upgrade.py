"""Whether a cluster can do what `NewClusterWithIncrementalUpgrade` asks: KubeRay's gate, and the Gateway API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from generator.chart import Manifest, ray_service
from generator.cluster.finding import Finding, fails, passes, warns
from generator.cluster.preflight.kuberay import SUBJECT, operator_words
from generator.documents.merge import JsonObject
from generator.facts.releases import kuberay
from generator.formats.availability import IN_STEPS

_INSTEAD = "or set `upgradeStrategy: {type: NewCluster}` below `chart:` of the environment."


def gateway_class(manifests: Sequence[Manifest]) -> str | None:
    """The GatewayClass of an update in steps; None where the release has none."""
    strategy = ray_service(manifests)["spec"].get("upgradeStrategy") or {}
    if strategy.get("type") != IN_STEPS:
        return None
    name: str = strategy["clusterUpgradeOptions"]["gatewayClassName"]
    return name


def gate_findings(operators: Sequence[JsonObject]) -> Iterator[Finding]:
    """Of each operator. With its gate off a changed cluster is ignored, as with `None`."""
    gate = kuberay().incremental_upgrade_gate
    for operator in operators:
        where = f"operator {operator['metadata']['namespace']}/{operator['metadata']['name']}"
        if gate in _gates_on(operator_words(operator)):
            yield passes(SUBJECT, f"{where} has the gate {gate} on")
        else:
            yield fails(
                SUBJECT,
                f"{where} has the gate {gate} off, and would ignore a changed cluster without a word",
                f"Give it the argument --feature-gates={gate}=true (`featureGates` of KubeRay's own chart), {_INSTEAD}",
            )


def gateway_class_finding(name: str, found: JsonObject | None) -> Finding:
    """Whether the class is there, and something makes Gateways of it."""
    if found is None:
        fix = f"Install the Gateway API with an implementation, name its class (`kubectl get gatewayclass`), {_INSTEAD}"
        return fails("gateway", f"there is no GatewayClass {name}, so no request would reach the release", fix)
    conditions = (found.get("status") or {}).get("conditions") or []
    if not any(each.get("type") == "Accepted" and each.get("status") == "True" for each in conditions):
        return warns("gateway", f"nothing has accepted the GatewayClass {name} yet", "Check that its controller runs.")
    return passes("gateway", f"GatewayClass {name} is there")


def _gates_on(words: str) -> set[str]:
    pairs = [pair for flag in re.findall(r"-feature-gates[= ]\"?([\w=,]+)", words) for pair in flag.split(",")]
    stated = dict(pair.partition("=")[::2] for pair in pairs)  # of one that is said twice the last counts
    return {gate for gate, value in stated.items() if value.lower() in ("true", "t", "1")}
