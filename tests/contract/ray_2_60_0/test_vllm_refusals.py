"""What is said of vLLM's quantization methods, contexts and blocks is what vLLM 0.29.0 has and checks itself."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vllm.config import quantization as online
from vllm.config.cache import CacheDType
from vllm.config.lora import MaxLoRARanks
from vllm.config.model import _FLOAT16_NOT_SUPPORTED_MODELS, _get_and_verify_max_len, iter_architecture_defaults
from vllm.config.model import ModelConfig as VllmModelConfig
from vllm.model_executor.layers import quantization
from vllm.model_executor.layers.fused_moe.oracle.fp8 import refine_fp8_moe_block_shape
from vllm.model_executor.layers.quantization.utils.fp8_utils import validate_fp8_block_shape
from vllm.transformers_utils.config import get_config
from vllm.transformers_utils.model_arch_config_convertor import ModelArchConfigConvertorBase

from generator.errors import UserError
from generator.facts.files import read_data
from generator.facts.vllm_quantization import computes_in_float16, engine_capability, method_of, methods
from generator.sizing.config.architectures import makes_vectors, missing_in
from generator.sizing.config.config import ModelConfig
from generator.sizing.config.overrides import overridden
from generator.sizing.config.rotary import default_context, positions_of
from generator.sizing.engine.refusals import Cutting, cut
from generator.sizing.weights.matrix import Matrix
from generator.sizing.weights.quantization import Format, Quantization
from tests.support.paths import CONFIGS

VLLM = "0.29.0"
# Their configuration classes come with the checkpoints, and transformers has none.
CLASSES_OF_THEIR_OWN = {"phi3_v", "sarvam_mla"}
FILES = [
    file
    for file in sorted(CONFIGS.glob("*.json"))
    if json.loads(file.read_text()).get("model_type") not in CLASSES_OF_THEIR_OWN
]
# A checkpoint's word, which vLLM knows by the method that takes it over.
WORDS_OF_CHECKPOINTS = {"auto-round"}
# Quantize while loading, and are no shorthands of `quantization_config`: words of their own.
WITHOUT_A_SHORTHAND = {"fp8", "online", "experts_int8"}
# Its kernels ask for more than its class (`online/nvfp4.py`).
ASKED_BY_KERNELS = {"nvfp4_per_token"}


def test_the_methods_are_those_that_vllm_has():
    ours = {name for name, method in methods().items() if method.is_in(VLLM)}
    assert ours - WORDS_OF_CHECKPOINTS == set(quantization.QUANTIZATION_METHODS)
    deprecated = {name for name in ours if methods()[name].is_deprecated(VLLM)}
    assert deprecated == set(quantization.DEPRECATED_QUANTIZATION_METHODS)


@pytest.mark.parametrize("name", quantization.QUANTIZATION_METHODS)
def test_a_method_asks_for_what_vllm_asks_for(name: str):
    theirs, method = quantization.get_quantization_config(name), method_of(name)
    assert method is not None
    if name not in ASKED_BY_KERNELS:
        assert method.least_capability(VLLM) * 10 == theirs.get_min_capability()
    # A method of the class or of what is made of it, which looks at neither.
    ask = getattr(theirs.get_supported_act_dtypes, "__func__", theirs.get_supported_act_dtypes)
    dtypes = {str(dtype).removeprefix("torch.") for dtype in ask(theirs)}
    assert set(method.dtypes(VLLM)) == dtypes - {"float8_e4m3fn"}


def test_what_is_quantized_while_loading_is_what_vllm_has_a_word_for():
    ours = {name for name, method in methods().items() if method.quantizes_while_loading(VLLM)}
    assert ours - WITHOUT_A_SHORTHAND == set(online._ONLINE_SHORTHANDS)
    for name, spec in online._ONLINE_SHORTHANDS.items():
        assert methods()[name].makes == ("layers" if spec.linear else "experts")


def test_architectures_that_came_before_and_stayed_are_in_vllms_registry_or_adapted_by_it():
    from vllm.model_executor.models.registry import ModelRegistry

    theirs = set(ModelRegistry.get_supported_archs())
    for name in read_data("architectures.json")["spans"]:
        has = not missing_in(VLLM, ModelConfig({"architectures": [name]}, name))
        # Itself, or a class that vLLM adapts for it.
        assert has == (ModelRegistry._normalize_arch(name, SimpleNamespace()) in theirs), name


def test_models_that_are_not_computed_in_float16_are_vllms():
    kinds = read_data("quantization.yaml")["notInFloat16"]
    assert {kind for kind in kinds if not computes_in_float16(kind, VLLM)} == set(_FLOAT16_NOT_SUPPORTED_MODELS)
    assert engine_capability(VLLM) == 7.5


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_model_takes_as_many_tokens_as_vllm_says(file: Path, tmp_path: Path):
    said = json.loads(file.read_text())
    (tmp_path / "config.json").write_text(json.dumps(_with_bases(said)))
    theirs = get_config(str(tmp_path), trust_remote_code=False)
    ours = ModelConfig(said, file.name)
    assert default_context(ours, VLLM) == _longest(theirs, None)
    most = positions_of(ours)
    assert _longest(theirs, most) == most
    with pytest.raises(ValueError, match="is greater than the derived max_model_len"):
        _longest(theirs, most + 1)


YARN = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 32768}
OVERRIDES = [
    ("Qwen--Qwen3-8B", {"rope_parameters": YARN}, 131072),
    ("Qwen--Qwen3-8B", {"rope_scaling": YARN | {"factor": 2.0}}, 65536),
    ("Qwen--Qwen3-8B", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, 81920),
    ("Qwen--Qwen3-8B", {"max_position_embeddings": 50000}, 50000),
    (
        "deepseek-ai--DeepSeek-R1-0528-Qwen3-8B",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        131072,
    ),
    # Beside the text part nothing reads it; in it, it is merged into what is there.
    ("Qwen--Qwen3-VL-30B-A3B-Instruct", {"rope_parameters": YARN}, 262144),
    ("Qwen--Qwen3-VL-30B-A3B-Instruct", {"max_position_embeddings": 1000}, 262144),
    ("google--gemma-3-4b-it", {"text_config": {"rope_parameters": {"full_attention": {"factor": 4.0}}}}, 131072),
    ("llava-hf--llava-v1.6-mistral-7b-hf", {"text_config": {"max_position_embeddings": 20000}}, 20000),
    ("Qwen--Qwen3-VL-30B-A3B-Instruct", {"text_config": {"rope_parameters": YARN, "num_hidden_layers": 4}}, 131072),
]


@pytest.mark.parametrize(("name", "said", "most"), OVERRIDES)
def test_what_hf_overrides_make_of_a_model_is_what_vllm_makes_of_it(
    name: str, said: dict[str, Any], most: int, tmp_path: Path
):
    stated = json.loads(FILES[0].with_name(f"{name}.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(_with_bases(stated)))
    # As ModelConfig does, which would also look for the processors of images.
    parts = {key: value for key, value in said.items() if isinstance(value, dict)}
    plain = {key: value for key, value in said.items() if key not in parts}
    theirs = get_config(str(tmp_path), trust_remote_code=False, hf_overrides_kw=plain)
    object.__new__(VllmModelConfig)._apply_dict_overrides(theirs, parts)
    ours = overridden(ModelConfig(stated, name), said, vllm=VLLM, where="test")
    assert positions_of(ours) == _longest(theirs, None) == most
    assert ours.layers == theirs.get_text_config().num_hidden_layers


def test_a_part_of_a_part_is_merged_as_vllm_merges_it(tmp_path: Path):
    stated = json.loads(FILES[0].with_name("Qwen--Qwen3-VL-30B-A3B-Instruct.json").read_text())
    stated["text_config"] |= {"rope_scaling": None, "rope_parameters": YARN | {"factor": 16.0}}
    (tmp_path / "config.json").write_text(json.dumps(stated))
    said = {"text_config": {"rope_parameters": {"factor": 8.0}}}
    theirs = get_config(str(tmp_path), trust_remote_code=False)
    object.__new__(VllmModelConfig)._apply_dict_overrides(theirs, said)
    ours = overridden(ModelConfig(stated, "test"), said, vllm=VLLM, where="test")
    assert positions_of(ours) == _longest(theirs, None) == 8 * 32768


REFUSED = [
    {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0}},
    {"rope_parameters": YARN | {"factor": -4.0}},
    {"rope_parameters": {"rope_theta": 1e6, "factor": 4.0}},
    {"text_config": {"num_hidden_layers": 4}},
]


@pytest.mark.parametrize("said", REFUSED, ids=str)
def test_overrides_that_are_refused_are_those_that_vllm_stumbles_over(said: dict[str, Any], tmp_path: Path):
    stated = json.loads(FILES[0].with_name("Qwen--Qwen3-8B.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(stated))
    with pytest.raises((ValueError, KeyError)):
        VllmModelConfig(model=str(tmp_path), skip_tokenizer_init=True, hf_overrides=said)
    with pytest.raises(UserError, match="hf_overrides"):
        overridden(ModelConfig(stated, "test"), said, vllm=VLLM, where="test")


def test_the_ranks_and_cache_types_are_vllms():
    assert read_data("memory.yaml")["loraRanks"] == list(get_args(MaxLoRARanks))
    types = read_data("kv_cache.yaml")
    assert {*types["cacheDtypes"], *types["uncountedCacheDtypes"]} == set(get_args(CacheDType))
    assert {*types["cacheDtypes"]} - {"auto"} <= set(types["dtypes"])


def test_the_ends_of_names_are_vllms():
    for suffix, (runner, _) in iter_architecture_defaults():
        assert makes_vectors(ModelConfig({"architectures": [f"Odd{suffix}"]}, "test")) == (runner == "pooling")


def _with_bases(said: Any) -> Any:
    """The configuration with the rotary base that transformers asks for, on which no length depends."""
    if not isinstance(said, dict):
        return said
    bases = {"rope_theta": 10000.0} if "rope_type" in said and "rope_theta" not in said else {}
    return {key: _with_bases(value) for key, value in said.items()} | bases


def _longest(config: Any, asked: int | None) -> int:
    text = config.get_text_config()
    derived = ModelArchConfigConvertorBase(config, text).derive_max_model_len_and_key()
    return _get_and_verify_max_len(
        hf_config=text,
        model_arch_config=SimpleNamespace(derived_max_model_len_and_key=derived),
        tokenizer_config=None,
        max_model_len=asked,
        disable_sliding_window=False,
        sliding_window=None,
    )


sizes = st.integers(1, 64).map(lambda n: 32 * n)
BLOCKS = Format(bits=8, group=128, block=128)
FP8 = Quantization(method="fp8", formats=((("Linear",), BLOCKS),))


@settings(max_examples=300, deadline=None)
@given(part=sizes, tensor=st.sampled_from([1, 2, 4, 8]), row_parallel=st.booleans())
def test_a_matrix_is_cut_where_vllm_would_cut_it(part: int, tensor: int, row_parallel: bool):
    name, whole = ("self_attn.o_proj", part * tensor) if row_parallel else ("self_attn.q_b_proj", part * tensor)
    rows, columns = (4096, whole) if row_parallel else (whole, 4096)
    ours = cut(
        Matrix(name=name, rows=rows, columns=columns, sharding="row" if row_parallel else "column"),
        BLOCKS,
        FP8,
        Cutting(tensor=tensor, experts_over=tensor, vllm=VLLM),
    )
    layer = SimpleNamespace(tp_size=tensor)
    here = (columns, rows, part, [rows]) if row_parallel else (columns, rows, columns, [part])
    with patch("vllm.distributed.get_tensor_model_parallel_world_size", lambda: tensor):  # there is no group here
        assert bool(ours) == refuses(lambda: validate_fp8_block_shape(layer, *here, [128, 128]))


@settings(max_examples=300, deadline=None)
@given(part=sizes, hidden=sizes, tensor=st.sampled_from([1, 2, 4, 8]))
def test_experts_are_cut_where_vllm_would_cut_them(part: int, hidden: int, tensor: int):
    ours = any(
        cut(
            Matrix(name=name, rows=rows, columns=columns, sharding="expert", count=8),
            BLOCKS,
            FP8,
            Cutting(tensor=tensor, experts_over=tensor, vllm=VLLM),
        )
        for name, rows, columns in (
            ("mlp.experts.0.up_proj", part * tensor, hidden),
            ("mlp.experts.0.down_proj", hidden, part * tensor),
        )
    )
    asked = SimpleNamespace(intermediate_size_per_partition=part, tp_size=tensor, hidden_dim=hidden)
    # Fp8MoEMethod.create_weights: what does not divide must be made smaller.
    divides = part % 128 == 0
    assert ours == (not divides and refine_fp8_moe_block_shape(asked, [128, 128]) is None)


def refuses(check: Any) -> bool:
    try:
        check()
    except ValueError:
        return True
    return False
