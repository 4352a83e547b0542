"""What each served model asks of the hardware: its needs, and what the environment says over them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from generator.documents.load import Origin
from generator.documents.merge import JsonObject, merged
from generator.errors import Faults, UserError
from generator.facts.files import version
from generator.facts.releases import RayRelease
from generator.formats.catalog import Catalog, CatalogModel
from generator.formats.check import check_document
from generator.formats.environment import (
    Environment,
    Expectation,
    FamilyService,
    HalfName,
    HalfService,
    ModelService,
    Overrides,
)
from generator.plan.downloads import Download, downloads_of
from generator.plan.host_memory import HostMemory, host_memory
from generator.program import program
from generator.sizing.config.config import ModelConfig
from generator.sizing.config.overrides import overridden
from generator.sizing.engine.arguments import count_of, draft_of, engine_of, overrides_of
from generator.sizing.engine.engine import Engine, pools, takes_float16
from generator.sizing.model import Model
from generator.sizing.weights.rank import DTYPE_ALIASES, DTYPE_BYTES

# vLLM starts only when this share of the GPU is free; CUDA's context and the display take some before it asks.
MOST_UTILIZATION = 0.98
# What an environment cannot say in `llmConfig`, because the plan's arithmetic depends on it, and how it is said.
PLANNED = {
    "model_loading_config.model_id": "servedModelName",
    "placement_group_config": "pool",
    "resources_per_bundle": "pool",
    "accelerator_type": "pool",
    "deployment_config.num_replicas": "replicas",
    "deployment_config.autoscaling_config.min_replicas": "replicas: {min: …}",
    "deployment_config.autoscaling_config.max_replicas": "replicas: {max: …}",
}


@dataclass(frozen=True, kw_only=True)
class ModelRequirements:
    """What one model asks of the hardware, overrides included. None: the plan decides."""

    model_id: str
    half: HalfName | None
    """Which part of the model it is, where prefill and decode are deployments of their own."""
    model: CatalogModel
    sized: Model
    """The same, with its weights in `dtype`."""
    engine: Engine
    """The arguments that the environment gives, `dtype` resolved; the plan adds what it decides."""
    context: int
    sequences: int
    downloads: frozenset[Download]
    """What a worker downloads for it, wherever that lies."""
    host: HostMemory
    """What the environment gives it of the host's memory."""
    pools: tuple[str, ...] = ()
    """Those that the environment names, in order of wish; none: the plan decides."""
    gpu_share: float | None = None
    """Of one GPU, where models share it."""
    expect: Expectation | None = None
    tensor_parallel: int | None = None
    pipeline_parallel: int | None = None
    data_parallel: int = 1

    @property
    def name(self) -> str:
        return named(self.model_id, self.half)

    @property
    def has_latency_target(self) -> bool:
        if self.expect is None:
            return False
        first = self.half != "decode" and self.expect.firstTokenSeconds
        return bool(first or (self.half != "prefill" and self.expect.secondsPerToken))


def named(model_id: str, half: HalfName | None) -> str:
    """What a plan calls a model, or one of its halves."""
    return f"{model_id} ({half})" if half else model_id


class Asked(NamedTuple):
    """A served model, or half of one, with all that is said of it."""

    family: str
    model_id: str
    half: HalfName | None
    overrides: ModelService

    @property
    def name(self) -> str:
        return named(self.model_id, self.half)

    @property
    def served_name(self) -> str:
        return self.overrides.servedModelName or self.model_id

    def over(self, words: JsonObject) -> Asked:
        """The same over a part of an LLMConfig, which its own `llmConfig` wins over."""
        stated = {"llmConfig": merged(words, self.overrides.llmConfig)}
        return self._replace(overrides=self.overrides.model_copy(update=stated))


def served(environment: Environment, catalog: Catalog, *, where: str, faults: Faults) -> Iterator[Asked]:
    """Every served model, or both halves of it.

    What the catalog says of its engine comes first, then what the environment says of all, of its family, of it and of
    its half.
    """
    for family, service in environment.serve.items():
        service = service or FamilyService()
        with faults.gathered():
            known = catalog.family(family, where=f"{where}: serve").models
            chosen = service.models if service.models is not None else dict.fromkeys(known)
            for model_id, overrides in chosen.items():
                if model_id in known:
                    model = known[model_id]
                    stated = ModelService(llmConfig=engine_words(model), servedModelName=model.servedModelName)
                    layers = (stated, environment.defaults, service, overrides or ModelService())
                    halves = overrides.halves if overrides else {}
                    for half, said in halves.items():
                        yield Asked(family, model_id, half, _layered(*layers, said))
                    if not halves:
                        yield Asked(family, model_id, None, _layered(*layers))
                else:
                    faults.add(UserError.unknown("model", model_id, known, where=f"{where}: serve.{family}.models"))


def engine_words(model: CatalogModel) -> JsonObject:
    """What the catalog says of the model's engine, as a part of an LLMConfig."""
    return model.llmConfig.model_dump(exclude_defaults=True)


def check_release(model_id: str, model: CatalogModel, ray: RayRelease, *, file: str, where: str) -> None:
    """Raise UserErrors where the release's vLLM is too old for the model, or does not know what the catalog asks of it.

    `file` is the catalog's, `where` the environment's place.
    """
    if model.minVllmVersion and version(model.minVllmVersion) > version(ray.vllm):
        raise UserError(
            f"model '{model_id}' needs vLLM {model.minVllmVersion} or later, and "
            f"{f'Ray {ray.ray} has' if ray.has_own_vllm else 'the environment says'} {ray.vllm}",
            where=where,
            fix="Serve it from an environment with a later Ray release, or leave it out.",
        )
    if words := engine_words(model):
        image = {"ray": ray.ray, **({} if ray.has_own_vllm else {"vllm": ray.vllm})}
        check_document({**image, "models": {model_id: {"llmConfig": words}}}, "catalog", Origin(file))


def _layered(*layers: Overrides | HalfService) -> ModelService:
    """A narrower layer wins. One that expects a load does not want the replicas that a wider one says."""
    fields: dict[str, Any] = {}
    for layer in layers:
        if not isinstance(layer, HalfService) and layer.expect is not None:
            fields.pop("replicas", None)
        for field in ModelService.model_fields:
            value = getattr(layer, field, None)
            if field == "llmConfig":
                fields[field] = merged(fields.get(field, {}), layer.llmConfig)
            elif value is not None:
                fields[field] = value
    return ModelService.model_construct(**fields)


def requirements_of(asked: Asked, catalog: Catalog, *, vllm: str, where: str) -> ModelRequirements:
    """What the model asks, the environment's own engine arguments included, so that the arithmetic is of what runs."""
    model_id, overrides, name = asked.model_id, asked.overrides, asked.name
    for path, instead in PLANNED.items():
        if at(overrides.llmConfig, path) is not None:
            raise UserError(
                f"model '{name}': llmConfig.{path} is the plan's to decide",
                where=where,
                fix=f"Say it as `{instead}` in the environment.",
            )
    model = catalog.families[asked.family].models[model_id]
    engine = overrides.llmConfig.get("engine_kwargs", {})
    who = f"{where}: model '{name}'"
    if engine.get("max_model_len") == -1:
        raise UserError(
            f"model '{name}': max_model_len -1 leaves the context to vLLM, and the plan decides it",
            where=where,
            fix="Take it out, or say `context`.",
        )
    context = count_of(engine, "max_model_len", overrides.context or model.needs.context, where=who)
    sequences = count_of(engine, "max_num_seqs", overrides.sequences or model.needs.sequences, where=who)
    batched_tokens = count_of(engine, "max_num_batched_tokens", 0, where=who)
    utilization = engine.get("gpu_memory_utilization")
    dtype = DTYPE_ALIASES.get(engine.get("dtype"), engine.get("dtype")) or model.needs.dtype
    halved = dtype == "auto" and model.architecture.torch_dtype == "float32"
    if dtype == "auto":
        dtype = "bfloat16" if halved else model.architecture.torch_dtype
    sized = sized_model(
        model,
        dtype=dtype,
        quantization=engine.get("quantization"),
        overrides=overrides_of(engine, vllm=vllm, where=who),
        vllm=vllm,
        where=who,
    )
    most = sized.positions
    if context > most:
        raise UserError(
            f"model '{name}' is asked for a context of {context:,} tokens and knows {most:,}",
            where=where,
            fix=f"Set `context` to {most} or less, or stretch its positions by `hf_overrides` in its engine_kwargs.",
        )
    if overrides.expect and (longest := overrides.expect.promptTokens + overrides.expect.outputTokens) > context:
        raise UserError(
            f"model '{name}' is expected to have requests of {longest:,} tokens and a context of {context:,}",
            where=where,
            fix="Raise `context`, or expect shorter prompts or answers.",
        )
    if batched_tokens and batched_tokens < sequences:
        raise UserError(
            f"model '{name}': max_num_batched_tokens {batched_tokens} is less than its {sequences} sequences",
            where=where,
            fix="Every sequence needs a token of each step: raise it, or ask for fewer `sequences`.",
        )
    if utilization is not None and utilization > MOST_UTILIZATION:
        raise UserError(
            f"model '{name}': gpu_memory_utilization {utilization} leaves nothing for the driver",
            where=where,
            fix=f"Set it to {MOST_UTILIZATION} or less.",
        )
    draft_name = draft_of(engine, where=who)
    draft = _draft(draft_name, catalog, where=who) if draft_name else None
    made = engine_of(
        {**engine, "dtype": dtype},
        sized.config,
        vllm=vllm,
        where=who,
        draft=lambda name: sized_model(_draft(name, catalog, where=who), dtype=dtype),
    )
    if halved and pools(sized.config, made) and takes_float16(sized.config, vllm):
        made = made._replace(dtype="float16")  # as wide, so the weights are the same
    return ModelRequirements(
        model_id=model_id,
        half=asked.half,
        model=model,
        sized=sized,
        engine=made,
        context=context,
        sequences=sequences,
        host=host_memory(overrides, sized=sized, engine=made, dtype=dtype),
        downloads=downloads_of(model_id, model, overrides, sized=sized, engine=made, draft=draft),
        pools=tuple(overrides.pool or ()),
        gpu_share=overrides.gpuShare,
        expect=overrides.expect,
        tensor_parallel=engine.get("tensor_parallel_size"),
        pipeline_parallel=engine.get("pipeline_parallel_size"),
        data_parallel=count_of(engine, "data_parallel_size", 1, where=who),
    )


def at(config: JsonObject, path: str) -> Any:
    """What is at a dotted path; None where there is nothing."""
    value: Any = config
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _draft(name: str, catalog: Catalog, *, where: str) -> CatalogModel:
    """The draft model of speculative decoding, which the catalog knows by its id or its source."""
    for family in catalog.families.values():
        for model_id, model in family.models.items():
            if name in (model_id, model.source):
                return model
    raise UserError(
        f"the draft model '{name}' of speculative_config is not in the catalog, so its memory is not known",
        where=where,
        fix=f"Add it: {program()} add {name}",
    )


def sized_model(
    model: CatalogModel,
    *,
    dtype: str,
    quantization: str | None = None,
    overrides: Mapping[str, Any] = MappingProxyType({}),
    vllm: str = "",
    where: str = "",
) -> Model:
    """The model with its weights as they are on the GPU: unquantized ones cast to `dtype`, others as they are.

    What `quantization` makes of unquantized weights while they load is counted from the configuration alone;
    `overrides` is what the engine of vLLM `vllm` sets in that (`hf_overrides`), said at `where`.
    """
    checkpoint_bytes: float | None = float(model.weights.total_bytes)
    if model.architecture.quant_method is None:
        checkpoint_bytes = None if quantization else float(model.weights.parameters * DTYPE_BYTES[dtype])
    config = json.dumps(model.architecture.config_json(), sort_keys=True)
    overriding = (json.dumps(dict(overrides), sort_keys=True), vllm, where) if overrides else None
    return _derived(config, overriding, checkpoint_bytes)


@lru_cache(maxsize=4096)
def _derived(config: str, overriding: tuple[str, str, str] | None, checkpoint_bytes: float | None) -> Model:
    """One model for all that are alike, since what follows from a configuration is derived once."""
    stated = ModelConfig(json.loads(config), "catalog", complete=True)
    if overriding is not None:
        overrides, vllm, where = overriding
        stated = overridden(stated, json.loads(overrides), vllm=vllm, where=where)
    return Model(stated, checkpoint_bytes=checkpoint_bytes)
