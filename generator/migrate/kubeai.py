"""KubeAI: objects of kind Model, or the values of its chart of models, with its resource profiles.

Fields and formats of urls: github.com/kubeai-project/kubeai, api/k8s/v1/model_types.go. Profiles are
`resourceProfiles` of the operator's chart, charts/kubeai/values.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from generator.documents.merge import JsonObject
from generator.errors import cut
from generator.formats.pod_rules import mapping, mappings
from generator.migrate.found import Findings, FoundModel
from generator.migrate.llm_config import model_of
from generator.migrate.manifests import Manifest, plain_name, text_of, whole_of
from generator.migrate.needs import Need, Needs, amount
from generator.migrate.vllm_arguments import SERVED_NAME, engine_words
from generator.migrate.worker_groups import device_of

GROUP = "kubeai.org"
_TARGET_REQUESTS = 100  # of a Model that says none
_READ = ("url", "features", "engine", "resourceProfile", "args", "env", "replicas", "minReplicas", "maxReplicas",
         "autoscalingDisabled", "targetRequests", "scaleDownDelaySeconds", "owner", "loadBalancing",
         "enabled")  # fmt: skip
_LEFT_OUT = {
    "adapters": "say them of the model: `adapters: {sources: {<name>: <path or hub id>}}`, or a `bucket`",
    "cacheProfile": "where weights lie is said once: `chart: {modelCache: …}`",
    "envFrom": "say it below names of your own: `chart: {pods: {envFrom: {team: {secretRef: …}}}}`",
    "files": "put them into the image, or into a volume: `chart: {pods: {volumes: …}}`",
    "image": "all pods of a release have one: `chart: {image: …}`",
    "jsonPatches": "pods are what the chart makes",
    "priorityClassName": "say it of the pool: `workerGroup: {priorityClassName: …}`",
}


def is_kubeai(manifest: Manifest) -> bool:
    return manifest.kind == "Model" and text_of(manifest.data.get("apiVersion")).startswith(f"{GROUP}/")


def has_catalog(manifest: Manifest) -> bool:
    """Whether these are values of KubeAI's chart of models."""
    return any(_catalog(manifest))


def specs_of_values(manifest: Manifest) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Names and specs of the models that values of KubeAI's chart of models turn on."""
    everything = mapping(manifest.data.get("all")).get("enabled") is True
    return ((name, spec) for name, spec in _catalog(manifest) if everything or spec.get("enabled"))


def _catalog(manifest: Manifest) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, spec in mapping(manifest.data.get("catalog")).items():
        if isinstance(spec, dict) and "url" in spec and "engine" in spec:
            yield str(name), spec


def read_kubeai(
    models: Sequence[tuple[str, str, Mapping[str, Any]]], profiles: Mapping[str, Any], findings: Findings
) -> None:
    """Add every model: its name, where it is said, and its spec."""
    needs = Needs(findings=findings)
    for name, where, spec in models:
        if text_of(spec.get("resourceProfile")).startswith("google-tpu"):
            findings.leave_out_model(name, where, "a model on TPUs", "pools have GPUs, or CPUs alone")
        elif model := _model(name, spec, findings, where):
            findings.models.append(model)
            _place(model, spec, profiles, needs)
    needs.settle()


def _model(name: str, spec: Mapping[str, Any], findings: Findings, where: str) -> FoundModel | None:
    engine = text_of(spec.get("engine"))
    if engine != "VLLM":
        findings.leave_out_model(name, where, f"the engine {cut(engine)}", "models run on vLLM")
        return None
    source = _source(text_of(spec.get("url")), findings)
    if not source:
        what = f"the url {cut(text_of(spec.get('url')))}"
        findings.leave_out_model(name, where, what, "it is none of hf, s3, gs and pvc")
        return None
    arguments = spec.get("args")
    words = engine_words(arguments if isinstance(arguments, list) else [], findings, where=where)
    words.pop(SERVED_NAME, None)  # clients ask for the object's name
    scaling: JsonObject = {"target_ongoing_requests": whole_of(spec.get("targetRequests")) or _TARGET_REQUESTS}
    if delay := whole_of(spec.get("scaleDownDelaySeconds")):
        scaling["downscale_delay_s"] = delay
    config = {
        "model_loading_config": {"model_id": name, "model_source": source},
        "engine_kwargs": words,
        "runtime_env": {"env_vars": {key: str(value) for key, value in mapping(spec.get("env")).items()}},
    }
    model = model_of(config, findings, where=where)
    if model is None:
        return None
    model.where = where
    model.llm_config["deployment_config"] = {"autoscaling_config": scaling}
    model.replicas = _replicas(spec, findings, where)
    for key, why in _LEFT_OUT.items():
        if spec.get(key):
            findings.leave_out(where, key, why)
    findings.leave_out_unread(where, spec, (*_READ, *_LEFT_OUT))
    if text_of(mapping(spec.get("loadBalancing")).get("strategy")) == "PrefixHash":
        why = "say `router: prefixAffinity` of the model in the environment"
        findings.leave_out(where, "loadBalancing", why)
    findings.change(where, "route /openai/v1", f"clients ask the model's own: /inference/{cut(name)}/v1")
    return model


def _source(url: str, findings: Findings) -> str:
    """What the engine is told. A claim is mounted into every pod."""
    kind, _, rest = url.partition("://")
    if kind == "hf":
        return rest
    if kind in ("s3", "gs"):
        return url
    if kind == "pvc" and re.fullmatch(r"[a-z0-9][a-z0-9-]*(/.*)?", rest):
        claim, _, path = rest.partition("/")
        volume = {"mountPath": f"/mnt/{claim}", "persistentVolumeClaim": {"claimName": claim}}
        findings.chart.setdefault("pods", {}).setdefault("volumes", {})[claim[:63]] = volume
        return f"/mnt/{claim}/{path}".rstrip("/")
    return ""


def _replicas(spec: Mapping[str, Any], findings: Findings, where: str) -> tuple[int, int]:
    fixed = whole_of(spec.get("replicas"))
    if spec.get("autoscalingDisabled") is True and fixed:
        return fixed, fixed
    least, most = max(0, whole_of(spec.get("minReplicas")) or 0), whole_of(spec.get("maxReplicas"))
    if not most:
        most = max(1, least)
        findings.change(
            where, f"at most {most} replicas", "it has no limit there, and a plan needs one: see `replicas`"
        )
    return min(least, most), most


def _place(model: FoundModel, spec: Mapping[str, Any], profiles: Mapping[str, Any], needs: Needs) -> None:
    """The profile is its pool: `nvidia-gpu-l4:2` are two GPUs of one, and what the profile asks for, twice."""
    name, _, stated = text_of(spec.get("resourceProfile")).partition(":")
    count = max(1, whole_of(stated) or 1)
    profile = mapping(profiles.get(name))
    asked = {**mapping(profile.get("requests")), **mapping(profile.get("limits"))}
    device, each = device_of(asked)
    is_cpu = name == "cpu" or name.startswith("cpu-") or (bool(profile) and not device)
    need = Need(
        gpus=0 if is_cpu else count * max(1, each),
        cpus=count * (amount(asked.get("cpu")) or (1 if is_cpu else 0)),
        memory_bytes=count * amount(asked.get("memory")),
        replicas=model.replicas[1] if model.replicas else 1,
    )
    labels = mapping(profile.get("nodeSelector"))
    tolerations = [dict(toleration) for _, toleration in mappings(profile.get("tolerations"))]
    words = {key: value for key, value in (("nodeSelector", dict(labels)), ("tolerations", tolerations)) if value}
    needs.add(model, plain_name(name, "pool"), need, device=device, labels=labels, said=name, words=words)
