"""The cache of every architecture class against figures worked out by hand from vLLM's formulas (docs/sizing.md)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.checkpoint.architecture import architecture_of
from generator.errors import UserError
from generator.facts.gpus import Device
from generator.facts.vllm_cache import cache_behaviour
from generator.sizing.cache.layout import CacheLayout, cache_layout
from generator.sizing.cache.pages import CacheOptions, state_bytes
from generator.sizing.cache.rules import cache_layers
from generator.sizing.cache.specs import AttentionSpec, CacheLayers, MambaSpec
from generator.sizing.config.config import ModelConfig
from generator.sizing.engine.engine import Engine, kv_cache_dtype_of, shape_of
from generator.sizing.model import Model
from generator.sizing.parallelism import stages
from tests.support.paths import CONFIGS

GIB = 2**30
NEW = "0.29.0"


def config(name: str) -> ModelConfig:
    return ModelConfig(json.loads((CONFIGS / f"{name}.json").read_text()), name)


def layers(name: str, **changed: Any) -> CacheLayers:
    found = config(name)
    return cache_layers(ModelConfig({**found.data, **changed}, name))


def layout(name: str | CacheLayers, **options: Any) -> CacheLayout:
    found = name if isinstance(name, CacheLayers) else layers(name)
    return cache_layout(found, CacheOptions(**{"dtype": "bfloat16", "vllm": NEW, "batched_tokens": 8192, **options}))


LLAMA = "meta-llama--Llama-3.1-8B-Instruct"
GEMMA = "google--gemma-3-27b-it"
FALCON = "tiiuae--Falcon-H1-3B-Base"
NEXT = "Qwen--Qwen3-Next-80B-A3B-Instruct"


class TestFullAttention:
    def test_grouped_query_attention_takes_key_and_value_of_every_head_and_layer(self) -> None:
        found = layout(LLAMA)
        assert found.token_bytes == 32 * 8 * 2 * 128 * 2 == 131_072
        assert (found.block_tokens, found.block_bytes) == (16, 16 * 131_072)
        assert found.exact

    def test_tensor_parallelism_divides_heads_and_repeats_the_last_one(self) -> None:
        assert [layout(LLAMA, tensor_parallel=n).token_bytes for n in (1, 2, 8, 16)] == [131072, 65536, 16384, 16384]

    def test_the_fullest_stage_counts(self) -> None:
        assert [list(map(len, stages(32, n))) for n in (1, 3, 5)] == [[32], [11, 11, 10], [6, 6, 7, 7, 6]]
        assert layout(LLAMA, pipeline_parallel=3).token_bytes == 11 * 4096

    def test_an_fp8_cache_takes_half(self) -> None:
        assert layout(LLAMA, kv_cache_dtype="fp8").token_bytes == 65_536

    def test_a_type_of_cache_that_is_not_known_is_refused_with_the_nearest(self) -> None:
        with pytest.raises(UserError, match="fp8_e4m4") as error:
            layout(LLAMA, kv_cache_dtype="fp8_e4m4")
        assert "fp8_e4m3" in error.value.fix

    def test_one_request_must_fit_beside_the_null_block(self) -> None:
        found = layout(LLAMA)
        blocks = math.ceil(10_000 / 16)
        assert not found.holds(blocks * found.block_bytes, 10_000)
        assert found.holds((blocks + 1) * found.block_bytes, 10_000)
        assert layout(LLAMA, vllm="0.28.0").holds(blocks * found.block_bytes, 10_000)

    def test_a_published_start_is_met_to_the_token(self) -> None:
        """vllm#10517: 1,952 blocks of 16 in 3.81 GiB are 31,232 tokens, 1.56 requests of 20,000."""
        found = layout(LLAMA, vllm="0.10.0")
        assert found.blocks(3.8125 * GIB) == 1952
        assert found.tokens(1952 * found.block_bytes, 20_000) == 31_232
        assert f"{found.concurrency(1952 * found.block_bytes, 20_000):.2f}" == "1.56"


class TestLatentAttention:
    @pytest.mark.parametrize("name", ["deepseek-ai--DeepSeek-R1", "moonshotai--Kimi-K2.5"])
    def test_it_is_not_divided_by_tensor_parallelism(self, name: str) -> None:
        assert [layout(name, tensor_parallel=n).token_bytes for n in (1, 8)] == [61 * 576 * 2] * 2
        assert layout(name).block_tokens == 64

    def test_sparse_attention_keeps_its_indexers_keys_too(self) -> None:
        found = layout("deepseek-ai--DeepSeek-V3.2")
        assert found.token_bytes == 61 * (576 * 2 + 132)
        assert len(found.groups) == 1
        assert layout("deepseek-ai--DeepSeek-V3.2", kv_cache_dtype="fp8_ds_mla").token_bytes == 61 * (656 + 132)


class TestPackedLatents:
    """DeepSeek V4 Pro: 61 layers, 30 that compress 4 tokens and 31 that compress 128."""

    NAME = "deepseek-ai--DeepSeek-V4-Pro"

    def test_a_block_is_as_large_as_the_widest_group(self) -> None:
        found = layout(self.NAME, kv_cache_dtype="fp8", tensor_parallel=8)
        latents, indexer = 65 * 576, 15 * 576  # 64 x 584 and 64 x 132, to the next 576
        waiting, waiting_keys = 57 * 576, 15 * 576  # 4 x 8,192, and 4 x 2,048
        assert [(group.block_tokens, group.block_bytes(range(61)), len(group.pages)) for group in found.groups] == [
            (64, 31 * latents, 31),
            (64, 30 * latents, 30),
            (256, 30 * latents + 31 * 3 * 576 + 30 * indexer, 91),
            (8, 31 * waiting, 31),
            (4, 30 * waiting + 30 * waiting_keys, 60),
        ]
        assert found.block_bytes == 1_435_968
        assert found.exact

    def test_tokens_that_are_not_compressed_yet_take_most_of_a_short_request(self) -> None:
        found = layout(self.NAME, kv_cache_dtype="fp8")
        assert found.blocks_of_request(8192) == 2 * (128 + 1) + 32 + (1024 + 1) + (2048 + 1)
        step = 2 * 8192
        window, open128, open4 = math.ceil((127 + step) / 64), math.ceil((127 + step) / 8), math.ceil((7 + step) / 4)
        assert found.blocks_of_request(1_000_000) == 2 * (window + 1) + 3907 + open128 + 1 + open4 + 1

    def test_its_cache_is_fp8_or_it_does_not_start(self) -> None:
        assert "fp8" in layout(self.NAME).refusal
        assert not layout(self.NAME).holds(1024 * GIB, 1)
        assert layout(self.NAME, kv_cache_dtype="fp8").holds(1024 * GIB, 1)

    def test_blocks_of_earlier_versions_are_said_to_be_near_only(self) -> None:
        """8 H200, 0.20.2: 13.85 GiB were logged to hold 3.30 requests of 8,192 tokens."""
        found = layout(self.NAME, kv_cache_dtype="fp8", vllm="0.20.2")
        assert not found.exact
        assert "0.29" in found.why
        assert found.concurrency(13.85 * GIB, 8192) == pytest.approx(3.30, rel=0.07)

    def test_a_ratio_that_is_not_known_is_told(self) -> None:
        found = layers(self.NAME, compress_ratios=[8] * 61)
        assert not found.exact
        assert "compress_ratios" in found.why


class TestWindows:
    def test_local_layers_stop_growing_at_their_window(self) -> None:
        """Gemma 3 27B: 52 local layers and 10 global ones, in 7 groups of 10 of which one keeps everything."""
        found = layout(GEMMA)
        assert len(found.groups) == 7
        assert found.block_bytes == 10 * 16 * 16 * 2 * 128 * 2
        window = math.ceil((1023 + 2 * 8192) / 16) + 1
        assert found.blocks_of_request(131_072) == 131_072 // 16 + 6 * window

    def test_steps_in_flight_are_counted_since_0_26(self) -> None:
        window = math.ceil((1023 + 8192) / 16) + 1
        assert layout(GEMMA, vllm="0.25.1").blocks_of_request(131_072) == 131_072 // 16 + 6 * window

    def test_kinds_of_nearly_equal_number_share_groups(self) -> None:
        """gpt-oss: 12 and 12 layers, two groups. 5 and 6 are two groups too since 0.12, and three before."""
        assert [len(g.pages) for g in layout("openai--gpt-oss-20b").groups] == [12, 12]
        kinds = ["full_attention"] * 5 + ["sliding_attention"] * 6
        mixed = layers(LLAMA, num_hidden_layers=11, layer_types=kinds, sliding_window=128)
        assert [len(g.pages) for g in layout(mixed).groups] == [5, 6]
        assert [len(g.pages) for g in layout(mixed, vllm="0.11.0").groups] == [5, 3, 3]

    def test_chunks_are_kept_whole_until_0_14(self) -> None:
        llama4 = "meta-llama--Llama-4-Maverick-17B-128E-Instruct"
        assert len(layout(llama4, vllm="0.12.0").groups) == 1
        new = layout(llama4)
        assert [len(group.pages) for group in new.groups] == [12] * 4
        chunk = math.ceil((8192 + 2 * 8192) / 16)
        assert new.blocks_of_request(1_000_000) == 62_500 + 3 * chunk

    def test_a_window_s_block_follows_the_others_since_0_30(self) -> None:
        """Mistral's first: 32 layers, all with a window. From 0.25 to 0.29 its blocks were the kernels' smallest."""
        windows = layers("mistralai--Mistral-7B-Instruct-v0.3", sliding_window=4096)

        def tokens(vllm: str, block: int | None) -> int:
            return layout(windows, vllm=vllm, block_tokens=block).block_tokens

        assert [tokens(vllm, 64) for vllm in ("0.24.0", "0.25.0", "0.29.0", "0.30.0", "0.33.0")] == [64, 16, 16, 64, 64]
        assert [tokens("0.30.0", block) for block in (None, 24, 8)] == [16, 16, 16]

    def test_a_window_that_is_switched_off_does_not_count(self) -> None:
        found = cache_layers(config("Qwen--Qwen2.5-7B-Instruct"))
        assert all(isinstance(cache, AttentionSpec) and cache.window is None for cache in found.caches)

    def test_layers_that_share_an_earlier_ones_keys_keep_nothing(self) -> None:
        found = layers("google--gemma-4-E2B-it")
        assert [len(layer) for layer in found.layers] == [1] * 15 + [0] * 20


# TP, bytes of one Mamba layer's state, tokens of a block, GiB of a block over all layers (16-token blocks)
FALCON_H1 = {
    "0.5B": (
        {"num_hidden_layers": 36, "num_attention_heads": 8, "head_dim": 64, "mamba_d_ssm": 1536, "mamba_d_state": 128,
         "mamba_n_heads": 24, "mamba_d_head": 64},
        1, 403_968, 800, 0.0137,
    ),
    "3B": ({}, 1, 2_124_800, 2080, 0.0635),
    "7B on two GPUs": (
        {"num_hidden_layers": 44, "num_attention_heads": 12, "mamba_d_ssm": 3072, "mamba_n_heads": 24},
        2, 798_720, 1568, 0.0329,
    ),
    "34B on two GPUs": (
        {"num_hidden_layers": 72, "num_attention_heads": 20, "num_key_value_heads": 4, "mamba_d_ssm": 4096,
         "mamba_n_heads": 32, "mamba_n_groups": 2},
        2, 1_063_936, 1040, 0.0714,
    ),
}  # fmt: skip


class TestStates:
    @pytest.mark.parametrize(("fields", "tensor", "page", "tokens", "gib"), FALCON_H1.values(), ids=FALCON_H1)
    def test_a_falcon_h1_block_is_as_large_as_vllm_makes_it(
        self, fields: dict[str, int], tensor: int, page: int, tokens: int, gib: float
    ) -> None:
        found = layers(FALCON, **fields)
        assert found.state is not None
        options = CacheOptions(dtype="bfloat16", vllm=NEW, tensor_parallel=tensor)
        assert state_bytes(found.state, options) == page
        made = cache_layout(found, options)
        assert (made.block_tokens, made.state_blocks) == (tokens, 2)
        assert made.block_bytes / GIB == pytest.approx(gib, abs=0.00006)

    def test_a_gated_delta_net_and_every_fourth_layer_attending_are_four_groups(self) -> None:
        """Qwen 3 Next: state 48 KiB of window and 1 MiB of matrices, so a block of attention grows to 544 tokens."""
        found = layout(NEXT)
        assert (
            state_bytes(layers(NEXT).state, CacheOptions(dtype="bfloat16", vllm=NEW)) == 8192 * 3 * 2 + 32 * 16384 * 2
        )
        assert found.block_tokens == 16 * math.ceil(1_097_728 / (16 * 2048)) == 544
        assert [len(group.pages) for group in found.groups] == [12] * 4
        assert found.blocks_of_request(262_144) == math.ceil(262_144 / 544) + 3 * 2

    def test_states_take_one_block_without_prefix_caching(self) -> None:
        assert layout(NEXT, vllm="0.27.0").state_blocks == 1
        assert layout(NEXT, prefix_caching=False).state_blocks == 1
        assert layout(NEXT, vllm="0.27.0", prefix_caching=True).state_blocks == 2

    def test_mamba_2_keeps_the_state_at_the_end_of_a_prompt_since_0_32(self) -> None:
        """With prefix caching; Mamba 1 does not, and its blocks are as they were."""
        assert [layout(FALCON, vllm=vllm).state_blocks for vllm in ("0.31.0", "0.32.0", "0.33.0")] == [2, 3, 3]
        assert layout(FALCON, vllm="0.32.0", prefix_caching=False).state_blocks == 1
        assert layout(FALCON, vllm="0.32.0", speculative_tokens=2).state_blocks == 5
        assert layout(FALCON, vllm="0.33.0").block_tokens == layout(FALCON).block_tokens
        mamba1 = MambaSpec(kind="mamba1", channels=512, rows=3, heads=512, matrix=16)
        jamba = CacheLayers(layers=((mamba1,), (AttentionSpec(heads=8, key_dim=64, value_dim=64),)), exact=True)
        assert layout(jamba, vllm="0.33.0").state_blocks == 2

    def test_a_gated_delta_net_keeps_it_since_0_33_where_flashinfer_runs_it(self) -> None:
        """Its block is a multiple of 64 then: 576 tokens instead of 544."""

        def found(capability: float, **options: Any) -> tuple[int, int]:
            made = layout(NEXT, **{"vllm": "0.33.0", "compute_capability": capability, **options})
            return made.block_tokens, made.state_blocks

        assert [found(capability) for capability in (8.0, 8.9, 9.0, 10.0, 12.0)] == [(544, 2)] * 2 + [(576, 3)] * 3
        assert found(9.0, vllm="0.32.0") == (544, 2)
        assert found(9.0, prefix_caching=False) == (544, 1)
        assert found(9.0, platform="cpu")[1] == 2

    def test_only_hopper_s_kernels_take_keys_of_any_width(self) -> None:
        narrow = layers(NEXT, linear_key_head_dim=64)
        blocks = [layout(narrow, vllm="0.33.0", compute_capability=n).state_blocks for n in (9.0, 10.0, 12.0)]
        assert blocks == [3, 2, 2]

    def test_olmo_s_gated_delta_net_does_not_keep_it(self) -> None:
        olmo = layers(NEXT, architectures=["OlmoHybridForCausalLM"], model_type="olmo_hybrid")
        assert olmo.exact
        assert layout(olmo, vllm="0.33.0").state_blocks == 2

    def test_a_kimi_delta_s_matrix_has_the_type_that_is_asked_for_since_0_30(self) -> None:
        delta = MambaSpec(kind="kimi_delta", heads=32, matrix=128 * 128, matrix_dtype="float32")

        def bytes_of(vllm: str, asked: str | None) -> int:
            return state_bytes(delta, CacheOptions(dtype="bfloat16", vllm=vllm, state_dtype=asked))

        assert [bytes_of("0.29.0", asked) for asked in (None, "bfloat16")] == [2_097_152] * 2
        assert [bytes_of("0.30.0", asked) for asked in (None, "bfloat16")] == [2_097_152, 1_048_576]

    def test_a_wider_state_makes_larger_blocks(self) -> None:
        assert layout(FALCON, state_dtype="float32").block_tokens > 1.9 * layout(FALCON).block_tokens

    def test_a_model_of_states_only_holds_any_context(self) -> None:
        mamba = CacheLayers(
            layers=((MambaSpec(kind="mamba1", channels=512, rows=3, heads=512, matrix=16),),) * 4, exact=True
        )
        found = layout(mamba)
        assert found.blocks_of_request(10) == found.blocks_of_request(10**9) == 1
        assert found.longest_context(2 * found.block_bytes) > 10**9
        assert found.longest_context(found.block_bytes) == 0

    def test_layers_without_a_cache_take_nothing(self) -> None:
        found = layers("nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-FP8")
        assert sum(not layer for layer in found.layers) == 23
        assert sum(len(group.pages) for group in layout(found).groups) == 29


class TestWhatIsNotKnown:
    def test_it_says_so_and_gives_the_most_and_the_least(self) -> None:
        found = layers(LLAMA, architectures=["OddForCausalLM"], model_type="odd", sliding_window=128)
        made = layout(found)
        assert not made.exact
        assert "OddForCausalLM" in made.why
        assert made.token_bytes == 131_072
        assert made.least is not None
        assert made.least.blocks_of_request(100_000) < made.blocks_of_request(100_000)

    def test_what_a_published_configuration_leaves_out_is_what_its_class_fills_in(self) -> None:
        """google/gemma-3-4b-it says neither its heads nor its pattern of layers."""
        text = {
            "model_type": "gemma3_text",
            "hidden_size": 2560,
            "intermediate_size": 10240,
            "num_hidden_layers": 34,
            "sliding_window": 1024,
        }
        short = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "text_config": text}
        found = cache_layers(ModelConfig(short, "config.json"))
        assert found.layers == layers("google--gemma-3-4b-it").layers
        assert [cache.window for cache in found.caches[:6]] == [1024] * 5 + [None]

    def test_what_a_class_derives_is_derived_and_not_its_default(self) -> None:
        """Llama 2 13B has as many key-value heads as query heads, and says neither them nor their width."""
        llama2 = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 5120}
        llama2 |= {"num_attention_heads": 40, "num_hidden_layers": 40}
        first = cache_layers(ModelConfig(llama2, "config.json")).caches[0]
        assert first == AttentionSpec(heads=40, key_dim=128, value_dim=128)

    def test_null_is_none_and_not_the_class_s_own(self) -> None:
        found = layers("mistralai--Mistral-7B-Instruct-v0.3", sliding_window=None)
        assert all(cache.window is None for cache in found.caches)
        left_out = dict(config("mistralai--Mistral-7B-Instruct-v0.3").data)
        del left_out["sliding_window"]
        assert cache_layers(ModelConfig(left_out, "config.json")).caches[0].window == 4096

    def test_a_known_one_that_lacks_what_its_rule_reads_is_not_exact(self) -> None:
        left_out = {"linear_num_key_heads", "model_type"}  # whose class would fill it in
        data = {key: value for key, value in config(NEXT).data.items() if key not in left_out}
        found = cache_layers(ModelConfig(data, "config.json"))
        assert not found.exact
        assert "linear_num_key_heads" in found.why

    def test_an_encoder_keeps_nothing(self) -> None:
        bert = {"architectures": ["BertModel"], "model_type": "bert", "num_hidden_layers": 12}
        found = layout(cache_layers(ModelConfig(bert, "config.json")))
        assert found.keeps_nothing
        assert found.holds(0, 512)
        assert (found.tokens(GIB, 512), found.concurrency(GIB, 512)) == (0, math.inf)


class TestVersions:
    @pytest.mark.parametrize(
        ("vllm", "tokens"),
        [("0.11.0", 37_440), ("0.20.0", 37_440), ("0.20.1", 59_838), ("0.29.0", 37_417), ("0.33.0", 37_417)],
    )
    def test_the_printed_tokens_are_counted_as_the_version_does(self, vllm: str, tokens: int) -> None:
        assert layout(GEMMA, vllm=vllm).tokens(20 * GIB, 16_384) == tokens

    def test_an_older_version_than_all_is_the_oldest(self) -> None:
        assert layout(GEMMA, vllm="0.8.5").behaviour == layout(GEMMA, vllm="0.10.0").behaviour

    def test_0_31_changed_nothing(self) -> None:
        assert cache_behaviour("0.31.0") == cache_behaviour("0.30.0")

    def test_a_release_candidate_counts_as_its_release(self) -> None:
        assert layout(GEMMA, vllm="0.29.0rc2.dev348+g1").behaviour == layout(GEMMA, vllm="0.29.0").behaviour


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.json")), ids=lambda path: path.stem)
def test_the_catalog_keeps_all_that_the_cache_is_counted_from(path: Path) -> None:
    read = config(path.stem)
    if "vocab_size" not in read.text or "max_position_embeddings" not in read.text:
        pytest.skip("the published configuration leaves out what a catalog needs")
    architecture = architecture_of(read, {}, {}, read.get("quantization_config", {}))
    again = cache_layers(ModelConfig(json.loads(json.dumps(architecture.config_json())), "catalog", complete=True))
    assert again.layers == cache_layers(read).layers


@given(
    available=st.integers(0, 40 * GIB),
    context=st.integers(1, 300_000),
    name=st.sampled_from([LLAMA, GEMMA, FALCON, NEXT]),
    vllm=st.sampled_from(["0.10.0", "0.12.0", "0.19.1", "0.26.0", NEW, "0.33.0"]),
)
def test_the_longest_context_is_the_last_that_is_held(available: int, context: int, name: str, vllm: str) -> None:
    found = layout(name, vllm=vllm)
    longest = found.longest_context(available)
    assert found.holds(available, context) == (context <= longest)
    assert found.longest_context(available, most=context) == min(longest, context)


@pytest.mark.parametrize(
    ("stated", "vllm", "dtype"),
    [
        ({"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}, NEW, "fp8"),
        ({"quant_method": "modelopt", "quantization": {"kv_cache_quant_algo": "FP8"}}, NEW, "fp8"),
        ({"quant_method": "modelopt", "kv_cache_quant_algo": "FP8"}, "0.11.0", "auto"),
        ({"quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8, "type": "float"}}, NEW, "fp8"),
        ({"quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8, "type": "float"}}, "0.14.0", "auto"),
        ({"quant_method": "compressed-tensors", "kv_cache_scheme": None}, NEW, "auto"),
        ({"quant_method": "fp8"}, NEW, "auto"),
    ],
)
def test_a_checkpoint_with_an_fp8_cache_has_one_where_its_vllm_takes_it(
    stated: dict[str, Any], vllm: str, dtype: str
) -> None:
    assert kv_cache_dtype_of(ModelConfig({"quantization_config": stated}, "config.json"), Engine(vllm=vllm)) == dtype
    assert kv_cache_dtype_of(ModelConfig({}, "config.json"), Engine(vllm=vllm, kv_cache_dtype="fp8")) == "fp8"


@pytest.mark.parametrize(
    ("name", "capability", "asked", "dtype"),
    [
        ("deepseek-ai--DeepSeek-V3.2", 9.0, "fp8", "fp8_ds_mla"),
        ("deepseek-ai--DeepSeek-V3.2", 9.0, "auto", "auto"),
        ("deepseek-ai--DeepSeek-V3.2", 10.0, "fp8", "fp8"),
        ("deepseek-ai--DeepSeek-V3.2", 12.0, "auto", "fp8_ds_mla"),
        ("deepseek-ai--DeepSeek-R1", 9.0, "fp8", "fp8"),
        (LLAMA, 12.0, "auto", "auto"),
    ],
)
def test_kernels_of_sparse_latents_lay_an_fp8_cache_out_their_own_way(
    name: str, capability: float, asked: str, dtype: str
) -> None:
    device = Device(name="a GPU", memory_gib=80, compute_capability=capability)
    assert shape_of(Model(config(name)), device, Engine(vllm=NEW, kv_cache_dtype=asked)).kv_cache_dtype == dtype


@pytest.mark.parametrize(
    ("vllm", "capability", "asked", "dtype"),
    [
        ("0.31.0", 10.0, "auto", "auto"),
        ("0.32.0", 10.0, "auto", "fp8_e4m3"),
        ("0.33.0", 10.3, "auto", "fp8_e4m3"),
        ("0.33.0", 10.0, "bfloat16", "bfloat16"),
        ("0.33.0", 9.0, "auto", "auto"),
    ],
)
def test_glm_5_has_an_fp8_cache_on_blackwell_since_0_32(vllm: str, capability: float, asked: str, dtype: str) -> None:
    device = Device(name="a GPU", memory_gib=180, compute_capability=capability)
    same = config("deepseek-ai--DeepSeek-V3.2")
    glm = ModelConfig(same.data | {"architectures": ["GlmMoeDsaForCausalLM"], "model_type": "glm_moe_dsa"}, "GLM 5")
    assert shape_of(Model(glm), device, Engine(vllm=vllm, kv_cache_dtype=asked)).kv_cache_dtype == dtype
    assert shape_of(Model(same), device, Engine(vllm=vllm, kv_cache_dtype=asked)).kv_cache_dtype == asked
