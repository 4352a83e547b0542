"""config.json as repositories have it, a few changes away: `fit` and `add` take it or say why not."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from generator.facts.files import read_data
from tests.support.fuzzing import Record, check_message, fuzz, refused_by_command
from tests.support.mutations import damaged, mutated
from tests.support.paths import CONFIGS
from tests.support.stored import QWEN

TEXTS = [path.read_text() for path in sorted(CONFIGS.glob("*.json"))]
STORED = [json.loads(text) for text in TEXTS]
_SIZES = {
    "hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 8, "num_attention_heads": 16, "head_dim": 64,
    "num_key_value_heads": 4, "vocab_size": 32000, "max_position_embeddings": 8192, "layer_types": None,
}  # fmt: skip


def of_every_kind() -> Iterator[dict[str, Any]]:
    """A configuration for each rule of caches and each model type with known defaults: more words than are stored."""
    defaults = read_data("config_defaults.json")["defaults"]
    for row in read_data("cache_layers.yaml").values():
        for name in row["architectures"][:1]:
            yield {"architectures": [name], **_SIZES}
        for kind in row["modelTypes"]:
            if kind in defaults:
                yield {"architectures": row["architectures"][:1], "model_type": kind, **_SIZES, **defaults[kind]}


SEEDS = [*STORED, *of_every_kind()]

ENVIRONMENT = """\
namespace: ai
ray: 2.60.0
pools:
  l4: {gpu: L4-24GB, gpusPerNode: 8, nodes: 2}
  h200: {gpu: H200-141GB, gpusPerNode: 8, nodes: 1}
serve:
  strange: {}
"""
OPTIONS: list[tuple[str, ...]] = [
    ("--gpu", "H100-80GB"),
    ("--gpu", "L4-24GB", "--json"),
    ("--gpu", "H200-141GB", "--tp", "8", "--json"),
    ("--gpu", "B200-180GB", "--tp", "2", "--pp", "2", "--enable-expert-parallel"),
    ("--gpu", "A100-40GB", "--vllm", "0.9.1", "--kv-cache-dtype", "fp8", "--json"),
    ("--gpu", "H100-80GB", "--max-model-len", "1000000", "--quantization", "fp8"),
    ("--gpu", "H100-80GB", "--speculative-config", '{"method": "mtp", "num_speculative_tokens": 2}', "--json"),
    ("--gpu", "H100-80GB", "--enable-lora", "--max-lora-rank", "64"),
    ("--gpu", "MI300X-192GB", "--tp", "4"),
]


def written(config: Any) -> str:
    """As JSON, with Infinity and NaN, which Python reads as well."""
    return json.dumps(config) if isinstance(config, (dict, list)) else str(config)


def refused_by_fit(folder: Path, given: tuple[str, tuple[str, ...]]) -> str:
    text, options = given
    path = folder / "config.json"
    path.write_bytes(text.encode(errors="surrogatepass"))
    return refused_by_command("fit", path, *options, folder=folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    for name in ("catalog", "environments"):
        (folder / name).mkdir()
    (folder / "environments" / "one.yaml").write_text(ENVIRONMENT)
    yield folder


def refused_by_add(project: Path, text: str) -> str:
    path = project / "config.json"
    path.write_bytes(text.encode(errors="surrogatepass"))
    return refused_by_command("add", path, "--family", "strange", "--id", "strange", "--dry-run", folder=project)


def test_fit_takes_or_refuses_a_config(tmp_path: Path, record_property: Record) -> None:
    inputs = st.tuples(mutated(SEEDS).map(written), st.sampled_from(OPTIONS))
    fuzz(inputs, partial(refused_by_fit, tmp_path), record=record_property)


def test_fit_takes_or_refuses_a_damaged_config(tmp_path: Path, record_property: Record) -> None:
    inputs = st.tuples(damaged(TEXTS), st.sampled_from(OPTIONS))
    fuzz(inputs, partial(refused_by_fit, tmp_path), record=record_property, examples=50)


def test_add_takes_or_refuses_a_config(project: Path, record_property: Record) -> None:
    fuzz(mutated(SEEDS).map(written), partial(refused_by_add, project), record=record_property, examples=12, slow=10)


def changed(name: str, **keys: Any) -> str:
    return json.dumps(json.loads((CONFIGS / f"{name}.json").read_text()) | keys)


_NOTHING_QUANTIZED: list[dict[str, Any]] = [
    {"quant_method": "compressed-tensors", "config_groups": {}, "kv_cache_scheme": {"num_bits": 8, "type": "float"}},
    {"quant_method": "awq", "bits": 4, "modules_to_not_convert": ["model"]},
]


@pytest.mark.parametrize("scheme", _NOTHING_QUANTIZED, ids=lambda scheme: str(scheme["quant_method"]))
def test_a_scheme_that_quantizes_nothing_is_taken(project: Path, scheme: dict[str, Any]) -> None:
    assert not refused_by_add(project, changed(QWEN, quantization_config=scheme))


def test_one_that_vllm_no_longer_has_is_refused_for_that(project: Path) -> None:
    scheme = {"quant_method": "bitsandbytes", "load_in_4bit": True, "llm_int8_skip_modules": ["model"]}
    assert "was taken out in 0.28.0" in refused_by_add(project, changed(QWEN, quantization_config=scheme))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 20_000, "not valid JSON: too deep"),
        ('{"hidden_size": 1' + "0" * 5000 + "}", "is this the right file, and whole?"),
        (changed(QWEN, hidden_size=10**58), "`hidden_size` is null, or a number that no size has"),
        (changed(QWEN, hidden_size=math.inf), "`hidden_size` is null, or a number that no size has"),
        (changed(QWEN, num_hidden_layers=10**12), "`num_hidden_layers` is 1,000,000,000,000"),
        (changed(QWEN, hidden_size="x" * 100_000), "`hidden_size` is 'xxx"),
        (changed(QWEN, model_type="\ud800"), "half of a surrogate pair"),
        (changed(QWEN, quantization_config={"quant_method": "fp8", "ignore": ["re:(a+)+$"]}), "repeats too much"),
        (changed(QWEN, quantization_config={"quant_method": "fp8", "ignore": ["re:.*.*.*.*.*x"]}), "repeats too much"),
    ],
)  # fmt: skip
def test_what_no_model_has_is_refused(project: Path, text: str, message: str) -> None:
    assert message in refused_by_add(project, text)
    assert message in refused_by_fit(project, (text, ("--gpu", "H100-80GB")))


def test_a_model_that_no_machine_holds_is_not_added(project: Path) -> None:
    assert "the model would have" in refused_by_add(project, changed(QWEN, hidden_size=2**40))


def test_more_draft_layers_than_any_model_has_are_refused(project: Path) -> None:
    text = changed(QWEN, num_nextn_predict_layers=2**31)
    drafts = ("--gpu", "H100-80GB", "--speculative-config", '{"method": "mtp", "num_speculative_tokens": 2}')
    assert "`num_nextn_predict_layers` is 2,147,483,648" in refused_by_fit(project, (text, drafts))


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("deepseek-ai--DeepSeek-V4-Pro", {"compress_ratios": [[4]] * 61}),
        ("moonshotai--Kimi-K2.5", {}),  # a number that YAML writes 1.0e-05
        ("Qwen--Qwen3-VL-30B-A3B-Instruct", {"vision_config": {"hidden_size": -8, "depth": 27, "mlp_ratio": "wide"}}),
        ("Qwen--Qwen3-VL-30B-A3B-Instruct", {"vision_config": {"deepstack_visual_indexes": ["\u202e", 16]}}),
        (QWEN, {"architectures": ["A\0B"]}),
        (QWEN, {"x" * 300: {}, "rope_scaling": {"x" * 300: {}}}),
        (QWEN, {"rope_scaling": {"rope_type": "yarn", "factor": math.nan, "x": math.inf}}),
        (QWEN, {"quantization_config": {"quant_method": "fp8", "a": "2024-99-99", "0b_": {"2024-99-99": "\x1b[31m"}}}),
    ],
)  # fmt: skip
def test_odd_words_are_answered(project: Path, name: str, keys: dict[str, Any]) -> None:
    text = changed(name, **keys)
    for message in (refused_by_add(project, text), refused_by_fit(project, (text, ("--gpu", "H100-80GB", "--json")))):
        check_message(message)
        assert "by hand" not in message


def test_a_first_model_needs_no_catalog(project: Path) -> None:
    """What says that there is none also says to run `add`."""
    assert not refused_by_add(project, changed(QWEN))
