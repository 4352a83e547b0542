"""The memory of one GPU under a model of the catalog: `sizing.fit`, asked with the catalog's words."""

from __future__ import annotations

import json
from functools import lru_cache

from .catalog import CatalogModel
from .gpus import Gpu
from .sizing import fit as sizing
from .sizing.config import ModelConfig
from .sizing.fit import Device, Engine, EngineShape, MemoryFit
from .sizing.kv_cache import CacheLayout
from .sizing.model import Model
from .sizing.overhead import GIB
from .sizing.pages import CacheOptions
from .sizing.split import Split
from .sizing.split import tensor_splits as splits_of
from .sizing.weights import DTYPE_BYTES, WeightOptions

__all__ = ["EngineShape", "MemoryFit", "Split", "cpu_layout", "fit", "rank_weights_gib", "tensor_splits"]


def fit(model: CatalogModel, *, gpu: Gpu, split: Split, shape: EngineShape, vllm: str) -> MemoryFit:
    """Predict one GPU's memory under the model, with the engine's arguments of `shape` in vLLM `vllm`."""
    device = Device(
        name=gpu.name,
        memory_gib=gpu.memory_gib,
        compute_capability=gpu.compute_capability,
        nvlink=gpu.nvlink,
    )
    engine = Engine(
        vllm=vllm,
        dtype=shape.dtype,
        context=shape.context,
        sequences=shape.sequences,
        batched_tokens=shape.batched_tokens,
        utilization=shape.utilization,
        kv_cache_dtype=shape.kv_cache_dtype,
        eager=shape.eager,
        state_dtype=shape.state_dtype,
    )
    return sizing.fit(_model(model, shape.dtype), device=device, split=split, engine=engine)


def rank_weights_gib(model: CatalogModel, *, dtype: str, split: Split) -> float:
    """GiB of weights on the fullest GPU."""
    options = WeightOptions(dtype=dtype, tensor_parallel=split.tensor, pipeline_parallel=split.pipeline)
    return _model(model, dtype).weights(options).bytes / GIB


def tensor_splits(model: CatalogModel, most: int) -> list[int]:
    """Tensor parallel sizes up to `most` by which vLLM can divide the model."""
    sized = _model(model, model.architecture.torch_dtype)
    return splits_of(sized.config, sized.caches, most)


def cpu_layout(model: CatalogModel, *, dtype: str, state_dtype: str | None, vllm: str) -> CacheLayout:
    """The cache of a CPU engine."""
    options = CacheOptions(dtype=dtype, vllm=vllm, state_dtype=state_dtype, platform="cpu")
    return _model(model, dtype).layout(options)


def _model(model: CatalogModel, dtype: str) -> Model:
    # Unquantized weights are cast to `dtype`; quantized ones stay as the checkpoint has them.
    held = float(model.weights.total_bytes)
    if model.architecture.quant_method is None:
        held = float(model.weights.parameters * DTYPE_BYTES[dtype])
    return _derived(json.dumps(model.architecture.config_json(), sort_keys=True), held)


@lru_cache(maxsize=4096)
def _derived(config: str, checkpoint_bytes: float) -> Model:
    """One model for all that are alike, since what follows from a configuration is derived once."""
    return Model(ModelConfig(json.loads(config), "catalog", complete=True), checkpoint_bytes=checkpoint_bytes)
