"""A model to be sized, from what people type: a hub id, a folder, or a config.json.

A configuration alone is read without the modules that catalogs and hubs need, so that `fit` answers at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from generator.checkpoint.reference import CONFIG, Reference, reference_of
from generator.checkpoint.safetensors import Tensor
from generator.documents.json import read_json
from generator.errors import UserError
from generator.sizing.config.config import ModelConfig
from generator.sizing.config.overrides import overridden
from generator.sizing.model import Model
from generator.sizing.weights.quantization import quantization_of
from generator.sizing.weights.rank import DTYPE_BYTES


def read_model(
    reference: str,
    *,
    dtype: str,
    weights_bytes: int | None = None,
    quantization: str | None = None,
    overrides: Mapping[str, Any] = MappingProxyType({}),
    vllm: str = "",
    known: Mapping[str, Any] | None = None,
) -> tuple[Model, str]:
    """Return the model, and where its weights' size was read, in words.

    `dtype` is the type of weights that are not quantized (`auto`: the checkpoint's own), `weights_bytes` what the whole
    model's files hold where the caller knows it, `overrides` what the engine of vLLM `vllm` sets in its config.json
    (`hf_overrides`). `known` is the config.json of a model that is known by the name `reference`: nothing is read then.
    Raises UserError: nothing there, half-written, no model.
    """
    tensors: dict[str, Tensor] = {}
    if reference.endswith(".gguf"):
        raise UserError(
            "a GGUF file says nothing of its cache here",
            where=reference,
            fix="Give the folder that also holds the config.json of the model that it was made from.",
        )
    named = reference_of(reference) if known is None else Reference(text=reference)
    if known is not None:
        config = ModelConfig(dict(known), reference)
    elif named.config is not None:
        config = ModelConfig(read_json(named.config), str(named.config))
    elif named.folder is not None and _has_config_alone(named.folder):
        config = ModelConfig(read_json(named.folder / CONFIG), str(named.folder / CONFIG))
        if weights_bytes is None and (gguf_bytes := _gguf_bytes(named.folder)):
            quantized = {**config.data, "quantization_config": {"quant_method": "gguf"}}
            config = overridden(ModelConfig(quantized, config.where), overrides, vllm=vllm, where=reference)
            return Model(config, checkpoint_bytes=gguf_bytes), "GGUF file"
    else:
        config, tensors = _read_checkpoint(named)
    config = overridden(config, overrides, vllm=vllm, where=reference)
    if weights_bytes is not None:
        return Model(config, checkpoint_bytes=float(weights_bytes)), "--weights-bytes"
    if tensors and not (quantization and quantization_of(config) is None):
        return Model(config, checkpoint_bytes=_loaded_bytes(config, tensors, dtype)), "safetensors headers"
    return Model(config), "computed from config.json"


def _has_config_alone(folder: Path) -> bool:
    """No safetensors, whose headers would tell more."""
    return (folder / CONFIG).is_file() and not any(folder.glob("*.safetensors*"))


def _gguf_bytes(folder: Path) -> float:
    """Bytes of the folder's GGUF weights; 0 where there are none. Raises UserError where there are several."""
    files = sorted(folder.glob("*.gguf"))
    # One file, or the parts of one: <name>-00001-of-00003.gguf.
    names = {re.sub(r"-\d{5}-of-\d{5}$", "", file.stem) for file in files}
    if len(names) > 1:
        raise UserError(
            f"holds several GGUF weights: {', '.join(sorted(names)[:4])}",
            where=str(folder),
            fix="Leave one of them there, or give the bytes of the one that is served: --weights-bytes N.",
        )
    return float(sum(file.stat().st_size for file in files))


def _read_checkpoint(reference: Reference) -> tuple[ModelConfig, dict[str, Tensor]]:
    from generator.checkpoint.source import open_source
    from generator.checkpoint.tensors import read_tensors, refuse_other_formats
    from generator.checkpoint.weights import quantization_of as stated_of

    with open_source(reference, None, lambda line: None) as source:
        refuse_other_formats(source)
        config = ModelConfig(source.json(CONFIG), source.where(CONFIG))
        if stated := stated_of(source, config):
            config = ModelConfig({**config.data, "quantization_config": stated}, config.where)
        return config, read_tensors(source, lambda line: None)


def _loaded_bytes(config: ModelConfig, tensors: dict[str, Tensor], dtype: str) -> float:
    """Bytes of the files' tensors on GPUs: unquantized ones are cast to the type of the activations."""
    if quantization_of(config) is not None:
        return float(sum(tensor.bytes for tensor in tensors.values()))
    width = DTYPE_BYTES.get(config.dtype if dtype == "auto" else dtype, 2)
    # float32 checkpoints are served in 16 bits where nothing else is asked for.
    width = 2 if dtype == "auto" and width == 4 else width
    return float(sum(tensor.elements for tensor in tensors.values()) * width)
