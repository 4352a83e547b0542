"""Ray's LLMConfig as a found model: an environment has words for some of it, and the plan decides some of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from generator.documents.merge import JsonObject
from generator.errors import cut
from generator.facts.other_engines import other_engine
from generator.formats.pod_rules import mapping, mappings
from generator.migrate.found import Findings, FoundModel
from generator.migrate.manifests import text_of, whole_of

_PLACEMENT = ("placement_group_config", "resources_per_bundle")


def model_of(
    config: Mapping[str, Any], findings: Findings, *, where: str, family: str | None = None
) -> FoundModel | None:
    """Return the model of one LLMConfig, or None where it names none; `family` is the folder that its file lay in."""
    words: JsonObject = copy.deepcopy(dict(config))
    loading = words.pop("model_loading_config", None)
    model_id, source = _names(mapping(loading))
    if not model_id or not source:
        why = "a model has a name for its clients"
        findings.leave_out_model(where, where, "an LLMConfig without a model_id", why)
        return None
    where = f"{where}: {cut(model_id)}"
    model = FoundModel(model_id=model_id, source=source, where=where, family=family)
    if tokenizer := mapping(loading).get("tokenizer_source"):
        words["model_loading_config"] = {"tokenizer_source": tokenizer}
    if str(words.get("llm_engine", "vLLM")).lower() == "vllm":
        words.pop("llm_engine", None)
    for key in [key for key, value in words.items() if key == "llm_engine" or other_engine(key, value)]:
        findings.leave_out(where, f"{key}: {cut(str(words.pop(key)))}", "models run on vLLM")
    model.pool = _pool(words, findings, where)
    model.accelerator = text_of(words.pop("accelerator_type", ""))
    model.replicas = _replicas(words, findings, where)
    _take_engine(words, model)
    model.llm_config = without_empty(words)
    return model


def _names(loading: Mapping[str, Any]) -> tuple[str, str]:
    """Id and source. A source may be a bucket in a mapping of its own; without one it is the id."""
    model_id, source = text_of(loading.get("model_id")), loading.get("model_source")
    bucket = text_of(mapping(source).get("bucket_uri"))
    return model_id, text_of(source) or bucket or model_id


def _pool(words: JsonObject, findings: Findings, where: str) -> str | None:
    """The pool whose name is a resource that the replica asks for. The plan writes that again, and the bundles."""
    placement = {key: words.pop(key) for key in _PLACEMENT if key in words}
    bundles = [mapping(placement.get("resources_per_bundle"))]
    group = mapping(placement.get("placement_group_config"))
    bundles += [mapping(group.get("bundle_per_worker")), *(each for _, each in mappings(group.get("bundles")))]
    deployment = words.get("deployment_config")
    actor = deployment.get("ray_actor_options") if isinstance(deployment, dict) else None
    resources = actor.pop("resources", None) if isinstance(actor, dict) else None
    asked = [name for each in (*bundles, mapping(resources)) for name in each]
    pools = [findings.resources.get(str(name), str(name)) for name in asked]
    for name, pool in zip(asked, pools, strict=True):
        if pool not in findings.pools and name not in ("CPU", "GPU", "memory"):
            findings.leave_out(where, f"the resource {cut(str(name))}", "no worker group that is taken has it")
    if isinstance(actor, dict) and actor.pop("num_gpus", None) is not None:
        findings.change(where, "ray_actor_options.num_gpus", "GPUs are asked for by the bundles that the plan writes")
    return next((pool for pool in pools if pool in findings.pools), None)


def _replicas(words: JsonObject, findings: Findings, where: str) -> tuple[int, int] | None:
    deployment = words.get("deployment_config")
    if not isinstance(deployment, dict):
        return None
    return replicas_of(deployment, findings, where)


def replicas_of(deployment: JsonObject, findings: Findings, where: str) -> tuple[int, int] | None:
    """Take the least and the most replicas out of options of a deployment; None where they do not say them."""
    fixed = deployment.pop("num_replicas", None)
    scaling = deployment.get("autoscaling_config")
    if whole := whole_of(fixed):
        return whole, whole
    if not isinstance(scaling, dict):
        return (1, 100) if fixed == "auto" else None  # Ray Serve's own bounds of `auto`
    least, most = whole_of(scaling.pop("min_replicas", 1)), whole_of(scaling.pop("max_replicas", 1))
    if least is None or not most or least < 0 or least > most:
        findings.leave_out(where, "min_replicas and max_replicas", "they are no whole numbers in order")
        return None
    return least, most


def _take_engine(words: JsonObject, model: FoundModel) -> None:
    engine = words.get("engine_kwargs")
    if not isinstance(engine, dict):
        return
    model.context = _taken(engine, "max_model_len")
    model.sequences = _taken(engine, "max_num_seqs")
    model.trusts_code = engine.pop("trust_remote_code", False) is True
    engine.pop("model", None)


def _taken(engine: JsonObject, key: str) -> int | None:
    """A size that the environment has a word for; any other value stays where it is, to be judged there."""
    number = whole_of(engine.get(key))
    if number is None or number < 1:
        return None
    del engine[key]
    return number


def without_empty(words: JsonObject) -> JsonObject:
    """Without the mappings that are empty, or hold empty ones alone."""
    kept = {key: without_empty(value) if isinstance(value, dict) else value for key, value in words.items()}
    return {key: value for key, value in kept.items() if value != {}}
