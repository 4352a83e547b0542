"""How much a replica serves: a roofline of decoding and of reading prompts.

For one step that gives each of `b` requests a token, at a context of `t` tokens each, a rank reads its weights and the
cache, b x t x k, and does b x (2 x p + a x t) operations; it takes the longer of the two, and a fixed time for each
step. p are the parameters that a token is multiplied with: of a mixture's experts the picked ones, of the output head
all in decoding and one token's in reading a prompt. Of experts those are read that one of the requests picks:
1 - (1 - picked / experts)^b, as if each were picked as often. a are the operations of attention from one token to
another: heads x (2 x key + 2 x value) entries in each layer that attends, to no more tokens than its window; absorbed
latents are as wide as a key and as a value. Causal masking leaves half of a prompt's pairs. What recurrent layers and
encoders do is left out, and sparse attention is counted as attention to all. Pipeline stages take their turns:
b / stages requests each.

Method: Williams, Waterman, Patterson, "Roofline" (CACM 52/4, 2009); for transformers, Pope et al., "Efficiently Scaling
Transformer Inference" (arXiv 2211.05102, sections 2 and 3.1). What of the peak is reached: data/throughput.yaml.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import inf

from generator.facts.roofline import roofline_factors
from generator.plan.placement import Placement
from generator.plan.requirements import ModelRequirements
from generator.sizing.cache.attention import head_dim
from generator.sizing.cache.specs import AttentionSpec, CacheSpec, MlaSpec, PackedMlaSpec
from generator.sizing.config.config import ModelConfig
from generator.sizing.model import Model
from generator.sizing.weights.attention import latent_dims
from generator.sizing.weights.feed_forward import experts_of
from generator.units import GIB


@dataclass(frozen=True, kw_only=True)
class Attention:
    """Layers of a rank that attend alike: seconds from one token to one other."""

    window: float
    """Tokens that they see at most."""
    prefill_seconds: float
    decode_seconds: float

    def prefill(self, tokens: float) -> float:
        """Seconds for every token of a prompt to attend to those before it."""
        seen = min(tokens, self.window)
        return (seen * seen / 2 + (tokens - seen) * seen) * self.prefill_seconds

    def decode(self, context: float) -> float:
        return min(context, self.window) * self.decode_seconds


@dataclass(frozen=True, kw_only=True)
class Speed:
    """A replica's time for its work, in seconds; fields are of a rank."""

    stages: int
    weights_seconds: float
    """To read once what every token needs of the weights."""
    experts_seconds: float
    """To read all routed experts once."""
    picked: float
    """Of the routed experts, the share that one token picks."""
    cache_seconds: float
    """To read the cache of one token."""
    multiply_seconds: float
    """To multiply one token through the layers."""
    head_seconds: float
    """And through the output head."""
    attention: tuple[Attention, ...]
    step_seconds: float
    """Of each step and stage, whatever is in it."""

    def _weights(self, tokens: float) -> float:
        """Seconds to read what so many tokens need."""
        missed: float = (1 - self.picked) ** tokens
        return self.weights_seconds + self.experts_seconds * (1 - missed)

    def step(self, requests: float, context: float) -> float:
        """Seconds until each of these requests, `context` tokens long, has one token more."""
        each = requests / self.stages
        read = self._weights(each) + each * context * self.cache_seconds
        attend = sum(layers.decode(context) for layers in self.attention)
        multiply = each * (self.multiply_seconds + self.head_seconds + attend)
        return self.stages * (max(read, multiply) + self.step_seconds)

    def prefill(self, tokens: float) -> float:
        """Seconds in which a replica reads a prompt, its stages one after the other."""
        attend = sum(layers.prefill(tokens) for layers in self.attention)
        multiply = tokens * self.multiply_seconds + self.head_seconds + attend
        return self.stages * (max(multiply, self._weights(tokens)) + self.step_seconds)


def speed(placement: Placement, requirements: ModelRequirements) -> Speed | None:
    """The speed of a replica; None for CPUs and for data parallel ranks, of which nothing is known."""
    gpu, memory, split, model = placement.node_pool.gpu, placement.memory, placement.split, requirements.sized
    flops, plain = peak_flops(placement, requirements), _half_flops(placement)
    if gpu is None or not flops or not plain or not memory.kv_tokens or split.data > 1:
        return None
    assumed = roofline_factors()
    # Engines that share a GPU take turns, so each has its part of everything.
    bandwidth = gpu.bandwidth_gbs * 1e9 * assumed.bandwidth_share * placement.gpu_share
    reached = assumed.compute_share * placement.gpu_share * split.gpus
    experts = min(memory.experts_gib, memory.weights_gib)
    layers = len(model.caches.layers) / split.pipeline
    return Speed(
        stages=split.pipeline,
        weights_seconds=(memory.weights_gib - experts) * GIB / bandwidth,
        experts_seconds=experts * GIB / bandwidth,
        picked=_picked(model.config),
        cache_seconds=memory.kv_gib * GIB / memory.kv_tokens / bandwidth,
        multiply_seconds=2 * _multiplied(model) / (flops * reached),
        head_seconds=2 * sum(matrix.parameters for matrix in model.matrices(text_only=True).last) / (plain * reached),
        attention=tuple(_attention(model, plain * reached)),
        step_seconds=assumed.step_seconds + assumed.seconds_per_layer * layers,
    )


def _picked(config: ModelConfig) -> float:
    """The share of routed experts that a token is given to; all where the configuration does not say."""
    experts = experts_of(config)
    picked = config.integer("num_experts_per_tok") if experts else None
    return min(1.0, picked / experts) if picked else 1.0


def _multiplied(model: Model) -> float:
    """Parameters of the layers that one token is multiplied with."""
    picked = _picked(model.config)
    each: dict[int, float] = {}
    layers = model.matrices(text_only=True).layers
    for layer in layers:
        if id(layer) not in each:
            each[id(layer)] = sum(m.parameters * (picked if m.sharding == "expert" else 1) for m in layer if m.linear)
    return sum(each[id(layer)] for layer in layers)


def _attention(model: Model, flops: float) -> list[Attention]:
    """Layers that attend alike, together; `flops` are those that all GPUs of the replica reach."""
    alike = []
    for cache, count in Counter(model.caches.caches).items():
        prefill, decode = _entries(cache, model.config)
        if prefill:
            window = cache.window if isinstance(cache, AttentionSpec | PackedMlaSpec) else None
            chunk = cache.chunk if isinstance(cache, AttentionSpec) else None
            attention = Attention(
                window=window or chunk or inf,
                prefill_seconds=2 * prefill * count / flops,
                decode_seconds=2 * decode * count / flops,
            )
            alike.append(attention)
    return alike


def _entries(cache: CacheSpec, config: ModelConfig) -> tuple[float, float]:
    """Entries that one token multiplies with another's, of all heads: while a prompt is read, and in decoding."""
    heads = config.integer("num_attention_heads") or 0
    match cache:
        case AttentionSpec(key_dim=key, value_dim=value):
            return heads * (key + value), heads * (key + value)
        case MlaSpec(width=width, bytes_each=None):
            rope = config.whole("qk_rope_head_dim", 64)
            return heads * (sum(latent_dims(config)) + rope), heads * (2 * width - rope)
        case PackedMlaSpec(part="window" | "compressed", tokens_each=each):
            return 2 * heads * head_dim(config) / each, 2 * heads * head_dim(config) / each
        case _:
            return 0, 0


def peak_flops(placement: Placement, requirements: ModelRequirements) -> float | None:
    """Dense peak of one GPU in operations a second, in the type that the layers' weights are multiplied in.

    Where activations are quantized as well (fp8, int8, fp4) that is their type, on GPUs that have it; other quantized
    weights are widened first; float32 is multiplied as TF32, at half of bfloat16.
    """
    half, gpu = _half_flops(placement), placement.node_pool.gpu
    scheme = requirements.sized.scheme(requirements.engine.quantization)
    if half is None or gpu is None or scheme is None or scheme.activations not in gpu.tflops:
        return half
    return gpu.tflops[scheme.activations] * 1e12


def _half_flops(placement: Placement) -> float | None:
    """The same of weights that are not quantized, and of attention."""
    gpu = placement.node_pool.gpu
    half = (gpu.tflops.get("bf16") or gpu.tflops.get("fp16")) if gpu else None
    return half * 1e12 / (2 if placement.shape.dtype == "float32" else 1) if half else None
