"""What a RayService says of its whole cluster, as values of the chart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from generator.documents.merge import JsonObject, merged, without
from generator.errors import cut
from generator.facts.releases import releases
from generator.formats.availability import IN_STEPS, UpgradeStrategy
from generator.formats.chart_values import AutoscalerOptions
from generator.formats.pod_rules import mapping, mappings
from generator.migrate.found import Findings
from generator.migrate.manifests import text_of, whole_of
from generator.migrate.redis import take_redis
from generator.migrate.worker_groups import first_container, pod_settings

_SPEC = ("serveConfigV2", "rayClusterConfig", "upgradeStrategy", "rayClusterDeletionDelaySeconds",
         "excludeHeadPodFromServeSvc")  # fmt: skip
_CLUSTER = ("rayVersion", "headGroupSpec", "workerGroupSpecs", "enableInTreeAutoscaling", "autoscalerOptions",
            "gcsFaultToleranceOptions")  # fmt: skip
_TAG_VERSION = re.compile(r":(?:.*[^0-9.])?([0-9]+\.[0-9]+\.[0-9]+)")


def take_cluster(spec: Mapping[str, Any], cluster: Mapping[str, Any], findings: Findings, *, where: str) -> None:
    """Add the chart's values and Ray's version; what changes is told."""
    head = mapping(cluster.get("headGroupSpec"))
    pod = mapping(mapping(head.get("template")).get("spec"))
    image = text_of(first_container(pod).get("image"))
    version = text_of(cluster.get("rayVersion")) or next(iter(_TAG_VERSION.findall(image)), "")
    if version:
        findings.rays[version] = None
    values: JsonObject = {"image": image_words(image, version, findings, where)}
    if secrets := [text_of(each.get("name")) for _, each in mappings(pod.get("imagePullSecrets"))]:
        values["image"]["pullSecrets"] = secrets
    values["head"] = pod_settings(
        mapping(head.get("template")), head.get("rayStartParams"), findings, where=f"{where}: head"
    )
    values["head"].pop("sharedMemory", None)
    values["gcsFaultTolerance"] = take_redis(cluster, values["head"], findings, where=where)
    if resources := mapping(first_container(pod).get("resources")):
        values["head"]["resources"] = dict(resources)
    options = mapping(cluster.get("autoscalerOptions"))
    stated = {key: options[key] for key in AutoscalerOptions.model_fields if options.get(key)}
    values["autoscalerOptions"] = without(stated, AutoscalerOptions().model_dump())
    if cluster.get("enableInTreeAutoscaling") is not True:
        why = "workers come when replicas need them, up to the pool's nodes, and go when they are idle"
        findings.change(where, "a fixed number of workers", why)
    delay = whole_of(spec.get("rayClusterDeletionDelaySeconds"))
    values["rayClusterDeletionDelaySeconds"] = delay
    values["upgradeStrategy"] = _upgrade_strategy(mapping(spec.get("upgradeStrategy")), findings, where)
    if mapping(pod.get("securityContext")).get("runAsNonRoot") is not True:
        why = "the chart's pods are no root, have no capabilities and no token of Kubernetes' API"
        findings.change(where, "what its pods may do", why)
    findings.leave_out_unread(where, spec, _SPEC)
    findings.leave_out_unread(f"{where}: rayClusterConfig", cluster, _CLUSTER)
    if account := text_of(pod.get("serviceAccountName")):
        why = "the chart makes one for its pods: `chart: {serviceAccount: {create: false, name: …}}` keeps another"
        findings.change(where, f"ServiceAccount {cut(account)}", why)
    findings.chart = merged(findings.chart, {key: value for key, value in values.items() if value})


def _upgrade_strategy(strategy: Mapping[str, Any], findings: Findings, where: str) -> JsonObject:
    """As KubeRay has it, where it is whole; left out where it is what the chart does anyway."""
    kind, options = text_of(strategy.get("type")), strategy.get("clusterUpgradeOptions")
    words = {"type": kind, **({"clusterUpgradeOptions": options} if kind == IN_STEPS else {})}
    if kind in ("", "NewCluster"):
        return {}
    with suppress(ValidationError):
        UpgradeStrategy.model_validate(words)
        if kind != IN_STEPS or options:
            return words
    findings.leave_out(where, f"upgradeStrategy {cut(kind)}", "the chart makes a new cluster beside the old one")
    return {}


def image_words(image: str, version: str, findings: Findings, where: str) -> JsonObject:
    """An image of one's own, as the chart says it. That of the Ray release is known by the release."""
    repository, _, tag = image.rpartition(":") if ":" in image.rsplit("/", 1)[-1] else (image, "", "")
    digest = ""
    if "@" in image:
        repository, _, digest = image.partition("@")
    if not image or repository.removeprefix("docker.io/") == "rayproject/ray-llm":
        known = releases().get(version)
        if known and tag and tag != known.facts["image"]["tag"]:
            findings.change(where, f"image tag {cut(tag)}", f"Ray {version} has {known.facts['image']['tag']}")
        return {}
    words = {"repository": repository, "tag": tag, "digest": digest}
    return {key: value for key, value in words.items() if value}
