"""What vLLM takes of a GPU besides weights and cache: activations, memory outside PyTorch, CUDA graphs.

vLLM measures the first in a profile run: a step of `max_num_batched_tokens` through the model, then the sampler over
`max_num_seqs` rows of logits, which with today's vocabularies is the larger. Constants and their evidence:
`data/memory.yaml`; the run itself: `vllm/v1/worker/gpu_worker.py::determine_available_memory` and
`gpu_model_runner.py::profile_run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from generator.facts.files import read_data
from generator.facts.vllm_memory import MemoryBehaviour, Range
from generator.sizing.cache.specs import CacheLayers, MambaSpec
from generator.sizing.config import towers
from generator.sizing.config.architectures import makes_vectors
from generator.sizing.config.config import ModelConfig
from generator.sizing.weights.feed_forward import expert_width, experts_of, is_ungated, shared_width
from generator.sizing.weights.quantization import Quantization
from generator.units import GIB


@dataclass(frozen=True, kw_only=True)
class Step:
    """One engine step, at its largest, and on what it runs."""

    tokens: int
    sequences: int
    width: int
    """Bytes of the type of activations."""
    tensor_parallel: int = 1
    data_parallel: int = 1
    """Ranks, of which each one's experts see the tokens of all."""
    expert_parallel: bool = False
    compute_capability: float = 9.0
    text_only: bool = False


def activation_gib(
    config: ModelConfig,
    caches: CacheLayers,
    scheme: Quantization | None,
    step: Step,
    behaviour: MemoryBehaviour,
) -> Range:
    """The peak of PyTorch's memory over weights in the profile run (GiB of the fullest GPU)."""
    data, hidden = read_data("memory.yaml"), config.needed("hidden_size")
    images = 0.0 if step.text_only else image_bytes(config, step)
    buffers = expert_buffer_bytes(config, step)
    stay, may_stay = _stay(scheme, step, behaviour)
    kept = images + data["hiddenFactor"] * step.tokens * hidden * step.width
    forward = images + _forward_bytes(config, caches, step, data["forward"])
    samples = caches.layers and caches.caches and not makes_vectors(config)
    entries = min(step.sequences, step.tokens) * config.needed("vocab_size") if samples else 0
    tower = 0.0 if step.text_only else _tower_bytes(config, step)

    def peak(sampler_bytes: float, beside: float, share: float) -> float:
        peaks = (sampler_bytes * entries + kept + beside, (forward + buffers) * share, tower * share)
        return float(max(peaks)) / GIB

    sampler = behaviour.sampler_bytes
    return Range(
        estimate=peak(sampler.estimate, buffers if stay else 0.0, 1.0),
        low=peak(sampler.low, 0.0, 0.6),
        high=peak(sampler.high, buffers if may_stay else 0.0, 1.3),
    )


def _stay(scheme: Quantization | None, step: Step, behaviour: MemoryBehaviour) -> tuple[bool, bool]:
    """Whether the mixture's buffers stay, and whether they may: kernels for packed weights, or Blackwell, have none."""
    if scheme is None:
        return behaviour.expert_buffers_stay, behaviour.expert_buffers_stay
    eight_bits = scheme.method in ("fp8", "compressed-tensors") and 8.9 <= step.compute_capability < 10
    packed = any(stored.bits < 8 for _, stored in scheme.formats)
    stay = behaviour.expert_buffers_stay and eight_bits and not packed
    return stay, stay or (eight_bits and not packed)


def expert_buffer_bytes(config: ModelConfig, step: Step) -> float:
    """Two buffers of a mixture's kernels: a row for each token and each of its experts. 0 for a dense model.

    Source: `vllm/model_executor/layers/fused_moe/experts/triton_moe.py::TritonExperts.workspace_shapes`.
    """
    if not experts_of(config):
        return 0.0
    inner = config.integer("moe_latent_size") or config.needed("hidden_size")
    whole = expert_width(config) * (1 if is_ungated(config) else 2)
    made = whole if step.expert_parallel else whole / (step.tensor_parallel * step.data_parallel)
    tokens = step.tokens * step.data_parallel  # gathered: vllm/config/parallel.py, all2all_backend
    return 2 * tokens * (config.integer("num_experts_per_tok") or 1) * max(inner, made) * step.width


def _forward_bytes(config: ModelConfig, caches: CacheLayers, step: Step, factors: Mapping[str, float]) -> float:
    """The widest moment of a decoder layer, without a mixture's own buffers."""
    hidden = config.needed("hidden_size")
    dense = config.integer("intermediate_size_mlp") or config.integer("intermediate_size") or 4 * hidden
    inner = shared_width(config) if experts_of(config) else dense
    states = [cache for cache in caches.caches if isinstance(cache, MambaSpec)]
    if states:  # a mixer's projections: inputs, gate and their convolution
        inner = max(inner, states[0].channels + states[0].groups * states[0].group_channels)
    return step.tokens * step.width * (factors["mlp"] * inner / step.tensor_parallel + factors["hidden"] * hidden)


def image_bytes(config: ModelConfig, step: Step) -> float:
    """Encoder outputs and pixels that the profile run keeps of as many images as a step may hold; 0 for text models."""
    vision = towers.vision_of(config)
    if vision is None:
        return 0.0
    data: Mapping[str, int] = read_data("memory.yaml")["encoder"]
    tokens, pixels = _image_tokens(config, step, data["imageTokens"])
    depths = vision.get("deepstack_visual_indexes")
    outputs = (
        tokens * config.needed("hidden_size") * step.width * (1 + (len(depths) if isinstance(depths, list) else 0))
    )
    return outputs + pixels * data["pixelBytes"]


def _image_tokens(config: ModelConfig, step: Step, most: int) -> tuple[int, float]:
    """Tokens of images in a step, and entries of their pixels."""
    vision = towers.vision_of(config) or {}
    patch = towers.size_in(vision, "patch_size") or 14
    merge = towers.size_in(vision, "spatial_merge_size") or towers.size_in(config.data, "spatial_merge_size") or 1
    size = towers.size_in(vision, "image_size")
    if not size:  # images of any size: one of the most tokens that the processor makes
        tokens = max(step.tokens, most)
        frames = towers.size_in(vision, "temporal_patch_size") or 1
        return tokens, tokens * merge * merge * 3 * patch * patch * frames
    each = towers.size_in(config.data, "mm_tokens_per_image") or max(1, (size // patch // merge) ** 2)
    return max(step.tokens, each), max(1, step.tokens // each) * 3 * size * size


def _tower_bytes(config: ModelConfig, step: Step) -> float:
    """The widest moment of a vision tower that takes one large image whole."""
    vision = towers.vision_of(config)
    if vision is None or towers.size_in(vision, "image_size"):
        return 0.0
    tokens, _ = _image_tokens(config, step, read_data("memory.yaml")["encoder"]["imageTokens"])
    merge = towers.size_in(vision, "spatial_merge_size") or 2
    patches = tokens * merge * merge
    width = towers.size_in(vision, "embed_dim", "hidden_size", "vt_hidden_size") or 1024
    inner = towers.size_in(vision, "intermediate_size", "vt_intermediate_size") or 4 * width
    return patches * step.width * (2 * inner / step.tensor_parallel + 3 * width)


def graph_gib(layers: int, *, gpus: int, sequences: int) -> Range:
    """CUDA graphs of all captured sizes (GiB); fewer sizes are captured for fewer sequences."""
    data = read_data("memory.yaml")["graphs"]
    each = data["perLayer"][max(n for n in data["perLayer"] if n <= gpus)]
    captured = min(1.0, sequences / data["captured"])
    value = layers * each * (data["fewShare"] + (1 - data["fewShare"]) * captured)
    return Range(estimate=value, low=value * data["lowShare"], high=value * data["highShare"])
