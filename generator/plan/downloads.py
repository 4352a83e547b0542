"""What a worker downloads for one model: its checkpoint, its draft and its adapters, and into which folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from generator.facts.disk import disk_facts
from generator.formats.catalog import CatalogModel
from generator.formats.environment import Overrides
from generator.sizing.engine.engine import Engine
from generator.sizing.model import Model
from generator.sizing.weights.rank import LoraSlots, WeightOptions, lora_bytes


class Download(NamedTuple):
    name: str
    """Where it comes from. A worker has it once, whatever asks for it."""
    bytes: float
    """As stored, not as loaded: a checkpoint of float32 is twice as large on the disk as on the GPU."""
    folder: str | None = None
    """None: the cache of the hub."""


def downloads_of(
    model_id: str,
    model: CatalogModel,
    overrides: Overrides,
    *,
    sized: Model,
    engine: Engine,
    draft: CatalogModel | None,
) -> frozenset[Download]:
    """All that a worker downloads for the model. A path in the image or in a volume is none."""
    return frozenset(
        [
            *_checkpoint(model, overrides),
            *_draft(draft, overrides.llmConfig.get("engine_kwargs") or {}),
            *_adapters(model_id, overrides, sized=sized, engine=engine),
        ]
    )


def _checkpoint(model: CatalogModel, overrides: Overrides) -> Iterator[Download]:
    arguments = overrides.llmConfig.get("engine_kwargs") or {}
    stated = (overrides.llmConfig.get("model_loading_config") or {}).get("model_source")
    if isinstance(stated, Mapping):  # Ray's mirror
        stated = stated.get("bucket_uri")
    source = str(stated or overrides.source or model.source)
    # A bare `owner/name` of the environment's own `source` is a folder in the image: that key names no hub's model.
    of_image = not stated and overrides.source is not None
    if _is_bucket(source):
        if arguments.get("load_format") not in disk_facts().streamed_formats:
            yield Download(source, model.weights.total_bytes)
    elif not of_image and _is_of_hub(source):
        name = f"{source}@{arguments.get('revision') or model.revision or 'main'}"
        yield Download(name, model.weights.total_bytes, arguments.get("download_dir"))


def _draft(draft: CatalogModel | None, arguments: Mapping[str, Any]) -> Iterator[Download]:
    if draft is not None and (_is_of_hub(draft.source) or _is_bucket(draft.source)):
        name = f"{draft.source}@{draft.revision or 'main'}"
        yield Download(name, draft.weights.total_bytes, arguments.get("download_dir"))


def _adapters(model_id: str, overrides: Overrides, *, sized: Model, engine: Engine) -> Iterator[Download]:
    """Adapters of every linear layer, as large as the engine takes them; training often stores float32."""
    if engine.lora is None:
        return
    facts, lora = disk_facts(), overrides.llmConfig.get("lora_config") or {}
    slots = LoraSlots(adapters=1, rank=engine.lora.rank, experts=engine.lora.experts)
    each = lora_bytes(sized.matrices(), WeightOptions(dtype="float32", lora=slots))
    if lora.get("dynamic_lora_loading_path"):
        count = lora.get("max_num_adapters_per_replica") or facts.adapters_of_a_replica
        yield Download(f"adapters of {model_id}", count * each, facts.adapter_folder)
    for adapter in (overrides.llmConfig.get("engine_kwargs") or {}).get("lora_modules") or []:
        if isinstance(adapter, Mapping) and _is_of_hub(str(adapter.get("path", ""))):
            yield Download(str(adapter["path"]), each)


def _is_bucket(source: str) -> bool:
    return "://" in source and not source.startswith("file://")


def _is_of_hub(source: str) -> bool:
    return bool(source) and "://" not in source and not source.startswith(("/", ".", "~")) and source.count("/") < 2
