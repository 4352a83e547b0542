"""Which level of Pod Security the pods of a release need, where that is another than `restricted`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

from generator.facts.files import read_data

Level = Literal["baseline", "privileged"]
_MOUNTED = ("mountPath", "readOnly", "subPath", "subPathExpr", "mountPropagation", "recursiveReadOnly")


@cache
def pod_security() -> dict[str, list[str]]:
    rows: dict[str, list[str]] = read_data("pod_security.yaml")
    return rows


def beyond_restricted(settings: Mapping[str, Any]) -> Iterator[tuple[str, Level]]:
    """What of one block of pod settings `restricted` refuses, and the level that takes it."""
    if settings.get("hostNetwork"):
        yield "hostNetwork", "privileged"
    for name, volume in _maps(settings.get("volumes")):
        for source in (key for key in volume if key not in _MOUNTED):
            if source not in pod_security()["restrictedVolumes"]:
                yield f"volumes.{name}.{source}", "privileged" if source == "hostPath" else "baseline"
    for key in ("podSecurityContext", "securityContext"):
        yield from _of_context(key, settings.get(key) or {})
    for key in ("extraContainers", "initContainers"):
        for name, container in _maps(settings.get(key)):
            for port, said in _maps(container.get("ports")):
                if said.get("hostPort"):
                    yield f"{key}.{name}.ports.{port}.hostPort", "privileged"
            yield from _of_context(f"{key}.{name}.securityContext", container.get("securityContext") or {})


def _of_context(where: str, context: Mapping[str, Any]) -> Iterator[tuple[str, Level]]:
    if context.get("privileged"):
        yield f"{where}.privileged", "privileged"
    if (context.get("seccompProfile") or {}).get("type") == "Unconfined":
        yield f"{where}.seccompProfile", "privileged"
    if context.get("runAsNonRoot") is False:
        yield f"{where}.runAsNonRoot", "baseline"
    if context.get("runAsUser") == 0:
        yield f"{where}.runAsUser", "baseline"
    if context.get("allowPrivilegeEscalation"):
        yield f"{where}.allowPrivilegeEscalation", "baseline"
    for capability in (context.get("capabilities") or {}).get("add") or []:
        if capability not in pod_security()["restrictedCapabilities"]:
            level: Level = "baseline" if capability in pod_security()["baselineCapabilities"] else "privileged"
            yield f"{where}.capabilities.add ({capability})", level


def _maps(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, each in (value or {}).items():
        if isinstance(each, dict):
            yield name, each
