"""Random config.json files of every class of architectures that sizing knows, small enough to build in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

Config = dict[str, Any]


def examples(count: int) -> settings:
    """The same every time. Without shrinking: it would build hundreds of models, and these are small enough to read."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def _plain(draw: st.DrawFn, architecture: str, model_type: str, **more: Any) -> Config:
    """What all have. Heads divide by 4 GPUs or are repeated; sizes are those that the CPU's kernels take."""
    kv_heads = draw(st.sampled_from([1, 2, 4, 8]))
    return {
        "architectures": [architecture],
        "model_type": model_type,
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": draw(st.integers(4, 13)),
        "num_attention_heads": 8 * draw(st.sampled_from([1, 2])),
        "num_key_value_heads": kv_heads,
        "head_dim": draw(st.sampled_from([32, 64, 128, 256])),
        "vocab_size": 512,
        "max_position_embeddings": 8192,
        **more,
    }


def _strategy(build: Callable[[st.DrawFn], Config]) -> st.SearchStrategy[Config]:
    return st.composite(lambda draw: build(draw))()


def _kinds(draw: st.DrawFn, count: int, *words: str) -> list[str]:
    """A word for each layer; every word at least once, at random places."""
    chosen = [*words, *(draw(st.sampled_from(words)) for _ in range(count - len(words)))]
    return draw(st.permutations(chosen))


# Multi-head latent attention as wide as the CPU's kernels take it.
_LATENT = {
    "kv_lora_rank": 512,
    "q_lora_rank": None,
    "qk_nope_head_dim": 64,
    "qk_rope_head_dim": 64,
    "v_head_dim": 64,
    "moe_intermediate_size": 64,
    "first_k_dense_replace": 1,
}
_EXPERTS = {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1, "n_group": 1, "topk_group": 1}


@_strategy
def llama(draw: st.DrawFn) -> Config:
    return _plain(draw, "LlamaForCausalLM", "llama")


@_strategy
def multi_head(draw: st.DrawFn) -> Config:
    config = _plain(draw, "OlmoeForCausalLM", "olmoe", num_experts=4, num_experts_per_tok=2)
    return config | {"num_key_value_heads": config["num_attention_heads"], "head_dim": None}


@_strategy
def multi_query(draw: st.DrawFn) -> Config:
    config = _plain(draw, "FalconForCausalLM", "falcon", multi_query=True, new_decoder_architecture=False, alibi=False)
    del config["head_dim"], config["intermediate_size"]
    return config | {"num_attention_heads": 8}


@_strategy
def mixture_of_experts(draw: st.DrawFn) -> Config:
    return _plain(draw, "MixtralForCausalLM", "mixtral", num_local_experts=4, num_experts_per_tok=2)


@_strategy
def qwen3(draw: st.DrawFn) -> Config:
    return _plain(draw, "Qwen3ForCausalLM", "qwen3", use_sliding_window=False, sliding_window=64, max_window_layers=2)


@_strategy
def all_windows(draw: st.DrawFn) -> Config:
    return _plain(draw, "MistralForCausalLM", "mistral", sliding_window=draw(st.integers(1, 4096)))


@_strategy
def gemma2(draw: st.DrawFn) -> Config:
    extra = {"sliding_window": draw(st.integers(1, 4096)), "query_pre_attn_scalar": 64}
    return _plain(draw, "Gemma2ForCausalLM", "gemma2", **extra)


@_strategy
def gemma3(draw: st.DrawFn) -> Config:
    config = _plain(draw, "Gemma3ForCausalLM", "gemma3_text", sliding_window=draw(st.integers(1, 4096)))
    if draw(st.booleans()):
        kinds = _kinds(draw, config["num_hidden_layers"], "sliding_attention", "full_attention")
        return config | {"layer_types": kinds}
    return config | {"sliding_window_pattern": draw(st.integers(2, 6))}


@_strategy
def gpt_oss(draw: st.DrawFn) -> Config:
    extra = {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": draw(st.integers(1, 4096))}
    # Its code in vLLM divides key-value heads and does not repeat them.
    return _plain(draw, "GptOssForCausalLM", "gpt_oss", **extra) | {
        "num_key_value_heads": draw(st.sampled_from([4, 8]))
    }


@_strategy
def command_r(draw: st.DrawFn) -> Config:
    config = _plain(draw, "Cohere2ForCausalLM", "cohere2", sliding_window=draw(st.integers(1, 4096)))
    return config | {"layer_types": _kinds(draw, config["num_hidden_layers"], "sliding_attention", "full_attention")}


@_strategy
def llama4(draw: st.DrawFn) -> Config:
    return _plain(
        draw,
        "Llama4ForCausalLM",
        "llama4_text",
        attention_chunk_size=draw(st.integers(16, 4096)),
        num_local_experts=4,
        num_experts_per_tok=1,
        intermediate_size_mlp=512,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )


@_strategy
def deepseek(draw: st.DrawFn) -> Config:
    return _plain(draw, "DeepseekV2ForCausalLM", "deepseek_v2", **_LATENT, **_EXPERTS) | {"head_dim": None}


@_strategy
def deepseek_v32(draw: st.DrawFn) -> Config:
    indexer = {"index_topk": 16, "index_n_heads": 8, "index_head_dim": draw(st.sampled_from([64, 128, 256]))}
    latent = _LATENT | {"q_lora_rank": 64}
    return _plain(draw, "DeepseekV32ForCausalLM", "deepseek_v32", **latent, **_EXPERTS, **indexer) | {"head_dim": None}


@_strategy
def glm_5(draw: st.DrawFn) -> Config:
    """Some layers take the indexer's choice of the layer before."""
    config = draw(deepseek_v32) | {
        "architectures": ["GlmMoeDsaForCausalLM"],
        "model_type": "glm_moe_dsa",
        "head_dim": _LATENT["qk_rope_head_dim"],
    }
    letters = st.text("FS", min_size=config["num_hidden_layers"], max_size=config["num_hidden_layers"])
    every = {"index_topk_freq": draw(st.integers(1, 4)), "index_skip_topk_offset": draw(st.integers(1, 4))}
    return config | draw(st.one_of(st.just(every), letters.map(lambda pattern: {"index_topk_pattern": pattern})))


@_strategy
def deepseek_v4(draw: st.DrawFn) -> Config:
    config = _plain(
        draw,
        "DeepseekV4ForCausalLM",
        "deepseek_v4",
        **_EXPERTS,
        index_topk=16,
        index_n_heads=8,
        index_head_dim=128,
        q_lora_rank=64,
        o_groups=4,
        o_lora_rank=32,
        qk_rope_head_dim=64,
        moe_intermediate_size=64,
        sliding_window=draw(st.integers(1, 512)),
        compress_rope_theta=10000.0,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        rms_norm_eps=1e-6,
        hc_eps=1e-6,
        hc_mult=4,
        hc_sinkhorn_iters=2,
        num_hash_layers=0,
        swiglu_limit=None,
        norm_topk_prob=True,
        hidden_act="silu",
    )
    count = config["num_hidden_layers"]
    # A word for the layer of multi-token prediction follows, which is not served here.
    ratios = [4, *(draw(st.sampled_from([0, 4, 128])) for _ in range(count - 1))]
    return config | {"head_dim": 512, "num_key_value_heads": 1, "compress_ratios": [*draw(st.permutations(ratios)), 0]}


@_strategy
def kimi_linear(draw: st.DrawFn) -> Config:
    experts = {"num_experts": 4, "num_experts_per_token": 2, "num_shared_experts": 1}
    config = _plain(draw, "KimiLinearForCausalLM", "kimi_linear", **_LATENT, **experts, mla_use_nope=True)
    kinds = _kinds(draw, config["num_hidden_layers"], "kda", "full")
    linear = {"num_heads": 8, "head_dim": draw(st.sampled_from([32, 64, 128])), "short_conv_kernel_size": 4}
    for word, kind in (("kda_layers", "kda"), ("full_attn_layers", "full")):
        linear[word] = [i + 1 for i, one in enumerate(kinds) if one == kind]
    return config | {"head_dim": None, "linear_attn_config": linear}


@_strategy
def ling(draw: st.DrawFn) -> Config:
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "num_shared_experts": 1}
    return _plain(
        draw,
        "BailingMoeV2_5ForCausalLM",
        "bailing_hybrid",
        **_LATENT,
        **experts,
        layer_group_size=draw(st.integers(2, 4)),
        group_norm_size=4,
        use_bias=False,
        use_qkv_bias=False,
        rms_norm_eps=1e-6,
        rope_theta=10000.0,
        hidden_act="silu",
        tie_word_embeddings=False,
    )


@_strategy
def llama_nemotron(draw: st.DrawFn) -> Config:
    config = _plain(draw, "DeciLMForCausalLM", "nemotron-nas", hidden_act="silu")
    groups = [draw(st.sampled_from([1, 2, 4, 8, None])) for _ in range(config["num_hidden_layers"] - 1)]
    blocks = [
        {"attention": {"no_op": group is None, "n_heads_in_group": group}, "ffn": {"no_op": False, "ffn_mult": 2.0}}
        for group in draw(st.permutations([4, *groups]))
    ]
    return config | {"block_configs": blocks, "num_key_value_heads": None}


@_strategy
def mamba(draw: st.DrawFn) -> Config:
    state = {"state_size": draw(st.sampled_from([8, 16])), "conv_kernel": 4, "expand": 2, "time_step_rank": 16}
    config = _plain(draw, "MambaForCausalLM", "mamba", **state, intermediate_size=512, hidden_act="silu")
    return config


@_strategy
def mamba2(draw: st.DrawFn) -> Config:
    dim = draw(st.sampled_from([32, 64]))
    state = {"state_size": draw(st.sampled_from([16, 64])), "conv_kernel": 4, "expand": 2, "chunk_size": 64}
    config = _plain(draw, "Mamba2ForCausalLM", "mamba2", **state, n_groups=draw(st.sampled_from([1, 4])))
    return config | {"head_dim": dim, "num_heads": 512 // dim}


def _mixer(draw: st.DrawFn) -> Config:
    """The Mamba 2 words of Falcon-H1 and Granite."""
    dim = draw(st.sampled_from([32, 64]))
    return {
        "mamba_expand": 2,
        "mamba_n_heads": 512 // dim,
        "mamba_d_head": dim,
        "mamba_d_state": draw(st.sampled_from([16, 64, 128])),
        "mamba_d_conv": 4,
        "mamba_n_groups": draw(st.sampled_from([1, 4])),
        "mamba_chunk_size": 64,
    }


@_strategy
def falcon_h1(draw: st.DrawFn) -> Config:
    return _plain(draw, "FalconH1ForCausalLM", "falcon_h1", **_mixer(draw), mamba_d_ssm=512)


@_strategy
def granite_hybrid(draw: st.DrawFn) -> Config:
    experts = {"num_local_experts": 0, "num_experts_per_tok": 0, "shared_intermediate_size": 512}
    config = _plain(draw, "GraniteMoeHybridForCausalLM", "granitemoehybrid", **_mixer(draw), **experts)
    config |= {"hidden_size": 256, "head_dim": None, "num_attention_heads": 8}
    return config | {"layer_types": _kinds(draw, config["num_hidden_layers"], "mamba", "attention")}


@_strategy
def nemotron_h(draw: st.DrawFn) -> Config:
    config = _plain(
        draw,
        "NemotronHForCausalLM",
        "nemotron_h",
        mamba_num_heads=8,
        mamba_head_dim=draw(st.sampled_from([32, 64])),
        n_groups=4,
        ssm_state_size=draw(st.sampled_from([16, 64, 128])),
        conv_kernel=4,
        chunk_size=64,
    )
    if draw(st.booleans()):
        config["mamba_ssm_cache_dtype"] = "float32"
    return config | {"hybrid_override_pattern": "".join(_kinds(draw, config["num_hidden_layers"], "M", "*", "-"))}


@_strategy
def jamba(draw: st.DrawFn) -> Config:
    period = draw(st.integers(2, 4))
    return _plain(
        draw,
        "JambaForCausalLM",
        "jamba",
        attn_layer_period=period,
        attn_layer_offset=draw(st.integers(0, period - 1)),
        mamba_expand=2,
        mamba_d_state=16,
        mamba_d_conv=4,
        mamba_dt_rank=16,
        num_experts=1,
        num_experts_per_tok=1,
        expert_layer_period=2,
        expert_layer_offset=1,
    ) | {"head_dim": None}


@_strategy
def qwen3_next(draw: st.DrawFn) -> Config:
    keys = draw(st.sampled_from([4, 8]))
    config = _plain(
        draw,
        "Qwen3NextForCausalLM",
        "qwen3_next",
        linear_num_key_heads=keys,
        linear_num_value_heads=keys * draw(st.sampled_from([1, 2])),
        linear_key_head_dim=draw(st.sampled_from([32, 64])),
        linear_value_head_dim=64,
        linear_conv_kernel_dim=4,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=64,
        shared_expert_intermediate_size=64,
        decoder_sparse_step=1,
        mlp_only_layers=[],
        norm_topk_prob=True,
    )
    if draw(st.booleans()):
        return config | {"full_attention_interval": draw(st.integers(2, 5))}
    return config | {"layer_types": _kinds(draw, config["num_hidden_layers"], "linear_attention", "full_attention")}


@_strategy
def zamba2(draw: st.DrawFn) -> Config:
    config = _plain(
        draw,
        "Zamba2ForCausalLM",
        "zamba2",
        mamba_expand=2,
        mamba_d_state=16,
        mamba_d_conv=4,
        mamba_ngroups=1,
        n_mamba_heads=8,
        mamba_headdim=64,
        num_mem_blocks=1,
        use_shared_attention_adapter=False,
        use_mem_rope=False,
        chunk_size=64,
    )
    count = config["num_hidden_layers"]
    where = sorted(draw(st.sets(st.integers(0, count - 1), min_size=1)))
    kinds = ["hybrid" if i in where else "mamba" for i in range(count)]
    heads = config["num_attention_heads"]
    return config | {
        "hybrid_layer_ids": where,
        "layers_block_type": kinds,
        "num_key_value_heads": heads,
        "attention_head_dim": 512 // heads,
        "head_dim": None,
    }


@_strategy
def lfm2(draw: st.DrawFn) -> Config:
    config = _plain(draw, "Lfm2ForCausalLM", "lfm2", conv_L_cache=3, conv_bias=False, block_dim=256, conv_dim=256)
    config |= {"num_attention_heads": 8, "head_dim": None}
    return config | {"layer_types": _kinds(draw, config["num_hidden_layers"], "conv", "full_attention")}


@_strategy
def bert(draw: st.DrawFn) -> Config:
    config = _plain(draw, "BertModel", "bert", type_vocab_size=2)
    del config["num_key_value_heads"]
    return config | {"head_dim": None, "max_position_embeddings": 512}


@_strategy
def whisper(draw: st.DrawFn) -> Config:
    layers = draw(st.integers(2, 5))
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "is_encoder_decoder": True,
        "d_model": 256,
        "encoder_layers": 2,
        "encoder_attention_heads": 4,
        "encoder_ffn_dim": 1024,
        "decoder_layers": layers,
        "decoder_ffn_dim": 1024,
        "decoder_attention_heads": draw(st.sampled_from([4, 8])),
        "num_hidden_layers": 2,
        "vocab_size": 512,
        "max_source_positions": 1500,
        "max_target_positions": 448,
        "num_mel_bins": 80,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 1,
    }


# Built for one pipeline stage only, as vLLM has it.
ONE_STAGE = {"mamba2", "zamba2", "whisper", "bert"}
# Their modules ask for CUDA when they are built (vllm_layers.py says what stands in).
ON_GPU = {"deepseek_v32", "glm_5", "deepseek_v4", "kimi_linear"}
# The CPU platform keeps no prefixes of latents, which has to be said where there are states too.
LATENTS_AND_STATES = {"kimi_linear", "ling"}

CONFIGS: dict[str, st.SearchStrategy[Config]] = {
    name: found for name, found in vars().copy().items() if isinstance(found, st.SearchStrategy)
}
