"""What a cluster's KubeRay is, and what it knows of a rendered release."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from generator.cluster.finding import Finding, fails, passes, warns
from generator.documents.merge import JsonObject
from generator.facts.files import version
from generator.facts.releases import kuberay

SUBJECT = "KubeRay"
CRDS = ("rayservices.ray.io", "rayclusters.ray.io")
INSTALL = "Install KubeRay: helm install kuberay-operator kuberay/kuberay-operator -n kuberay-system --create-namespace"


def crd_findings(crds: dict[str, JsonObject | None]) -> Iterator[Finding]:
    """Each CRD by name, None where there is none."""
    missing = [name for name, crd in crds.items() if crd is None]
    if missing:
        yield fails(SUBJECT, f"no CRD {' and no CRD '.join(missing)}", INSTALL)
        return
    for name, crd in crds.items():
        assert crd is not None
        served = [version["name"] for version in crd["spec"]["versions"] if version.get("served")]
        if "v1" not in served:
            yield fails(SUBJECT, f"CRD {name} serves {', '.join(served)} and not v1", _update())
            return
    yield passes(SUBJECT, f"CRDs {', '.join(crds)} (v1)")


def operator_findings(deployments: Sequence[JsonObject], namespace: str) -> Iterator[Finding]:
    """Of all Deployments of the cluster, the operator's: its version, whether it runs and watches the namespace."""
    found = operators(deployments)
    if not found:
        yield warns(
            SUBJECT,
            "no operator is to be seen in the cluster; one may run outside of it",
            f"Without an operator nothing starts. {INSTALL}",
        )
    for operator in found:
        metadata = operator["metadata"]
        where = f"operator {metadata['namespace']}/{metadata['name']}"
        stated = operator_version(operator)
        if stated is None:
            yield warns(SUBJECT, f"{where} does not say its version", f"Check that it is {kuberay().oldest} or later.")
        elif version(stated) < version(kuberay().oldest):
            yield fails(SUBJECT, f"{where} is {stated}, and the chart needs {kuberay().oldest}", _update())
        watched = _watched_namespaces(operator)
        if watched and namespace not in watched:
            yield fails(
                SUBJECT,
                f"{where} watches only {', '.join(watched)}",
                f"Add {namespace} to the operator's watched namespaces, or install there.",
            )
        if not operator.get("status", {}).get("readyReplicas"):
            yield fails(
                SUBJECT,
                f"{where} does not run",
                f"See why: kubectl describe deployment -n {metadata['namespace']} {metadata['name']}",
            )
        elif stated:
            yield passes(SUBJECT, f"{where} runs, version {stated}")


def operators(deployments: Sequence[JsonObject]) -> list[JsonObject]:
    """Those Deployments that are KubeRay's operator."""
    return [deployment for deployment in deployments if _operator_container(deployment) is not None]


def operator_version(deployment: JsonObject) -> str | None:
    """`1.6.1`, of the image's tag, else of the labels that Helm charts set."""
    container = _operator_container(deployment)
    assert container is not None
    labels = deployment["metadata"].get("labels") or {}
    versions = [
        container["image"].partition("@")[0].rpartition("/")[2].partition(":")[2],
        labels.get("app.kubernetes.io/version", ""),
        labels.get("helm.sh/chart", "").removeprefix("kuberay-operator-"),
    ]
    return next((match[1] for text in versions if (match := re.match(r"v?(\d+\.\d+\.\d+)", text))), None)


def operator_words(deployment: JsonObject) -> str:
    """What its command line says."""
    container = _operator_container(deployment)
    assert container is not None
    return " ".join([*(container.get("command") or []), *(container.get("args") or [])])


def unknown_field_findings(message: str) -> list[Finding]:
    """What the API server says of fields that this KubeRay's CRD lacks, in words; empty where it says nothing of it.

    Without a strict check the API server drops such fields, and an installation goes on without them.
    """
    findings = []
    for path in dict.fromkeys(re.findall(r'unknown field "([^"]+)"', message)):
        known = next((key for key in kuberay().fields if path == key or path.startswith(f"{key}.")), None)
        if known is None:
            findings.append(
                fails(
                    SUBJECT,
                    f"KubeRay on this cluster does not know {path}, and would leave it out in silence",
                    f"Take it out of the values, or update KubeRay ({kuberay().oldest} or later is needed anyway).",
                )
            )
        else:
            field = kuberay().fields[known]
            findings.append(
                fails(
                    SUBJECT,
                    f"KubeRay on this cluster does not know {known} (it came with {field.since}), and would leave it "
                    "out in silence",
                    f"{field.instead} below `chart:` of the environment; or update KubeRay to {field.since} or later.",
                )
            )
    return findings


def _operator_container(deployment: JsonObject) -> JsonObject | None:
    containers: list[JsonObject] = deployment["spec"]["template"]["spec"]["containers"]
    labels = {*(deployment["metadata"].get("labels") or {}).values()}
    for container in containers:
        repository = container["image"].partition("@")[0]
        if "kuberay" in repository and "operator" in repository:
            return container
    return containers[0] if "kuberay-operator" in labels else None


def _watched_namespaces(deployment: JsonObject) -> list[str]:
    flag = re.search(r"-watch-namespace[= ]\"?([a-z0-9,-]+)", operator_words(deployment))
    return flag[1].split(",") if flag else []


def _update() -> str:
    return f"Update KubeRay to {kuberay().oldest} or later, its CRDs too: Helm does not update CRDs."
