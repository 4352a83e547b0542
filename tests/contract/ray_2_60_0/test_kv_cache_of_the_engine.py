"""The cache that the plan predicts is the cache that a real vLLM engine makes, for an architecture of every class.

vLLM's CPU engine divides a given memory (VLLM_CPU_KVCACHE_SPACE) into blocks by the same code as on GPUs, and prints
the same line, so it tells without a GPU whether pages, groups and blocks are counted right. Engines are started one
after the other (`engine_caches.py`), with random weights and no CUDA graphs. The CPU backend cannot start the sparse
latent attention of DeepSeek V3.2, Kimi Linear and NVFP4: they need kernels that only GPUs have.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from generator.facts.gpus import Device
from generator.sizing.cache.layout import CacheLayout, cache_layout
from generator.sizing.cache.pages import CacheOptions
from generator.sizing.cache.rules import cache_layers
from generator.sizing.config.config import ModelConfig
from generator.sizing.engine.arguments import engine_of
from generator.sizing.engine.engine import shape_of
from generator.sizing.fit import cache_options, draft_caches
from generator.sizing.model import Model
from generator.sizing.weights.divisions import Split
from generator.units import GIB

PLAIN = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "vocab_size": 512,
    "max_position_embeddings": 4096,
    "bos_token_id": 1,
    "eos_token_id": 0,
    "pad_token_id": 2,
}
MIXER = {
    "mamba_n_heads": 8,
    "mamba_d_head": 64,
    "mamba_d_state": 64,
    "mamba_d_conv": 4,
    "mamba_n_groups": 1,
    "mamba_expand": 2,
    "mamba_chunk_size": 64,
}
DELTA = {
    "linear_num_key_heads": 4,
    "linear_num_value_heads": 8,
    "linear_key_head_dim": 64,
    "linear_value_head_dim": 64,
    "linear_conv_kernel_dim": 4,
}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 128}
LATENT = {"kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "q_lora_rank": None}

MODELS: dict[str, dict[str, Any]] = {
    "llama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama"},
    "falcon_h1": {"architectures": ["FalconH1ForCausalLM"], "model_type": "falcon_h1", "mamba_d_ssm": 512, **MIXER},
    "gemma3": {"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "sliding_window": 512,
               "sliding_window_pattern": 3},
    "qwen3_moe": {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "num_experts": 4, **EXPERTS},
    "deepseek_v2": {"architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "n_routed_experts": 4,
                    "n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
                    "num_key_value_heads": 8, "head_dim": None, **EXPERTS, **LATENT},
    "mistral": {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": 512},
    "granite_hybrid": {"architectures": ["GraniteMoeHybridForCausalLM"], "model_type": "granitemoehybrid",
                       "layer_types": ["mamba", "mamba", "attention"] * 2, "num_local_experts": 0,
                       "num_experts_per_tok": 0, "shared_intermediate_size": 512, "head_dim": None,
                       "num_attention_heads": 4, **MIXER},
    "qwen3_next": {"architectures": ["Qwen3NextForCausalLM"], "model_type": "qwen3_next", "num_experts": 4,
                   "shared_expert_intermediate_size": 128, "full_attention_interval": 3, **EXPERTS, **DELTA},
    "jamba": {"architectures": ["JambaForCausalLM"], "model_type": "jamba", "attn_layer_period": 3,
              "attn_layer_offset": 1, "mamba_expand": 2, "mamba_d_state": 16, "mamba_d_conv": 4, "mamba_dt_rank": 16,
              "num_experts": 1, "num_experts_per_tok": 1, "expert_layer_period": 2, "expert_layer_offset": 1,
              "head_dim": None, "num_attention_heads": 4},
    "lfm2": {"architectures": ["Lfm2ForCausalLM"], "model_type": "lfm2", "conv_L_cache": 4, "conv_dim": 256,
             "block_dim": 256, "layer_types": ["conv", "conv", "full_attention"] * 2, "head_dim": None,
             "num_attention_heads": 4},
    "mamba2": {"architectures": ["Mamba2ForCausalLM"], "model_type": "mamba2", "state_size": 64, "conv_kernel": 4,
               "expand": 2, "chunk_size": 64, "n_groups": 1, "num_heads": 8, "head_dim": 64},
}  # fmt: skip
DRAFTS: dict[str, dict[str, Any]] = {
    "of the same shape": {"num_hidden_layers": 2},
    "of other heads": {"num_hidden_layers": 3, "num_key_value_heads": 2},
}
"""Smaller Llamas, which speculative decoding asks before the Llama above."""
CONTEXTS = (200, 3000)
CPU = Device(name="CPU", memory_gib=0.0)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """By model, or draft of the Llama, what its engine's caches are like."""
    folder = tmp_path_factory.mktemp("checkpoints")
    jobs = [job(folder, name, PLAIN | config) for name, config in MODELS.items()]
    for name, config in DRAFTS.items():
        draft = job(folder, name, PLAIN | MODELS["llama"] | config)
        said = {"model": draft["checkpoint"], "num_speculative_tokens": 3, "method": "draft_model"}
        jobs.append({**jobs[0], "name": name, "arguments": {"speculative_config": said}})
    results = folder / "results.jsonl"
    settings = {
        "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("engine_caches.py")), str(results)],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
        env={**os.environ, **settings},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {one["name"]: one for one in map(json.loads, results.read_text().splitlines())}


def job(folder: Path, name: str, config: dict[str, Any]) -> dict[str, Any]:
    """What engine_caches.py takes, and the checkpoint that it names."""
    checkpoint = folder / name.replace(" ", "-")
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text(json.dumps(config))
    return {"name": name, "checkpoint": str(checkpoint), "contexts": CONTEXTS, "arguments": {}}


def caches(engine: dict[str, Any]) -> list[dict[str, Any]]:
    assert not engine["error"], engine["error"]
    assert [cache["context"] for cache in engine["caches"]] == list(CONTEXTS)
    return engine["caches"]


def agrees(layout: CacheLayout, cache: dict[str, Any]) -> None:
    """Blocks, and tokens and concurrency as the engine prints them."""
    context = cache["context"]
    assert layout.blocks(GIB) == cache["blocks"]
    assert layout.tokens(GIB, context) == cache["tokens"]
    assert f"{layout.concurrency(GIB, context):.2f}" == f"{cache['concurrency']:.2f}"


@pytest.mark.parametrize("name", MODELS)
def test_blocks_tokens_and_concurrency_are_the_engines_own(engines: dict[str, dict[str, Any]], name: str) -> None:
    layers = cache_layers(ModelConfig(PLAIN | MODELS[name], "config.json"))
    assert layers.exact
    for cache in caches(engines[name]):
        layout = cache_layout(
            layers,
            CacheOptions(
                dtype="bfloat16",
                vllm="0.29.0",
                batched_tokens=cache["batched_tokens"],
                # The CPU backend sets the type of states and the blocks of latents by what the processor can do, and
                # turns prefix caching off for latents where it has no AMX.
                block_tokens=cache["block_tokens"] if "kv_lora_rank" in MODELS[name] else None,
                state_dtype=cache["state_dtype"],
                prefix_caching=cache["prefix_caching"],
                async_scheduling=False,
                platform="cpu",
            ),
        )
        agrees(layout, cache)
        if layers.has_attention and name != "mistral":  # whose blocks are a window's, smaller than the engine's setting
            assert layout.block_tokens == cache["block_tokens"]


@pytest.mark.parametrize("name", DRAFTS)
def test_a_draft_model_takes_what_the_engine_gives_it(engines: dict[str, dict[str, Any]], name: str) -> None:
    model, draft = (Model(ModelConfig(PLAIN | MODELS["llama"] | own, "test")) for own in ({}, DRAFTS[name]))
    said = {"model": name, "num_speculative_tokens": 3, "method": "draft_model"}
    engine = engine_of(
        {"dtype": "bfloat16", "speculative_config": said},
        model.config,
        vllm="0.29.0",
        where="test",
        draft=lambda _: draft,
    )
    for cache in caches(engines[name]):
        asked = engine._replace(context=cache["context"], batched_tokens=cache["batched_tokens"])
        options = cache_options(Split(), engine, shape_of(model, CPU, asked), platform="cpu")
        agrees(model.layout(options, drafts=draft_caches(model, engine)), cache)
