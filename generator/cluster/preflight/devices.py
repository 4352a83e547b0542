"""Whether the devices that pods claim can be had: claims, templates, and the API of dynamic resource allocation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from generator.cluster.api import Cluster, api_path
from generator.cluster.finding import Finding, fails, passes
from generator.cluster.pods import PodGroup

API = "resource.k8s.io/v1"
SUBJECT = "devices"
_KINDS = {
    "resourceClaimName": ("ResourceClaim", "resourceclaims"),
    "resourceClaimTemplateName": ("ResourceClaimTemplate", "resourceclaimtemplates"),
}


def device_findings(
    cluster: Cluster, groups: Iterable[PodGroup], rendered: set[tuple[str, str]], namespace: str
) -> Iterator[Finding]:
    """One for each claim and template; `rendered` are the kinds and names of the release's own objects."""
    claims = [claim for group in groups for claim in group.spec.get("resourceClaims") or []]
    named = sorted({(field, claim[field]) for claim in claims for field in _KINDS if claim.get(field)})
    if named and cluster.get_if_there(f"/apis/{API}") is None:
        yield fails(
            SUBJECT,
            f"the cluster does not know {API}, and pods have resourceClaims",
            "It is in Kubernetes from 1.34 on; without it devices come by `resources.limits`.",
        )
        return
    for field, name in named:
        kind, plural = _KINDS[field]
        if (kind, name) in rendered:
            continue
        if cluster.get_if_there(api_path(API, plural, name, namespace=namespace)) is None:
            fix = f"Make it, or name one of: kubectl get {plural} -n {namespace}"
            yield fails(SUBJECT, f"{kind} {namespace}/{name} does not exist", fix)
        else:
            yield passes(SUBJECT, f"{kind} {namespace}/{name} is there")
