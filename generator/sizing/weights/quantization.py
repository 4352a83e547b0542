"""What quantization makes of a layer's weights: bytes with their scales and zero points, and which layers it leaves.

Takes a config.json's `quantization_config` (or the engine's `quantization`), gives the bytes of one matrix by its name.
Sources: `vllm/model_executor/layers/quantization/` 0.29.0 (each method's `create_weights` and `is_layer_skipped`), and
compressed-tensors' `config_groups`.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

from generator.errors import UserError, cut
from generator.facts.vllm_quantization import method_of
from generator.sizing.config.config import ModelConfig
from generator.sizing.memo import memoized

_EMBEDDINGS = ("embed_tokens", "lm_head", "embed_in", "embed_out")
UNNAMED = "unknown"
"""The method of a configuration that names none."""
_ALL = ("Linear",)
"""Targets that mean every linear layer."""
# Methods whose `create_weights` asks for whole groups or blocks on each GPU.
_CHECKED = ("awq", "gptq", "auto", "inc", "compressed", "modelopt", "fp8", "deepseek_v4_fp8")
Activations = Literal["", "fp8", "int8", "fp4"]
_BITS_BY_NAME = {"fp8": 8, "int8": 8, "w8a8": 8, "awq": 4, "gptq": 4, "int4": 4, "fp4": 4, "mxfp4": 4}
_BITS_BY_NAME |= {"nvfp4": 4, "float8": 8, "aqlm": 2, "bitnet": 2}


@dataclass(frozen=True, kw_only=True)
class Format:
    """How one matrix is stored: bits of a weight, and what belongs to a group of weights."""

    bits: float
    group: int = 0
    """Weights along the input that share a scale; 0: a scale for each output row, -1: one for the whole matrix."""
    block: int = 1
    """Output rows that share a scale (128 for fp8 by blocks)."""
    scale_bytes: float = 4
    zero_bits: float = 0
    index_bytes: int = 0
    """Bytes for each input (GPTQ's g_idx)."""

    def row_scales(self, rows: float) -> float:
        """Bytes of scales that belong to whole output rows."""
        return rows * self.scale_bytes if self.group == 0 else 0.0

    def bytes(self, rows: float, columns: float) -> float:
        groups = 1 / max(rows, 1) if self.group < 0 else columns / self.group if self.group else 1
        scales = rows / self.block * groups
        return (
            rows * columns * self.bits / 8
            + scales * (self.scale_bytes + self.zero_bits / 8)
            + columns * self.index_bytes
        )


class Unreadable(ValueError):
    """Something in a `quantization_config` that nothing can be made of, in words."""


_MXFP4 = Format(bits=4, group=32, scale_bytes=1)


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """The scheme of a checkpoint. `formats` are tried in order; the first whose targets name the layer holds."""

    method: str
    formats: tuple[tuple[tuple[str, ...], Format], ...]
    skipped: tuple[str, ...] = ()
    only: str = ""
    """Part of the name of the only layers that are quantized (gpt-oss: experts)."""
    embeddings: bool = False
    """Whether embedding and output head are quantized as well."""
    known: bool = True
    """False where the method's bits are a guess."""
    activations: Activations = ""
    """Type in which GPUs that have it multiply: activations are quantized too. Empty: weights are widened first."""
    kinds: frozenset[str] = frozenset()
    """What the groups of compressed-tensors are, in the words of `data/quantization.yaml`."""

    @property
    def is_checked(self) -> bool:
        """Whether vLLM refuses to cut through what shares a scale."""
        return self.method.startswith(_CHECKED)

    @property
    def by_layer(self) -> bool:
        """Whether layers of one kind are told apart by their number."""
        return self._skips.by_layer or any(names.by_layer for names, _ in self._targets)

    @cached_property
    def _skips(self) -> Names:
        return Names(self.skipped)

    @cached_property
    def _targets(self) -> list[tuple[Names, Format]]:
        everything = "re:.*"
        return [
            (Names(tuple(everything if target == "Linear" else target for target in targets)), stored)
            for targets, stored in self.formats
        ]

    @memoized
    def format_of(self, name: str) -> Format | None:
        """The format of the layer `name` (such as model.layers.0.self_attn.q_proj); None where it stays as it is."""
        if any(word in name for word in _EMBEDDINGS) and not (self.embeddings and "lm_head" in name):
            return None
        if (self.only and self.only not in name) or self._skips.mean(name):
            return None
        return next((stored for names, stored in self._targets if names.mean(name)), None)


class Names:
    """A list of layers' names, as quantization schemes write them: names, their parts, globs, regular expressions."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._whole = {p for p in patterns if not p.startswith("re:") and "*" not in p}
        self._parts = [f".{p}." for p in self._whole if not p.startswith(("model.", "language_model.", "vision"))]
        globs = (
            fnmatch.translate(p).removesuffix(r"\Z") + r"(\..*)?\Z" for p in patterns if "*" in p and p[:3] != "re:"
        )
        stated = [_checked(p[3:]) for p in patterns if p[:3] == "re:"]
        self._expressions = [_compiled(expression) for expression in (*stated, *globs)]
        self.by_layer = any(re.search(r"layers\\?\.\(?[0-9]", p) for p in patterns)
        """Whether layers of one kind are told apart by their number."""

    def mean(self, name: str) -> bool:
        """Whether the list means the layer `name`, or a module that holds it."""
        short = name.removeprefix("model.")
        for whole in {name, short}:
            holder = whole
            while holder:
                if holder in self._whole:
                    return True
                holder = holder.rpartition(".")[0]
        if any(pattern.match(name) or pattern.match(short) for pattern in self._expressions):
            return True
        dotted = f".{name}."
        return any(part in dotted for part in self._parts)


_REPEATS = re.compile(r"[*+{]")
_MOST_REPEATS = 4
_REPEATED_GROUP = re.compile(r"\)[*+{]")


def _checked(expression: str) -> str:
    """An expression that is matched quickly. Raises Unreadable for one that may take for ever.

    That takes a group that repeats, or many parts that do. Schemes name layers by one or two of the latter.
    """
    if _REPEATED_GROUP.search(expression) or len(_REPEATS.findall(expression)) > _MOST_REPEATS:
        raise Unreadable(f"{cut(repr(expression))} repeats too much to be matched")
    return expression


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except (re.error, OverflowError, RecursionError) as error:
        raise Unreadable(f"{cut(repr(expression))}: {error}") from None


def quantization_of(config: ModelConfig, requested: str | None = None) -> Quantization | None:
    """The scheme of a checkpoint, or the one that the engine is asked to make of it (`quantization` fp8, …).

    None where weights stay in the model's own type. Raises UserError for a scheme that nothing can be made of.
    """
    stated = config.get("quantization_config") or config.get("compression_config")
    if not isinstance(stated, Mapping):
        return _online(requested) if requested else None
    try:
        scheme = _of_checkpoint(stated, config)
        scheme.format_of("model.layers.0.self_attn.q_proj")  # which compiles its lists of layers
    except Unreadable as error:
        what = f"`quantization_config` cannot be read: {error}"
        raise UserError(what, where=config.where, fix=config.fix) from None
    return scheme


# What the engine makes of a matrix: by the word for it. Sources: `vllm/config/quantization.py` (shorthands),
# `layers/quantization/online/`, and Fp8Config, which makes the same of all but embeddings.
_ONLINE: Mapping[str, tuple[Format, Activations]] = {
    "fp8": (Format(bits=8, group=-1), "fp8"),
    "fp8_per_tensor": (Format(bits=8, group=-1), "fp8"),
    "fp8_per_channel": (Format(bits=8), "fp8"),
    "fp8_per_block": (Format(bits=8, group=128, block=128), "fp8"),
    "mxfp8": (Format(bits=8, group=32, scale_bytes=1), "fp8"),
    "mxfp4": (_MXFP4, "fp4"),
    "nvfp4_per_token": (Format(bits=4, group=16, scale_bytes=1), "fp4"),
    "int8_per_channel_weight_only": (Format(bits=8), ""),
    "experts_int8": (Format(bits=8), ""),
    "rtn": (Format(bits=8), ""),
    "bitsandbytes": (Format(bits=4, group=64), ""),
}


def _online(requested: str) -> Quantization:
    """What vLLM makes while it loads weights that are not quantized."""
    method = method_of(requested)
    only = "experts" if method is not None and method.makes == "experts" else ""
    bits = next((bits for word, bits in _BITS_BY_NAME.items() if word in requested), 8)
    stored, activations = _ONLINE.get(requested, (Format(bits=bits), ""))
    known = requested in _ONLINE
    return Quantization(method=requested, formats=((_ALL, stored),), only=only, known=known, activations=activations)


_SKIPPED = (
    "ignore",
    "modules_to_not_convert",
    "ignored_layers",
    "exclude_modules",
    "exclude",
    "llm_int8_skip_modules",
)
"""The methods' words for the layers that they leave."""


def _of_checkpoint(stated: Mapping[str, Any], config: ModelConfig) -> Quantization:
    """The scheme by its method, as vLLM has a class for each; ModelOpt's are known by their algorithm too."""
    method = str(stated.get("quant_method") or stated.get("quant_algo") or UNNAMED).lower()
    reader = _READERS.get(method, _of_another_method)
    if reader is not _compressed_tensors and (method.startswith("modelopt") or stated.get("quant_algo")):
        reader = _modelopt
    skipped = [name for word in _SKIPPED if isinstance(stated.get(word), list) for name in stated[word]]
    return replace(reader(method, stated, config), skipped=tuple(map(str, skipped)))


def _compressed_tensors(method: str, stated: Mapping[str, Any], config: ModelConfig) -> Quantization:
    kinds = frozenset(_kinds(stated))
    return Quantization(method=method, formats=_groups(stated), activations=_activations(stated), kinds=kinds)


def _modelopt(method: str, stated: Mapping[str, Any], config: ModelConfig) -> Quantization:
    name, activations = _modelopt_method(stated)
    return Quantization(method=name, formats=_modelopt_formats(stated), activations=activations)


def _integer_groups(method: str, stated: Mapping[str, Any], config: ModelConfig) -> Quantization:
    """AWQ, GPTQ and what writes their format."""
    bits = _positive(stated.get("bits") or stated.get("w_bit") or 4)
    group = _whole(stated.get("group_size") or stated.get("q_group_size") or 128)
    # Marlin kernels take symmetric weights without zero points and sort by g_idx only where desc_act is.
    zero = bits if "awq" in method and stated.get("zero_point", True) else 0 if stated.get("sym", True) else bits
    stored = Format(bits=bits, group=max(group, 0), scale_bytes=2, zero_bits=zero)
    return Quantization(method=method, formats=((_ALL, stored),), embeddings=bool(stated.get("lm_head")))


def _bitsandbytes(method: str, stated: Mapping[str, Any], config: ModelConfig) -> Quantization:
    four = stated.get("load_in_4bit") or stated.get("_load_in_4bit")
    nested = stated.get("bnb_4bit_use_double_quant")
    stored = Format(bits=4, group=64, scale_bytes=1.1 if nested else 4) if four else Format(bits=8)
    return Quantization(method=method, formats=((_ALL, stored),))


def _mxfp4(method: str, stated: Mapping[str, Any], config: ModelConfig) -> Quantization:
    return Quantization(method=method, formats=((_ALL, _MXFP4),), only="experts")


def _fp8(method: str, stated: Mapping[str, Any], config: ModelConfig) -> Quantization:
    block = stated.get("weight_block_size")
    stored = Format(bits=8, group=-1)
    if isinstance(block, list):
        rows, columns = _block(block)
        stored = Format(bits=8, block=rows, group=columns)
    packs_experts = method == "deepseek_v4_fp8" or config.get("expert_dtype") == "fp4"
    experts = ((("re:.*\\.experts\\..*",), _MXFP4),) if packs_experts else ()
    return Quantization(method=method, formats=(*experts, (_ALL, stored)), activations="fp8")


def _of_another_method(method: str, stated: Mapping[str, Any], config: ModelConfig) -> Quantization:
    """By its bits, where it says them or its name does; else they are a guess."""
    words = method if method != "torchao" else json.dumps(stated.get("quant_type"), default=str).lower()
    bits = stated.get("bits") or stated.get("nbits") or next((b for w, b in _BITS_BY_NAME.items() if w in words), None)
    known = isinstance(bits, int)
    group = _whole(stated.get("group_size") or 128)
    stored = Format(bits=_positive(bits) if known else 8, group=group, scale_bytes=2)
    return Quantization(method=method, formats=((_ALL, stored),), known=known)


_Reader: TypeAlias = Callable[[str, Mapping[str, Any], ModelConfig], Quantization]
_READERS: Mapping[str, _Reader] = {
    "compressed-tensors": _compressed_tensors,
    "compressed_tensors": _compressed_tensors,
    "bitsandbytes": _bitsandbytes,
    "mxfp4": _mxfp4,
    **dict.fromkeys(
        ("awq", "gptq", "awq_marlin", "gptq_marlin", "auto-round", "auto_round", "gptqmodel", "inc"), _integer_groups
    ),
    **dict.fromkeys(("fp8", "fbgemm_fp8", "ptpc_fp8", "deepseek_v4_fp8"), _fp8),
}
"""What reads a checkpoint's scheme, by its `quant_method`."""


def _groups(stated: Mapping[str, Any]) -> tuple[tuple[tuple[str, ...], Format], ...]:
    """compressed-tensors: each group of layers with its own weights."""
    groups: list[tuple[tuple[str, ...], Format]] = []
    for group, weights in _weight_groups(stated):
        targets = group.get("targets") or list(_ALL)
        if not isinstance(targets, list):
            raise Unreadable(f"`targets` is {cut(repr(targets))}, not a list")
        groups.append((tuple(map(str, targets)), _weights(weights)))
    # Groups that name layers come before the one that means every linear layer.
    return tuple(sorted(groups, key=lambda item: "Linear" in item[0]))


def _activations(stated: Mapping[str, Any]) -> Activations:
    """compressed-tensors: the type of the activations of its groups, where they all have one."""
    types = {_activations_of(group) for group, _ in _weight_groups(stated)}
    return types.pop() if len(types) == 1 else ""


def _activations_of(group: Mapping[str, Any]) -> Activations:
    inputs = group.get("input_activations")
    if not isinstance(inputs, Mapping):
        return ""
    match inputs.get("type"), inputs.get("num_bits"):
        case "float", 8:
            return "fp8"
        case "int", 8:
            return "int8"
        case "float", 4:
            return "fp4"
    return ""


def _weight_groups(stated: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """compressed-tensors' groups that quantize weights, each with what it says of them."""
    groups = stated.get("config_groups")
    for group in groups.values() if isinstance(groups, Mapping) else ():
        if isinstance(group, Mapping) and isinstance(group.get("weights"), Mapping):
            yield group, group["weights"]


def _kinds(stated: Mapping[str, Any]) -> Iterator[str]:
    """compressed-tensors: what vLLM makes of each group (`compressed_tensors.py::_get_scheme_from_parts`)."""
    for group, weights in _weight_groups(stated):
        kind = _activations_of(group)
        match weights.get("type"), weights.get("num_bits"):
            case "float", 4:
                yield "mxfp4" if weights.get("group_size") == 32 else "nvfp4"
            case "float", 8:
                yield "mxfp8" if weights.get("group_size") == 32 else "fp8"
            case "int", 4 if kind == "fp8":
                yield "w4a8_fp8"
            case "int", 8 if kind == "int8":
                yield "int8"
            case "int", _:
                yield "integers"


def _positive(value: Any) -> int:
    """A whole number from 1 to a million, also where it is written as text. Raises Unreadable for anything else."""
    number = _whole(value)
    if not 1 <= number <= 1_000_000:
        raise Unreadable(f"{cut(repr(value))} is not a whole number above 0 that makes sense")
    return number


def _whole(value: Any) -> int:
    """A whole number, also where it is written as text. Raises Unreadable for anything else."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise Unreadable(f"{cut(repr(value))} is not a whole number") from None


def _block(stated: Any) -> tuple[int, int]:
    """Rows and columns that share a scale: two numbers, or a text such as 128x128."""
    sizes = stated.lower().split("x") if isinstance(stated, str) else stated
    if not isinstance(sizes, list) or len(sizes) != 2:
        raise Unreadable(f"{cut(repr(stated))} is not the two sizes of a block")
    return _positive(sizes[0]), _positive(sizes[1])


def _weights(weights: Mapping[str, Any]) -> Format:
    bits, strategy = _positive(weights.get("num_bits") or 8), weights.get("strategy")
    zero = 0 if weights.get("symmetric", True) else bits
    size = weights.get("group_size")
    if strategy == "block":
        rows, columns = _block(weights.get("block_structure") or [128, 128])
        return Format(bits=bits, group=columns, block=rows)
    if strategy == "tensor":
        return Format(bits=bits, group=-1)
    if strategy in ("group", "tensor_group") and isinstance(size, int) and size > 0:
        scale = 1 if bits == 4 and weights.get("type") == "float" else 2  # nvfp4, mxfp4: a scale is one byte
        return Format(bits=bits, group=size, scale_bytes=scale, zero_bits=zero)
    return Format(bits=bits, scale_bytes=4 if bits == 8 else 2)


def _modelopt_method(stated: Mapping[str, Any]) -> tuple[str, Activations]:
    """vLLM's word for the scheme, by what was quantized how, and the type of its activations."""
    algo = str(stated.get("quant_algo") or "FP8").upper()
    if isinstance(stated.get("quantized_layers"), Mapping) or "MIXED" in algo:
        return "modelopt_mixed", ""
    if "MXFP8" in algo:
        return "modelopt_mxfp8", "fp8"
    if "FP4" in algo:
        return "modelopt_fp4", "" if "W4A16" in algo else "fp4"
    return "modelopt", "" if "W4A16" in algo else "fp8"


def _modelopt_formats(stated: Mapping[str, Any]) -> tuple[tuple[tuple[str, ...], Format], ...]:
    algo = str(stated.get("quant_algo") or stated.get("quant_method") or "FP8").upper()
    nvfp4 = Format(bits=4, group=_positive(stated.get("group_size") or 16), scale_bytes=1)
    mixed = stated.get("quantized_layers")
    if isinstance(mixed, Mapping):
        each = [
            ((str(name),), nvfp4 if "FP4" in str(layer.get("quant_algo")).upper() else Format(bits=8, group=-1))
            for name, layer in mixed.items()
            if isinstance(layer, Mapping)
        ]
        return tuple(each)
    return ((_ALL, nvfp4 if "FP4" in algo or "W4" in algo else Format(bits=8, group=-1)),)
