"""A plan says what containers beside Ray's ask of the nodes, and takes devices by claims beside its own resources."""

from __future__ import annotations

from typing import Any

import pytest

from generator.errors import UserErrors
from generator.plan.plan import Plan, make_plan
from generator.values import worker_group
from tests.support.builders import catalog, environment, model


def plan(chart: dict[str, Any], **group: Any) -> Plan:
    pools = {"p": {"gpu": "L4-24GB", "gpusPerNode": 2, "nodes": 4, "workerGroup": group}}
    return make_plan(
        "test", environment(pools, chart=chart), catalog(family={"small": model(billions=1)}), where="e.yaml"
    )


def notes(decided: Plan) -> list[str]:
    return [str(warning) for warning in decided.warnings if "containers beside Ray's" in warning.text]


def test_what_they_ask_for_is_beside_what_the_plan_gives_a_worker() -> None:
    shipper = {"restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "512Mi"}}}
    first = {"resources": {"requests": {"cpu": 4}}}
    chart = {"pods": {"initContainers": {"logs": shipper, "first": first}, "extraContainers": {"idle": {}}}}
    (note,) = notes(plan(chart, extraContainers={"proxy": {"resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}}))
    assert note == (
        "pool p: containers beside Ray's ask for 1.1 CPUs and 1.5 GiB in each worker pod, 2 to a node, beside "
        "cpusPerNode and memoryPerNode: leave as much of the node out of these"
    )
    assert notes(plan({"pods": {"initContainers": {"first": first}, "extraContainers": {"idle": {}}}})) == []


def test_devices_by_claims_stand_beside_the_planned_resources() -> None:
    claims = {"nic": {"resourceClaimTemplateName": "roce"}}
    decided = plan({}, resourceClaims=claims, resources={"claims": {"nic": {}}})
    group = worker_group(decided.pools["p"])
    assert group["resources"]["claims"] == {"nic": {}}
    assert group["resources"]["limits"] == {"cpu": 6, "memory": "24Gi"}
    with pytest.raises(UserErrors, match=r"workerGroup\.resources is the plan's to decide"):
        plan({}, resources={"claims": {"nic": {}}, "limits": {"cpu": 1}})
