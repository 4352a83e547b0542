"""A checkpoint's weights: parameters, and bytes by dtype. Takes its tensors, or its configuration where it has none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from generator.checkpoint.safetensors import SAFETENSORS_DTYPES, Tensor, bytes_by_dtype
from generator.checkpoint.source import CheckpointSource
from generator.errors import UserError
from generator.formats.architecture import Architecture
from generator.formats.bounds import EXACT
from generator.formats.catalog import Weights
from generator.sizing.config.config import ModelConfig
from generator.sizing.model import Model
from generator.sizing.weights.rank import bytes_by_kind

Quantization = Mapping[str, Any]
"""`quantization_config`, in the words of its method; empty where weights have the model's own type."""

_MODELOPT = "hf_quant_config.json"
"""NVIDIA ModelOpt's own file, which vLLM reads too (`transformers_utils/config.py`)."""
_NEEDS_WEIGHTS = "Give a folder with its safetensors, or its hub id: their headers say it."
_PACKED_BITS = {"I32": 32, "I64": 64, "U8": 8}
# What quantization adds beside the weights: the last part of such tensors' names.
_SCALES = re.compile(
    r"(scales?|scale_inv|weight_scale_2|qzeros|zeros|zero_point|g_idx|weight_shape|absmax|quant_map)$|quant_state"
)


def quantization_of(source: CheckpointSource, config: ModelConfig) -> Quantization:
    stated = config.get("quantization_config") or config.get("compression_config")
    if isinstance(stated, dict):
        return stated
    if _MODELOPT not in source.names or source.only_config:
        return {}
    modelopt = source.json(_MODELOPT).get("quantization")
    return {"quant_method": "modelopt", **(modelopt if isinstance(modelopt, dict) else {})}


@dataclass(frozen=True, kw_only=True)
class CountedWeights:
    """Weights, and how sure they are."""

    weights: Weights
    confidence: str = ""
    """How parameters and bytes were found where the files do not say them themselves."""
    notes: tuple[str, ...] = ()


def weights_of(
    tensors: Mapping[str, Tensor], config: ModelConfig, architecture: Architecture, quantization: Quantization
) -> CountedWeights:
    """Return the weights, read or computed.

    Raises UserError where there are no tensors, and the configuration does not suffice.
    """
    counted = _counted(config)
    if not tensors:
        if counted is None:
            what = f"the parameters of {architecture.name} cannot be computed from its configuration alone"
            raise UserError(what, where=config.where, fix=_NEEDS_WEIGHTS)
        size = _computed_bytes(config, architecture, quantization)
        return CountedWeights(
            weights=_weights(counted, size, config), confidence="parameters and bytes computed from config.json"
        )
    parameters, exact = _parameters(tensors, quantization)
    confidence, notes = "", []
    if not exact:
        parameters = counted or parameters
        confidence = "parameters computed from config.json" if counted else "parameters estimated from packed tensors"
        notes.append(f"weights are packed: their bytes are exact, {confidence}.")
    elif counted and not quantization and abs(parameters - counted) > 0.02 * counted:
        notes.append(
            f"the weights hold {parameters / 1e9:.3f} billion parameters, config.json makes {counted / 1e9:.3f}: "
            "do they belong together?"
        )
    weights = _weights(parameters, bytes_by_dtype(tensors), config)
    return CountedWeights(weights=weights, confidence=confidence, notes=tuple(notes))


def _weights(parameters: int, size: dict[str, int], config: ModelConfig) -> Weights:
    """Raises UserError where no machine has as many bytes, as sizes make it that no model has."""
    if max(parameters, *size.values()) > EXACT:
        what = f"the model would have {parameters:.2g} parameters, {sum(size.values()):.2g} bytes"
        raise UserError(what, where=config.where, fix="No model has as many: are the sizes in it right?")
    return Weights(parameters=parameters, bytes=size)


def _counted(config: ModelConfig) -> int | None:
    """Parameters by the configuration; None where the architecture is not known."""
    model = Model(config)
    return model.matrices().parameters if model.caches.exact else None


def _parameters(tensors: Mapping[str, Tensor], quantization: Quantization) -> tuple[int, bool]:
    """The parameters, and whether that is exact. Packed tensors hold several in one element."""
    if not quantization:
        return sum(tensor.elements for tensor in tensors.values()), True
    bits = _bits(quantization) or 4
    total, exact = 0, True
    for name, tensor in tensors.items():
        if _SCALES.search(name):
            continue
        packed = _PACKED_BITS.get(tensor.dtype)
        total += tensor.elements * packed // bits if packed else tensor.elements
        exact = exact and not packed
    return total, exact


def _bits(quantization: Quantization) -> int | None:
    """Bits of a quantized weight, in the words of the methods that say it."""
    grouped = [weights.get("num_bits") for weights in _grouped(quantization)]
    loaded = 4 if quantization.get("load_in_4bit") else 8 if quantization.get("load_in_8bit") else None
    for bits in (quantization.get("bits"), quantization.get("w_bit"), *grouped, loaded):
        if isinstance(bits, int) and 1 <= bits <= 16:
            return bits
    return 8 if _is_fp8(quantization) else None


def _is_fp8(quantization: Quantization) -> bool:
    """Whether weights are floats of 8 bits, by the method, ModelOpt's algorithm or a group of compressed-tensors."""
    named = any("fp8" in str(quantization.get(word)).lower() for word in ("quant_method", "quant_algo"))
    return named or any((w.get("type"), w.get("num_bits")) == ("float", 8) for w in _grouped(quantization))


def _grouped(quantization: Quantization) -> list[Mapping[str, Any]]:
    """What compressed-tensors says of the weights of each of its groups."""
    groups = quantization.get("config_groups")
    stated = (
        [group.get("weights") for group in groups.values() if isinstance(group, dict)]
        if isinstance(groups, dict)
        else []
    )
    return [weights for weights in stated if isinstance(weights, dict)]


def _computed_bytes(config: ModelConfig, architecture: Architecture, quantization: Quantization) -> dict[str, int]:
    """Bytes by dtype of weights that are not there: quantized layers with their scales, and the rest."""
    model, short = Model(config), SAFETENSORS_DTYPES[architecture.torch_dtype]
    scheme = model.scheme(None)
    quantized, plain = (round(size) for size in bytes_by_kind(config, model.stored(), architecture.torch_dtype))
    if scheme is None:
        return {short: plain}
    if not scheme.known:
        what = f"the bytes of {architecture.quant_method or 'quantized'} weights cannot be computed from config.json"
        raise UserError(what, where=config.where, fix=_NEEDS_WEIGHTS)
    bits = _bits(quantization) or 4
    packed = "I32" if bits < 8 else "F8_E4M3" if _is_fp8(quantization) else "I8"
    # Of a scheme that leaves every layer (one of the cache alone) nothing is packed.
    return {dtype: size for dtype, size in ((packed, quantized), (short, plain)) if size}
