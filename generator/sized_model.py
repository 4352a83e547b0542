"""A model of the catalog as `sizing` sees it."""

from __future__ import annotations

import json
from functools import lru_cache

from .catalog import CatalogModel
from .sizing.config import ModelConfig
from .sizing.model import Model
from .sizing.weights import DTYPE_BYTES


def sized_model(model: CatalogModel, *, dtype: str, quantization: str | None = None) -> Model:
    """The model with its weights as they are on the GPU: unquantized ones cast to `dtype`, others as they are.

    What `quantization` makes of unquantized weights while they load is counted from the configuration alone.
    """
    held: float | None = float(model.weights.total_bytes)
    if model.architecture.quant_method is None:
        held = None if quantization else float(model.weights.parameters * DTYPE_BYTES[dtype])
    return _derived(json.dumps(model.architecture.config_json(), sort_keys=True), held)


@lru_cache(maxsize=4096)
def _derived(config: str, checkpoint_bytes: float | None) -> Model:
    """One model for all that are alike, since what follows from a configuration is derived once."""
    return Model(ModelConfig(json.loads(config), "catalog", complete=True), checkpoint_bytes=checkpoint_bytes)
