"""Which form each manifest has, and who reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from generator.errors import cut
from generator.formats.pod_rules import mapping
from generator.migrate.found import Findings
from generator.migrate.kubeai import has_catalog, is_kubeai, read_kubeai, specs_of_values
from generator.migrate.manifests import Manifest, text_of
from generator.migrate.production_stack import is_production_stack, read_production_stack
from generator.migrate.rayservice import read_rayservice

_SILENT = ("ConfigMap", "Namespace")
"""ConfigMaps are read where a RayService mounts them, and told otherwise; an environment names its namespace."""
_OF_KUBERNETES = "kube-root-ca.crt"
_WHY = {
    "Secret": "no text of a secret is read: create it beside, and name it",
    "RayCluster": "it serves nothing: give the RayService",
    "RayJob": "it serves nothing: give the RayService",
    "HTTPRoute": "the chart has its own: `chart: {httpRoute: …}`",
    "Ingress": "the chart has its own: `chart: {ingress: …}`",
    "NetworkPolicy": "the chart has its own: `chart: {networkPolicy: …}`",
    "ServiceAccount": "the chart makes one: `chart: {serviceAccount: …}`",
}
_BESIDE = "it is no part of a release of the chart: apply it beside"
_KubeaiModel = tuple[str, str, Mapping[str, Any]]
"""Its name, where it is said, and its spec."""


def read_forms(manifests: Sequence[Manifest], findings: Findings) -> None:
    """Add what every manifest says; what is of no known form is told."""
    config_maps = {each.name: each for each in manifests if each.kind == "ConfigMap"}
    profiles = {key: value for each in manifests for key, value in mapping(each.data.get("resourceProfiles")).items()}
    models: list[_KubeaiModel] = []
    for manifest in manifests:
        if manifest.kind == "RayService" and text_of(manifest.data.get("apiVersion")).startswith("ray.io/"):
            read_rayservice(manifest, config_maps, findings)
        elif is_production_stack(manifest):
            read_production_stack(manifest, findings)
        elif is_kubeai(manifest) or has_catalog(manifest):
            models += _kubeai_models(manifest, findings)
        elif manifest.kind not in _SILENT and "resourceProfiles" not in manifest.data:
            kind = cut(manifest.kind or "a file of no known form")
            findings.leave_out(manifest.where, kind, _WHY.get(manifest.kind, _BESIDE))
    for name, manifest in config_maps.items():
        if name not in (*findings.config_maps, _OF_KUBERNETES):
            why = (
                "no file of it is a model or an app's code: say it in `chart: {pods: {volumes: …}}` where pods need it"
            )
            findings.leave_out(manifest.where, "ConfigMap", why)
    _tell_services([each.where for each in manifests if each.kind == "RayService"], findings)
    if models:
        read_kubeai(models, profiles, findings)


def _kubeai_models(manifest: Manifest, findings: Findings) -> list[_KubeaiModel]:
    """Those of an object, or of values."""
    if is_kubeai(manifest):
        if namespace := text_of(mapping(manifest.data.get("metadata")).get("namespace")):
            findings.namespaces[namespace] = None
        return [(manifest.name, manifest.where, mapping(manifest.data.get("spec")))]
    models = [(name, f"{manifest.where}: {cut(name)}", spec) for name, spec in specs_of_values(manifest)]
    if not models:
        findings.leave_out(manifest.where, "its catalog", "no model in it is enabled")
    return models


def _tell_services(services: list[str], findings: Findings) -> None:
    if len(services) > 1:
        why = "values of the chart are there once, and the last one's win: import each into an environment of its own"
        findings.change(services[-1], f"{len(services)} RayServices become one release", why)
