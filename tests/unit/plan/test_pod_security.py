"""A plan says what its pods need that a restricted namespace refuses."""

from __future__ import annotations

from typing import Any

from generator.formats.environment import Environment
from generator.plan.pod_security import pod_security_warnings


def told(chart: dict[str, Any], **pool: Any) -> list[str]:
    environment = Environment.model_validate(
        {"namespace": "ai", "ray": "2.60.0", "chart": chart, "pools": {"l4": {"nodes": 1, **pool}}, "serve": {}}
    )
    return [str(warning) for warning in pod_security_warnings("dev", environment)]


def test_what_the_restricted_level_takes_is_not_told() -> None:
    context = {"capabilities": {"add": ["NET_BIND_SERVICE"]}, "runAsUser": 7}
    volumes = {"a": {"mountPath": "/a", "readOnly": True, "csi": {"driver": "x"}}, "b": {"image": {"reference": "x"}}}
    assert told({"pods": {"securityContext": context, "volumes": volumes}}) == []


def test_every_place_is_named_with_the_level_that_takes_them_all() -> None:
    (text,) = told({"head": {"volumes": {"m": {"mountPath": "/m", "nfs": {}}}, "podSecurityContext": {"runAsUser": 0}}})
    assert text == (
        "environment dev: the restricted Pod Security Standard refuses chart.head.volumes.m.nfs, "
        "chart.head.podSecurityContext.runAsUser. The namespace has to allow it: "
        "kubectl label namespace ai pod-security.kubernetes.io/enforce=baseline"
    )
    helper = {
        "securityContext": {"privileged": True, "allowPrivilegeEscalation": True, "capabilities": {"add": ["KILL"]}}
    }
    ports = {"ports": {"http": {"containerPort": 1, "hostPort": 1}}}
    (text,) = told(
        {"modelCache": {"type": "hostPath", "hostPath": "/m"}},
        workerGroup={"hostNetwork": True, "extraContainers": {"a": helper, "b": ports}},
    )
    assert "refuses pools.l4.workerGroup.hostNetwork, pools.l4.workerGroup.extraContainers.a.securityContext.p" in text
    assert " and 1 more. " in text and text.endswith("enforce=privileged")
