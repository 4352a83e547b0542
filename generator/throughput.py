"""How much a replica serves: a roofline of decoding and of reading prompts.

For one step that gives each of `b` requests a token, at a context of `t` tokens each, a rank reads its weights W and
the cache b x t x k, and does 2 x p x b operations (p parameters of the rank); it takes the longer of the two, and a
fixed time for each step. Pipeline stages take their turns: b / stages requests each. A prompt of n tokens takes
2 x p x n + 2 x n^2 x heads x head size x layers operations, the second term for attention, of which causal masking
leaves half. All weights are counted as read and multiplied, so a mixture of experts is faster than this.

Method: Williams, Waterman, Patterson, "Roofline" (CACM 52/4, 2009); for transformers, Pope et al., "Efficiently Scaling
Transformer Inference" (arXiv 2211.05102, sections 2 and 3.1). What of the peak is reached: data/throughput.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass

from .catalog import CatalogModel
from .facts import throughput
from .placement import Candidate
from .sizing import GIB


@dataclass(frozen=True, kw_only=True)
class Speed:
    """A replica's time for its work, in seconds."""

    stages: int
    weights_seconds: float
    """To read a rank's weights once."""
    cache_seconds: float
    """To read a rank's cache of one token."""
    multiply_seconds: float
    """To multiply one token through a rank."""
    attend_seconds: float
    """To attend from one token to one other, on a rank."""
    step_seconds: float
    """Of each step and stage, whatever is in it."""

    def step(self, requests: float, context: float) -> float:
        """Seconds until each of these requests, `context` tokens long, has one token more."""
        each = requests / self.stages
        read = self.weights_seconds + each * context * self.cache_seconds
        multiply = each * (self.multiply_seconds + context * self.attend_seconds)
        return self.stages * (max(read, multiply) + self.step_seconds)

    def prefill(self, tokens: float) -> float:
        """Seconds in which a replica reads a prompt, its stages one after the other."""
        one = tokens * self.multiply_seconds + tokens * tokens / 2 * self.attend_seconds
        return self.stages * (max(one, self.weights_seconds) + self.step_seconds)


def speed(place: Candidate, model: CatalogModel) -> Speed | None:
    """The speed of a replica; None for CPUs, of which nothing is known."""
    gpu, memory, split = place.hardware.gpu, place.memory, place.split
    flops = peak_flops(place, model)
    if gpu is None or not flops or not memory.kv_tokens:
        return None
    assumed = throughput()
    # Engines that share a GPU take turns, so each has its part of everything.
    bandwidth = gpu.bandwidth_gbs * 1e9 * assumed.bandwidth_share * place.share
    operations = flops * assumed.compute_share * place.share
    architecture, parameters = model.architecture, model.weights.parameters
    layers = architecture.num_hidden_layers / split.pipeline
    heads = architecture.num_attention_heads or 0  # none in a model of recurrent layers alone
    head_dim = architecture.head_dim or architecture.hidden_size // max(1, heads)
    attention = 4 * heads * head_dim * layers / split.tensor
    return Speed(
        stages=split.pipeline,
        weights_seconds=memory.weights_gib * GIB / bandwidth,
        cache_seconds=memory.kv_gib * GIB / memory.kv_tokens / bandwidth,
        multiply_seconds=2 * parameters / split.gpus / operations,
        attend_seconds=attention / operations,
        step_seconds=assumed.step_seconds + assumed.seconds_per_layer * layers,
    )


def peak_flops(place: Candidate, model: CatalogModel) -> float | None:
    """Dense peak of one GPU in operations a second, in the type that the weights are multiplied in.

    fp8 weights in fp8; other quantized weights are widened first; float32 is multiplied as TF32, at half of bfloat16.
    """
    gpu = place.hardware.gpu
    if gpu is None:
        return None
    half = gpu.tflops.get("bf16") or gpu.tflops.get("fp16")
    if model.architecture.quant_method == "fp8":
        half = gpu.tflops.get("fp8") or half
    if half is None:
        return None
    return half * 1e12 / (2 if place.shape.dtype == "float32" else 1)
