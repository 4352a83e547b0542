"""The memory of one GPU under one model: what vLLM takes, what is left for the cache, and whether that is enough.

Budget and order of terms: vLLM `v1/worker/gpu_worker.py::determine_available_memory`. All sizes are GiB of one rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from .catalog import CatalogModel
from .contract import GIB
from .facts import MemoryConstants
from .kv_cache import DTYPE_BYTES, CacheLayout, cache_layout


@dataclass(frozen=True, kw_only=True)
class Split:
    """How a replica is divided: layers' width over `tensor` GPUs of a node, layers over `pipeline` nodes."""

    tensor: int = 1
    pipeline: int = 1

    @property
    def gpus(self) -> int:
        return self.tensor * self.pipeline


@dataclass(frozen=True, kw_only=True)
class EngineShape:
    """The engine arguments that memory depends on."""

    dtype: str
    context: int
    sequences: int
    batched_tokens: int
    utilization: float
    eager: bool
    state_dtype: str | None = None
    """Type of Mamba state where it is not `dtype`."""


@dataclass(frozen=True, kw_only=True)
class MemoryFit:
    """One rank's memory. `kv_gib` is what is left for the cache; below zero nothing is left."""

    total_gib: float
    usable_gib: float
    weights_gib: float
    activation_gib: float
    non_torch_gib: float
    cuda_graph_gib: float
    margin_gib: float
    kv_gib: float
    layout: CacheLayout
    context: int

    @property
    def other_gib(self) -> float:
        return self.activation_gib + self.non_torch_gib + self.cuda_graph_gib + self.margin_gib

    @property
    def concurrency(self) -> float:
        """Requests of full context at once."""
        return self.layout.concurrency(self.kv_gib * GIB, self.context)

    @property
    def kv_tokens(self) -> int:
        """Tokens that the cache holds, as vLLM prints them: concurrency x context."""
        return int(self.concurrency * self.context)

    @property
    def longest_context(self) -> int:
        return self.layout.longest_context(self.kv_gib * GIB)

    @property
    def fits(self) -> bool:
        """vLLM's own condition at start: one request of full context."""
        return self.layout.holds(self.kv_gib * GIB, self.context)

    @property
    def missing_gib(self) -> float:
        """How much more memory this GPU would need; 0 when the model fits."""
        blocks = self.layout.blocks_of_request(self.context) + 1  # and vLLM's null block
        need = blocks * self.layout.block_bytes / GIB
        return max(0.0, need - self.kv_gib)

    @property
    def most_sequences(self) -> int:
        """Sequences that can run at once at their shortest: a block of tokens and the state each."""
        return max(0, self.layout.blocks(self.kv_gib * GIB) - 1) // self.layout.blocks_of_request(1)


def fit(
    model: CatalogModel, *, gpu_gib: float, split: Split, shape: EngineShape, constants: MemoryConstants
) -> MemoryFit:
    """Predict one rank's memory. `gpu_gib` is the GPU's total as CUDA reports it."""
    architecture = model.architecture
    usable = gpu_gib * shape.utilization
    weights = rank_weights_gib(model, dtype=shape.dtype, split=split) * constants.weights_factor
    width = DTYPE_BYTES[shape.dtype]
    forward = (
        shape.batched_tokens
        * width
        * (
            constants.forward_mlp * architecture.intermediate_size / split.tensor
            + constants.forward_hidden * architecture.hidden_size
        )
    )
    sampler = constants.sampler_bytes * shape.sequences * architecture.vocab_size
    activation = max(forward, sampler) / GIB
    non_torch = constants.non_torch_gib[max(n for n in constants.non_torch_gib if n <= split.gpus)]
    graphs = 0.0 if shape.eager else constants.cuda_graph_gib
    return MemoryFit(
        total_gib=gpu_gib,
        usable_gib=usable,
        weights_gib=weights,
        activation_gib=activation,
        non_torch_gib=non_torch,
        cuda_graph_gib=graphs,
        margin_gib=constants.margin_gib,
        kv_gib=usable - weights - activation - non_torch - graphs - constants.margin_gib,
        layout=cache_layout(
            architecture,
            dtype=shape.dtype,
            tensor_parallel=split.tensor,
            pipeline_parallel=split.pipeline,
            state_blocks=constants.mamba_blocks,
            state_dtype=shape.state_dtype,
        ),
        context=shape.context,
    )


def rank_weights_gib(model: CatalogModel, *, dtype: str, split: Split) -> float:
    """GiB of weights on the fullest rank.

    Unquantized weights are cast to `dtype`; quantized ones stay as they are. Over pipeline stages the layers are
    divided and the embedding or the output head stays whole on the first or last.
    """
    architecture = model.architecture
    total: float = model.weights.total_bytes
    if architecture.quant_method is None:
        total = model.weights.parameters * DTYPE_BYTES[dtype]
    if split.pipeline == 1:
        return total / split.tensor / GIB
    head = architecture.vocab_size * architecture.hidden_size * DTYPE_BYTES[dtype]
    heads = head if architecture.tie_word_embeddings else 2 * head
    share = ceil(architecture.num_hidden_layers / split.pipeline) / architecture.num_hidden_layers
    return ((total - heads) * share + head) / split.tensor / GIB


def tensor_splits(model: CatalogModel, most: int) -> list[int]:
    """Tensor parallel sizes up to `most` by which vLLM can divide the model: every kind of head must divide.

    Key-value heads may also be repeated, when the size is a multiple of their number, and one group of Mamba heads
    may be (`mamba_mixer2.py`). The vocabulary is padded to 64 and divided (`vocab_parallel_embedding.py`, 0.29.0).
    """
    a = model.architecture
    vocabulary = ceil(a.vocab_size / 64) * 64

    def divides(n: int) -> bool:
        key_value = a.num_key_value_heads % n == 0 or n % a.num_key_value_heads == 0
        plain = (a.num_attention_heads, a.intermediate_size, vocabulary, a.mamba_n_heads or n, a.mamba_d_ssm or n)
        mamba_groups = a.mamba_n_groups in (None, 1) or a.mamba_n_groups % n == 0
        return key_value and mamba_groups and all(size % n == 0 for size in plain)

    return [n for n in range(1, min(most, a.num_attention_heads) + 1) if divides(n)]
