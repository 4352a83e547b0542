"""Who may reach Ray's own API, which runs any code it is given: by a token, and by a NetworkPolicy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from generator.chart import Manifest, ray_service
from generator.cluster.finding import Finding, fails, passes, warns
from generator.documents.merge import JsonObject
from generator.formats.access import why_open

SUBJECT = "access"
OPERATOR_PORT = 8265
"""Ray's dashboard, to which the operator hands the applications."""


def api_findings(manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """Whether anything is between Ray's own API and the other pods of the cluster."""
    cluster = ray_service(manifests)["spec"]["rayClusterConfig"]
    token = (cluster.get("authOptions") or {}).get("mode") == "token"
    policy = _policy(manifests) is not None
    if token or policy:
        guards = ["asks for a token"] * token + ["is behind a NetworkPolicy"] * policy
        yield passes(SUBJECT, f"Ray's own API {' and '.join(guards)}")
        return
    yield warns(
        SUBJECT,
        why_open(cluster["rayVersion"]),
        "Set `networkPolicy: {enabled: true, operatorNamespace: …}` below `chart:` of the environment.",
    )


def operator_access_findings(manifests: Sequence[Manifest], operators: Sequence[JsonObject]) -> Iterator[Finding]:
    """Whether the release's NetworkPolicy lets the operators in: behind one that does not, nothing becomes ready."""
    policy = _policy(manifests)
    if policy is None:
        return
    peers = [
        peer
        for rule in policy["spec"]["ingress"]
        if any(port.get("port") == OPERATOR_PORT for port in rule.get("ports") or [])
        for peer in rule.get("from") or []
    ]
    for operator in operators:
        namespace, name = operator["metadata"]["namespace"], operator["metadata"]["name"]
        labels = (operator["spec"]["template"].get("metadata") or {}).get("labels") or {}
        if not any(_lets_in(peer, namespace, labels) for peer in peers):
            yield fails(
                SUBJECT,
                f"the NetworkPolicy keeps the operator {namespace}/{name} from the head, so nothing would become ready",
                f"Set `networkPolicy: {{operatorNamespace: {namespace}}}`. Its pods need the label "
                "app.kubernetes.io/component: kuberay-operator, which KubeRay's chart gives them.",
            )


def _policy(manifests: Sequence[Manifest]) -> Manifest | None:
    return next((each for each in manifests if each["kind"] == "NetworkPolicy" and "ingress" in each["spec"]), None)


def _lets_in(peer: JsonObject, namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether a peer as the chart writes it, by the namespace's name and by labels, is this pod."""
    named = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    wanted: Mapping[str, str] = peer["podSelector"]["matchLabels"]
    return bool(named == namespace) and wanted.items() <= labels.items()
