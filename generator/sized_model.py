"""A model of the catalog as `sizing` sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from generator.formats.catalog import CatalogModel
from generator.sizing.config.config import ModelConfig
from generator.sizing.config.overrides import overridden
from generator.sizing.model import Model
from generator.sizing.weights.rank import DTYPE_BYTES


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
    held: float | None = float(model.weights.total_bytes)
    if model.architecture.quant_method is None:
        held = None if quantization else float(model.weights.parameters * DTYPE_BYTES[dtype])
    config = json.dumps(model.architecture.config_json(), sort_keys=True)
    said = (json.dumps(dict(overrides), sort_keys=True), vllm, where) if overrides else None
    return _derived(config, said, held)


@lru_cache(maxsize=4096)
def _derived(config: str, said: tuple[str, str, str] | None, checkpoint_bytes: float | None) -> Model:
    """One model for all that are alike, since what follows from a configuration is derived once."""
    stated = ModelConfig(json.loads(config), "catalog", complete=True)
    if said is not None:
        overrides, vllm, where = said
        stated = overridden(stated, json.loads(overrides), vllm=vllm, where=where)
    return Model(stated, checkpoint_bytes=checkpoint_bytes)
