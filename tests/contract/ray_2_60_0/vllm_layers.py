"""vLLM's own models, built without weights, GPUs or processes, and its own arithmetic over what their layers declare.

Every model is built on PyTorch's meta device by vLLM's `initialize_model`, for one rank of each pipeline stage; its
attention and Mamba layers then answer `get_kv_cache_spec`, and `v1/core/kv_cache_utils.py` makes groups, blocks, tokens
and concurrency of it, as the engine core does at start. What is not vLLM's own: the process groups have one process
each and are told that they have the size and rank asked for, since building a layer only divides by them; for models
that ask for CUDA when they are built `_hopper_stand_in` answers; and for Llama Nemotron's and Ling 2.5's configuration
classes, which come with their checkpoints, plain ones stand in.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.update(VLLM_CPU_KVCACHE_SPACE="1", VLLM_LOGGING_LEVEL="ERROR", VLLM_CPU_OMP_THREADS_BIND="nobind")

import torch
from transformers import AutoConfig, LlamaConfig, PretrainedConfig
from vllm.config import VllmConfig, set_current_vllm_config
from vllm.distributed import parallel_state
from vllm.engine.arg_utils import EngineArgs
from vllm.model_executor.model_loader.utils import initialize_model
from vllm.model_executor.models.registry import ModelRegistry, _LazyRegisteredModel
from vllm.platforms import current_platform
from vllm.platforms.interface import DeviceCapability, Platform
from vllm.utils.torch_utils import set_default_torch_dtype
from vllm.v1.attention.backends.utils import get_supported_kv_cache_layouts, resolve_kv_cache_layout
from vllm.v1.core import kv_cache_utils
from vllm.v1.kv_cache_interface import KVCacheSpec, MambaSpec, UniformTypeKVCacheSpecs
from vllm.v1.worker.gpu.attn_utils import get_kv_cache_spec

DTYPE = "bfloat16"
# A CPU with AMX has kernels of its own for latents, with other blocks: what is counted is the same on every machine.
torch.cpu._is_amx_tile_supported = lambda: False


class _Words(dict[str, Any]):
    """Keys that are read as attributes."""

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(key) from None


class LlamaNemotronStandIn(LlamaConfig):
    """A Llama whose layers differ: `block_configs` as objects, as the checkpoint's own class has them."""

    model_type = "nemotron-nas"

    def __init__(self, block_configs: list[dict[str, dict[str, Any]]] | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.block_configs = [
            _Words({part: _Words(words) for part, words in block.items()}) for block in block_configs or ()
        ]


class LingStandIn(PretrainedConfig):
    """The keys of config.json as they are; transformers' class of this name is Ling 3's and sets `head_dim` itself."""

    model_type = "bailing_hybrid"


for stand_in in (LlamaNemotronStandIn, LingStandIn):
    AutoConfig.register(stand_in.model_type, stand_in, exist_ok=True)


@dataclass(frozen=True)
class VllmCache:
    """What vLLM says of a model: every stage's specs and the groups of all."""

    config: VllmConfig
    specs: list[dict[str, KVCacheSpec]]
    weights: list[int]
    """Bytes of every stage's parameters, each once."""

    @property
    def groups(self) -> list[tuple[int, int, int]]:
        """Every group's tokens of a block (0 for a state), bytes of all its pages and number of layers, sorted."""
        merged = {name: spec for specs in self.specs for name, spec in specs.items()}
        found = kv_cache_utils.get_kv_cache_groups(self.config, merged)
        return sorted(
            (
                0 if isinstance(_first(group.kv_cache_spec), MambaSpec) else group.kv_cache_spec.block_size,
                kv_cache_utils._get_kv_cache_bytes_per_block([group]),
                len(group.layer_names),
            )
            for group in found
        )

    def divide(self, available: int) -> tuple[int, int, float] | None:
        """Blocks, tokens and concurrency of `available` bytes on each GPU; None where vLLM would not start."""
        try:
            configs = kv_cache_utils.get_kv_cache_configs(self.config, self.specs, [available] * len(self.specs))
        except ValueError as error:
            assert "KV cache" in str(error) or "cache blocks" in str(error), error
            return None
        scheduler = kv_cache_utils.generate_scheduler_kv_cache_config(configs)
        return (scheduler.num_blocks, *kv_cache_utils.get_kv_cache_capacity(self.config, scheduler))

    def longest(self, available: int) -> int:
        """The longest context up to max_model_len that vLLM would choose itself (`--max-model-len auto`)."""
        merged = {name: spec for specs in self.specs for name, spec in specs.items()}
        groups = kv_cache_utils.get_kv_cache_groups(self.config, merged)
        found = []
        for specs in self.specs:
            own = kv_cache_utils._project_kv_cache_groups_to_worker(groups, specs)
            left = available - kv_cache_utils._pool_bytes_per_block(own)
            found.append(kv_cache_utils._estimate_max_model_len_from_groups(self.config, own, left))
        return min(found)


def _first(spec: KVCacheSpec) -> KVCacheSpec:
    return spec.first_spec if isinstance(spec, UniformTypeKVCacheSpecs) else spec


def vllm_cache(
    config: Mapping[str, Any], *, tensor: int = 1, pipeline: int = 1, on_gpu: bool = False, **arguments: Any
) -> VllmCache:
    """Build a model from its config.json for every stage, and return what its layers declare.

    `on_gpu`: its modules ask for CUDA; they are built as for a Hopper GPU, and blocks follow vLLM's rule for GPUs.
    `arguments` are the engine's: max_model_len, max_num_batched_tokens, kv_cache_dtype, block_size and others.
    """
    _inspect_in_this_process(config["architectures"][0])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        made = EngineArgs(
            model=folder,
            skip_tokenizer_init=True,
            dtype=DTYPE,
            enforce_eager=True,
            tensor_parallel_size=tensor,
            pipeline_parallel_size=pipeline,
            distributed_executor_backend="mp" if tensor * pipeline > 1 else None,
            max_num_seqs=8,
            **arguments,
        )
        specs, layouts, weights = [], [], []
        for stage in range(pipeline):
            vllm_config = made.create_engine_config()
            if on_gpu:  # the CPU platform takes whole prompts only where there are latents
                vllm_config.scheduler_config.max_num_batched_tokens = made.max_num_batched_tokens
            with set_current_vllm_config(vllm_config):
                _pretend_ranks(tensor, pipeline, stage)
                gpu = _hopper_stand_in() if on_gpu else nullcontext()
                with gpu, torch.device("meta"), set_default_torch_dtype(getattr(torch, DTYPE)):
                    model = initialize_model(vllm_config=vllm_config, model_config=vllm_config.model_config)
                weights.append(sum(one.numel() * one.element_size() for one in model.parameters()))
                (Platform if on_gpu else current_platform).update_block_size_for_backend(vllm_config)
                specs.append(get_kv_cache_spec(vllm_config))
                layers = vllm_config.compilation_config.static_forward_context.values()
                layouts.append(
                    [
                        layout.name
                        for layout in get_supported_kv_cache_layouts(
                            {layer.get_attn_backend() for layer in layers if hasattr(layer, "get_attn_backend")}
                        )
                    ]
                )
    every = [spec for stage in specs for spec in stage.values()]
    vllm_config.cache_config.kv_cache_layout = resolve_kv_cache_layout(vllm_config, layouts, every).name
    return VllmCache(vllm_config, specs, weights)


def _inspect_in_this_process(architecture: str) -> None:
    """vLLM looks at each class of models in a process of its own, which takes seconds; here one process does."""
    model = ModelRegistry.models[architecture]
    if isinstance(model, _LazyRegisteredModel):
        ModelRegistry.register_model(architecture, model.load_model_cls())


def _pretend_ranks(tensor: int, pipeline: int, stage: int) -> None:
    """Process groups of one process that say they are rank 0 of `tensor` and `stage` of `pipeline`."""
    if not torch.distributed.is_initialized():
        store = Path(tempfile.mkdtemp()) / "store"
        parallel_state.init_distributed_environment(1, 0, f"file://{store}", 0, "gloo")
    parallel_state.destroy_model_parallel()
    parallel_state.initialize_model_parallel(1, 1)
    for group, size, rank in (
        (parallel_state.get_tp_group(), tensor, 0),
        (parallel_state.get_pp_group(), pipeline, stage),
    ):
        group.world_size, group.rank_in_group, group.ranks, group.rank = size, rank, list(range(size)), rank


class _NoStream:
    """In the place of CUDA's streams and events, which some modules make for themselves."""

    def __init__(self, *_: Any, **__: Any) -> None: ...


@contextmanager
def _hopper_stand_in() -> Iterator[None]:
    """Let modules be built that ask for a GPU: compute capability 9.0, streams that do nothing.

    Sparse attention gets the CPU's backend of dense latents: what a layer keeps does not depend on it.
    """
    choose = current_platform.get_attn_backend_cls

    def dense(selected: Any, attn_selector_config: Any, **more: Any) -> str:
        return choose(selected, attn_selector_config._replace(use_sparse=False), **more)

    with (
        patch.object(torch.cuda, "Stream", _NoStream),
        patch.object(torch.cuda, "Event", _NoStream),
        patch.object(current_platform, "get_device_capability", lambda *_, **__: DeviceCapability(9, 0)),
        patch.object(current_platform, "get_attn_backend_cls", dense),
    ):
        yield
