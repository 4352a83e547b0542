"""The weights on one GPU: parameters and bytes, from the configuration alone or from the checkpoint's headers.

vLLM prints them as "Model loading took … GiB". What is divided over a tensor parallel group and what every GPU repeats
is said by each matrix (`matrix.py`); what quantization makes of it by `quantization.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from generator.facts.files import read_data
from generator.sizing.cache.specs import CacheLayers
from generator.sizing.config import towers
from generator.sizing.config.config import ModelConfig
from generator.sizing.config.rotary import deepstack_bytes, rotary_bytes
from generator.sizing.parallelism import stages
from generator.sizing.weights.attention import absorbed
from generator.sizing.weights.decoder import ModelMatrices, draft_layers, draft_matrices
from generator.sizing.weights.feed_forward import experts_of
from generator.sizing.weights.matrix import Matrix, Sharding
from generator.sizing.weights.quantization import Format
from generator.sizing.weights.stored import Stored, StoredModel
from generator.units import GIB

DTYPE_ALIASES = {"half": "float16", "float": "float32"}
DTYPE_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4, "half": 2, "float": 4}
_PADDING = 64
"""The vocabulary is padded to a multiple of it (`vocab_parallel_embedding.py::DEFAULT_VOCAB_PADDING_SIZE`)."""


@dataclass(frozen=True, kw_only=True)
class LoraSlots:
    """Adapters that an engine keeps on the GPU at once."""

    adapters: int
    rank: int
    experts: bool = True
    """Experts have slots too."""


@dataclass(frozen=True, kw_only=True)
class WeightOptions:
    """What of the engine the weights depend on."""

    dtype: str = "bfloat16"
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    data_parallel: int = 1
    expert_parallel: bool = False
    quantization: str | None = None
    """What the engine is asked to make of weights that are not quantized."""
    compute_capability: float = 9.0
    least_expert_rows: int = 0
    """Of a cut expert on each GPU."""
    text_only: bool = False
    """Towers of other modalities are not loaded (`language_model_only`)."""
    batched_tokens: int = 2048
    """Tokens of a step: some models keep buffers for them beside the weights."""
    draft_layers: int = 0
    """Layers of the model's own multi-token prediction that speculative decoding loads."""
    lora: LoraSlots | None = None

    @property
    def experts_over(self) -> int:
        """GPUs that divide the experts: those of every rank, each whole ones or a part of each."""
        return self.tensor_parallel * self.data_parallel


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Bytes of the fullest GPU, with the range in which they lie."""

    parameters: int
    """Of the whole model."""
    bytes: float
    low: float
    high: float
    experts: float = 0.0
    """Of `bytes`, those of routed experts."""
    notes: tuple[str, ...] = ()

    def on_amd(self, *, quantized: bool) -> Weights:
        """As AMD's GPUs may hold them: padded, by how much is not known."""
        more = read_data("memory.yaml")["amdWeights"]["quantized" if quantized else "plain"]
        padding = self.experts * more["experts"] + (self.bytes - self.experts) * more["others"]
        return replace(self, high=self.high + padding)


def rank_weights(
    config: ModelConfig,
    caches: CacheLayers,
    stored: StoredModel,
    options: WeightOptions,
    *,
    checkpoint_bytes: float | None = None,
) -> Weights:
    """Predict the fullest GPU's weights (bytes).

    `checkpoint_bytes` is what the checkpoint's files hold of what vLLM loads, where that is known: it corrects the
    count from the configuration, which then only says how the bytes are divided.
    """
    model, scheme = stored.matrices, stored.scheme
    sizes = _Sizes(config, stored, options)
    whole = _Sizes(config, stored, _undivided(options))
    drafts = draft_matrices(config, model, options.draft_layers)
    by_stage = stage_bytes(config, stored, options)
    fullest, counted = max(by_stage.items(), key=lambda item: item[1])
    extra = sizes.runtime() + sizes.together(stored.stored(drafts, "mtp"))
    notes = []
    spread = read_data("memory.yaml")["weightsSpread"]
    doubt, sure = 0.0, spread["counted" if caches.state is None else "countedWithStates"]
    if not caches.exact:
        doubt, notes = 0.05, [f"weights: {caches.why}"]
    guess = f"quantization {scheme.method} is not known here; 8 bits are taken where it does not say" if scheme else ""
    if scheme is not None and not scheme.known:
        doubt = 0.3
        notes.append(guess)
    value = counted
    if checkpoint_bytes is not None:
        # A cast changes what files hold; the ratio of the undivided count to the files corrects every part alike.
        all_bytes = whole.stage(range(len(model.layers)))
        # Files may also hold the layers of multi-token prediction, which are not loaded unless they are asked for.
        beside = whole.together(stored.stored(draft_matrices(config, model, draft_layers(config)), "mtp"))
        ratio = min((checkpoint_bytes / all_bytes, checkpoint_bytes / (all_bytes + beside)), key=lambda r: abs(r - 1))
        value, doubt, sure = counted * ratio, 0.0, spread["files"]
        notes = [note for note in notes if note != guess]
        if not 0.5 < ratio < 2 and (scheme is None or scheme.known):
            notes.append(
                f"weights: {checkpoint_bytes / GIB:,.2f} GiB are given and config.json makes {all_bytes / GIB:,.2f}: "
                "do they belong together?"
            )
    elif model.first[-1].name in ("tower", "encoder"):
        doubt += towers.ABOUT * sizes.of(*stored.first[-1]) / max(counted, 1)
    if checkpoint_bytes is None and not options.text_only and towers.is_unsized(config):
        doubt += 0.15
        notes.append(
            "weights: a vision or audio tower has no sizes in config.json; give --weights-bytes, or the folder"
        )
    if options.lora is not None:
        extra += lora_bytes(model, options)
    most = value
    if scheme is not None and scheme.method == "mxfp4":  # Marlin's layout is taken where Triton's kernels are missing
        other = stage_bytes(config, stored, replace(options, compute_capability=8.0))
        most = max(value, *other.values())
    return Weights(
        parameters=model.parameters,
        bytes=value + extra,
        low=value * (1 - doubt - sure["below"]) + extra,
        high=most * (1 + doubt + sure["above"]) + extra,
        experts=sizes.layers(fullest, only="expert") * value / max(counted, 1) if experts_of(config) else 0.0,
        notes=tuple(notes),
    )


def stage_bytes(config: ModelConfig, stored: StoredModel, options: WeightOptions) -> dict[range, float]:
    """Bytes of the checkpoint's tensors on a GPU of each pipeline stage, by the stage's decoder layers."""
    sizes = _Sizes(config, stored, options)
    return {layers: sizes.stage(layers) for layers in stages(len(stored.layers), options.pipeline_parallel)}


def bytes_by_kind(config: ModelConfig, stored: StoredModel, dtype: str) -> tuple[float, float]:
    """Bytes of the whole checkpoint's quantized matrices, with their scales, and of all others."""
    sizes = _Sizes(config, stored, _undivided(WeightOptions(dtype=dtype)), loaded=False)
    quantized = plain = 0.0
    for part in (*stored.layers, stored.first, () if stored.matrices.tied else stored.last):
        for matrix, form in part:
            if form is not None:
                quantized += sizes.of(matrix, form)
            else:
                plain += sizes.of(matrix, form)
    return quantized, plain


def _undivided(options: WeightOptions) -> WeightOptions:
    return WeightOptions(
        dtype=options.dtype,
        quantization=options.quantization,
        compute_capability=0.0,
        text_only=options.text_only,
    )


class _Sizes:
    """Bytes of matrices on one GPU; or in a checkpoint, which pads nothing and has one type (`loaded` false)."""

    def __init__(self, config: ModelConfig, model: StoredModel, options: WeightOptions, *, loaded: bool = True) -> None:
        self._config, self._model, self._options, self._loaded = config, model, options, loaded
        self._width = DTYPE_BYTES.get(options.dtype, 2)
        padding = read_data("memory.yaml")["expertPadding"]
        self._padding = None
        if model.scheme is not None and model.scheme.method == "mxfp4" and options.compute_capability:
            backend = (
                "marlin"
                if options.compute_capability < 9
                else "triton"
                if options.compute_capability < 10
                else "trtllm"
            )
            self._padding = padding[backend]

    def stage(self, layers: range) -> float:
        """Bytes of a pipeline stage with these decoder layers."""
        matrices, first = self._model.matrices, layers.start == 0
        total = self.layers(layers)
        if first:
            total += self.together(self._model.first)
        elif matrices.on_every_stage:
            total += self.together(self._model.embeddings)
        if layers.stop == len(self._model.layers) or matrices.on_every_stage == "both":
            embedded = first or bool(matrices.on_every_stage)
            total += 0.0 if matrices.tied and embedded else self.together(self._model.last)
        return total

    def layers(self, layers: range, *, only: Sharding | None = None) -> float:
        """Bytes of these decoder layers; `only`: of their matrices that are divided so."""
        total = 0.0
        alike: dict[int, float] = {}
        for index in layers:
            layer = self._model.layers[index]
            if id(layer) not in alike:
                alike[id(layer)] = self.together(layer, only=only)
            total += alike[id(layer)]
        return total

    def together(self, part: Stored, *, only: Sharding | None = None) -> float:
        return sum(self.of(matrix, form) for matrix, form in part if only in (None, matrix.sharding))

    def of(self, matrix: Matrix, form: Format | None) -> float:
        rows, columns = self._laid_out(matrix, form)
        size = (
            form.bytes(rows, columns)
            if form
            else rows * columns * ((matrix.width if self._loaded else None) or self._width)
        )
        # Scales of outputs are as many on every GPU where the inputs are divided.
        scales = form.row_scales(rows) if form and matrix.is_row_parallel and not self._whole_experts(matrix) else 0.0
        return ((size - scales) * self._part(matrix) + scales) * matrix.count

    def _part(self, matrix: Matrix) -> float:
        """Which part of the matrix, or of its experts, a GPU holds."""
        tp = self._options.tensor_parallel
        if matrix.sharding == "replicated":
            return 1.0
        if matrix.sharding == "qkv":
            return max(1.0, matrix.heads / tp) / matrix.heads
        if self._whole_experts(matrix):
            return ceil(matrix.count / self._options.experts_over) / matrix.count
        return 1 / (self._options.experts_over if matrix.sharding == "expert" else tp)

    def _laid_out(self, matrix: Matrix, form: Format | None) -> tuple[float, float]:
        """Rows and columns with what is added to them: to the vocabulary, and to experts that are cut or packed."""
        rows, columns, parts = matrix.rows, matrix.columns, self._options.experts_over
        if matrix.sharding == "vocab" and self._loaded:
            return ceil(rows / _PADDING) * _PADDING, columns
        if matrix.sharding != "expert":
            return rows, columns
        if form is not None and self._padding:
            return self._padded(matrix, 1 if self._options.expert_parallel else parts)
        if parts > 1 and self._options.least_expert_rows and not self._options.expert_parallel:
            return self._widened(matrix, self._options.least_expert_rows * parts)
        return rows, columns

    def _whole_experts(self, matrix: Matrix) -> bool:
        return matrix.sharding == "expert" and self._options.expert_parallel

    @staticmethod
    def _widened(matrix: Matrix, least: int) -> tuple[int, int]:
        if matrix.is_row_parallel:
            return matrix.rows, max(matrix.columns, least)
        return max(matrix.rows, least), matrix.columns

    def _padded(self, matrix: Matrix, parts: int) -> tuple[float, float]:
        """Rows and columns of an expert's matrix as the mxfp4 kernels lay it out."""
        assert self._padding is not None
        hidden = ceil(self._config.needed("hidden_size") / self._padding["hidden"]) * self._padding["hidden"]
        down = matrix.is_row_parallel
        inner = (matrix.columns if down else matrix.rows) / parts
        inner = ceil(inner / self._padding["intermediate"]) * self._padding["intermediate"] * parts
        return (hidden, inner) if down else (inner, hidden)

    def runtime(self) -> float:
        """What loading adds to the checkpoint's tensors: absorbed latent projections, and the rotary table."""
        made = absorbed(self._config)
        layers = ceil(len(self._model.layers) / self._options.pipeline_parallel)
        buffers = deepstack_bytes(self._config, self._options.batched_tokens, self._width) + rotary_bytes(
            self._config, self._width
        )
        return buffers + (layers * self.together(self._model.stored([made], "model")) if made else 0.0)


def lora_bytes(model: ModelMatrices, options: WeightOptions) -> float:
    """Bytes of the slots for adapters: two thin matrices beside every linear layer, for each adapter.

    The first is repeated on every GPU, the second divided (`vllm/lora/layers/base_linear.py::create_lora_weights`).
    Beside an expert what has the model's width is repeated, and what has the expert's divided with it
    (`vllm/lora/layers/fused_moe.py`, without `fully_sharded_loras`).
    """
    assert options.lora is not None
    if not model.layers:
        return 0.0
    entries, tp = 0.0, options.tensor_parallel
    for layer in model.layers:
        # What holds a group that is repeated is one matrix, and not several merged (`mamba_mixer2.py`).
        whole = {matrix.name for matrix in layer if matrix.merged > 1 and matrix.heads % tp}
        for matrix in layer:
            if matrix.linear and matrix.sharding in ("column", "row", "qkv"):
                slots = (0.0 if matrix.heads else 1.0) if matrix.name in whole else matrix.merged
                entries += slots * matrix.columns + matrix.rows / tp
            elif matrix.sharding == "expert" and options.lora.experts:
                hidden, inner = (
                    (matrix.rows, matrix.columns) if matrix.is_row_parallel else (matrix.columns, matrix.rows)
                )
                if options.expert_parallel:
                    entries += ceil(matrix.count / options.experts_over) * (hidden + inner)
                else:
                    entries += matrix.count * (hidden + inner / options.experts_over)
    layers = ceil(len(model.layers) / options.pipeline_parallel) / len(model.layers)
    return entries * layers * options.lora.rank * options.lora.adapters * DTYPE_BYTES.get(options.dtype, 2)
