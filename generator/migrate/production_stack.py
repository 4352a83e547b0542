"""vLLM's production-stack: values of its Helm chart, `servingEngineSpec.modelSpec`.

Keys and what the chart makes of them: github.com/vllm-project/production-stack, helm/values.yaml and
helm/templates/deployment-vllm-multi.yaml.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import count
from typing import Any

from generator.documents.merge import JsonObject
from generator.errors import cut
from generator.facts.gpu_names import gpus_of_nodes
from generator.formats.pod_rules import mapping, mappings
from generator.migrate.found import Findings, FoundModel
from generator.migrate.llm_config import model_of
from generator.migrate.manifests import Manifest, text_of, whole_of
from generator.migrate.needs import Need, Needs, amount
from generator.migrate.vllm_arguments import SERVED_NAME, engine_words, typed
from generator.migrate.worker_groups import device_of, environment_of, resources_of, take_hub_token

_ENGINE = {
    "enableChunkedPrefill": "enable_chunked_prefill",
    "maxModelLen": "max_model_len",
    "dtype": "dtype",
    "tensorParallelSize": "tensor_parallel_size",
    "pipelineParallelSize": "pipeline_parallel_size",
    "maxNumSeqs": "max_num_seqs",
    "maxLoras": "max_loras",
    "gpuMemoryUtilization": "gpu_memory_utilization",
    "runner": "runner",
    "convert": "convert",
}
_READ_OF_CONFIG = ("enablePrefixCaching", "extraArgs", "v0")
_READ = ("name", "enabled", "modelURL", "replicaCount", "requestCPU", "requestMemory", "requestGPU", "requestGPUType",
         "limitCPU", "limitMemory", "resources", "vllmConfig", "enableLoRA", "enableTool", "toolCallParser", "hf_token",
         "env", "keda", "tag", "nodeSelectorTerms", "tolerations", "tolerationsPolicy", "runtimeClassName", "shmSize",
         "raySpec", "pvcAccessMode", "pvcMatchLabels", "storageClass", "chatTemplateConfigMap")  # fmt: skip
"""What is told with another key (a claim, a template) is here too; every model runs on Ray, as `raySpec` asks."""
_LEFT_OUT = {
    "affinity": "say it of the pool: `workerGroup: {affinity: …}`",
    "chatTemplate": "put the file into a volume, and say `chat_template` in its llmConfig",
    "envFromSecret": "say it below a name of your own: `chart: {pods: {envFrom: {team: {secretRef: …}}}}`",
    "extraVolumes": "say them of the pool: `workerGroup: {volumes: …}`",
    "initContainer": "where it is needed, say it in `chart: {pods: {initContainers: …}}`, by name",
    "lmcacheConfig": "say `kvOffload: {memory: …, backend: lmcache}` of the model, with an image that has LMCache",
    "nodeName": "pods are placed by labels: give the node one, and name it in nodeSelector",
    "pvcStorage": "where weights lie is said once: `chart: {modelCache: {type: persistentVolumeClaim, …}}`",
    "repository": "all pods of a release have one image, with Ray: `chart: {image: …}`",
    "requestGPUMem": "it is HAMi's: say `share: true` of the pool and `gpuShare` of the model",
    "requestGPUMemPercentage": "it is HAMi's: say `share: true` of the pool and `gpuShare` of the model",
}
_OF_THE_STACK = {
    "routerSpec": "Ray Serve routes requests: `router` of a model, or in `defaults`, says how",
    "cacheserverSpec": "the chart has no cache server",
    "loraAdapters": "say them of the model in the environment: `adapters: {sources: …}`, or a `bucket`",
}


def is_production_stack(manifest: Manifest) -> bool:
    return isinstance(mapping(manifest.data.get("servingEngineSpec")).get("modelSpec"), list)


def read_production_stack(manifest: Manifest, findings: Findings) -> None:
    """Add every model of the values."""
    spec = mapping(manifest.data.get("servingEngineSpec"))
    needs = Needs(findings=findings)
    for number, model_spec in mappings(spec.get("modelSpec")):
        name = text_of(model_spec.get("name"))
        where = f"{manifest.where}: modelSpec {cut(name) or number}"
        if model_spec.get("enabled") is False:
            continue
        if model := _model(name, model_spec, findings, where):
            findings.models.append(model)
            _place(model, model_spec, mapping(spec), needs)
    needs.settle()
    if spec.get("vllmApiKey"):
        why = "name a Secret with it: `chart: {auth: {apiKey: {existingSecret: …}}}`"
        findings.leave_out(f"{manifest.where}: servingEngineSpec", "vllmApiKey", why)
    for key, why in _OF_THE_STACK.items():
        if manifest.data.get(key):
            findings.leave_out(manifest.where, key, why)


def _model(name: str, spec: Mapping[str, Any], findings: Findings, where: str) -> FoundModel | None:
    source = text_of(spec.get("modelURL"))
    words = _engine(spec, findings, where)
    served = words.pop(SERVED_NAME, source)
    config = {"model_loading_config": {"model_id": name, "model_source": source or None}, "engine_kwargs": words}
    model = model_of(config, findings, where=where)
    if model is None or not source:
        return None
    model.where = where
    if variables := _variables(spec, findings, where):
        model.llm_config["runtime_env"] = {"env_vars": variables}
    model.replicas = _replicas(spec)
    for key, why in _LEFT_OUT.items():
        if spec.get(key):
            findings.leave_out(where, key, why)
    findings.leave_out_unread(where, spec, (*_READ, *_LEFT_OUT))
    findings.leave_out_unread(f"{where}: vllmConfig", mapping(spec.get("vllmConfig")), (*_ENGINE, *_READ_OF_CONFIG))
    why = f"an id is a part of a route: clients ask /inference/{cut(name)}/v1 for {cut(name)}"
    findings.change(where, f"route /v1, model {cut(str(served))}", why)
    return model


def _engine(spec: Mapping[str, Any], findings: Findings, where: str) -> JsonObject:
    config = mapping(spec.get("vllmConfig"))
    words: JsonObject = {_ENGINE[key]: typed(_ENGINE[key], value) for key, value in config.items() if key in _ENGINE}
    if config:
        words["enable_prefix_caching"] = config.get("enablePrefixCaching") is True  # else that chart turns it off
    if spec.get("enableLoRA"):
        words["enable_lora"] = True
    if spec.get("enableTool"):
        words["enable_auto_tool_choice"] = True
    if parser := text_of(spec.get("toolCallParser")):
        words["tool_call_parser"] = parser
    if str(config.get("v0")) == "1":
        findings.leave_out(where, "vllmConfig.v0", "vLLM has one engine now")
    extra = config.get("extraArgs")
    return words | engine_words(extra if isinstance(extra, list) else [], findings, where=where)


def _variables(spec: Mapping[str, Any], findings: Findings, where: str) -> JsonObject:
    token = spec.get("hf_token")
    if isinstance(token, dict):
        take_hub_token(token.get("secretName"), token.get("secretKey"), findings, where=where)
    elif token:
        why = "it is the text of a secret: put it into a Secret, and name that in `chart: {huggingFace: …}`"
        findings.leave_out(where, "hf_token", why)
    variables: JsonObject = {}
    for key, value in environment_of(spec.get("env"), findings, where=where).items():
        if isinstance(value, str):
            variables[key] = value
        else:  # an engine's own cannot be references: they are of its pods
            findings.chart.setdefault("pods", {}).setdefault("env", {})[key] = value
    return variables


def _replicas(spec: Mapping[str, Any]) -> tuple[int, int]:
    keda = mapping(spec.get("keda"))
    fixed = max(1, whole_of(spec.get("replicaCount")) or 1)
    if keda.get("enabled") is not True:
        return fixed, fixed
    least = whole_of(keda.get("minReplicaCount"))
    most = max(1, whole_of(keda.get("maxReplicaCount")) or fixed)
    return min(most, max(0, fixed if least is None else least)), most


def _place(model: FoundModel, spec: Mapping[str, Any], stack: Mapping[str, Any], needs: Needs) -> None:
    """Models on the same nodes share a pool, which is called by its GPUs."""
    device = text_of(spec.get("requestGPUType")) or "nvidia.com/gpu"
    gpus = whole_of(spec.get("requestGPU")) or 0
    asked = resources_of(spec)  # which that chart takes before the simple fields
    device, gpus = device_of(asked) if device_of(asked)[1] else (device, gpus)
    if not gpus:
        why = "it asks for no GPU there: where it has one, say `gpu` of its pool and the engine's words for it"
        needs.findings.change(model.where, "a pool of CPUs", why)
    labels = _labels(spec, needs.findings, model.where)
    tolerations = [dict(each) for _, each in mappings(spec.get("tolerations"))]
    if spec.get("tolerationsPolicy") != "override":
        tolerations = [dict(each) for _, each in mappings(stack.get("tolerations"))] + tolerations
    settings = {
        "runtimeClassName": text_of(spec.get("runtimeClassName")) or text_of(stack.get("runtimeClassName")),
        "sharedMemory": text_of(spec.get("shmSize")),
    }
    settings = {key: value for key, value in settings.items() if value}
    words: JsonObject = {"nodeSelector": labels, "tolerations": tolerations, "workerGroup": settings}
    words = {key: value for key, value in words.items() if value}
    need = Need(
        gpus=gpus,
        cpus=amount(asked.get("cpu", spec.get("requestCPU"))),
        memory_bytes=amount(asked.get("memory", spec.get("requestMemory"))),
        replicas=model.replicas[1] if model.replicas else 1,
    )
    called = gpus_of_nodes(labels)
    base = re.sub(r"[^a-z0-9]+", "-", (called[0] if called else "gpu" if gpus else "cpu").lower())
    base = f"{base.strip('-')[:28]}-workers"
    alike = json.dumps([device, words], sort_keys=True, default=str)
    names = (base if number == 1 else f"{base}-{number}" for number in count(1))
    pool = next(name for name in names if needs.alike.get(name, alike) == alike)
    needs.alike[pool] = alike
    needs.add(model, pool, need, device=device, labels=labels, words=words)


def _labels(spec: Mapping[str, Any], findings: Findings, where: str) -> dict[str, str]:
    """Labels of nodes, where the terms ask for one value of each; more than one term has no such words."""
    terms = list(mappings(spec.get("nodeSelectorTerms")))
    labels: dict[str, str] = {}
    for _, requirement in mappings(terms[0][1].get("matchExpressions")) if len(terms) == 1 else ():
        values = requirement.get("values")
        if requirement.get("operator") == "In" and isinstance(values, list) and len(values) == 1:
            labels[text_of(requirement.get("key"))] = str(values[0])
        else:
            why = "a label has one value there: say `workerGroup: {affinity: …}` of the pool"
            findings.leave_out(where, f"nodeSelectorTerms of {cut(text_of(requirement.get('key')))}", why)
    if len(terms) > 1:
        findings.leave_out(where, "nodeSelectorTerms", "say `workerGroup: {affinity: …}` of the pool")
    return labels
