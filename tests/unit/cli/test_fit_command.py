"""`python -m generator fit`, as people and programs meet it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.command_line import generator
from tests.support.paths import CONFIGS, ROOT

QWEN = CONFIGS / "Qwen--Qwen3-32B.json"
KEYS = (
    "weights_gib",
    "activation_gib",
    "non_torch_gib",
    "cuda_graph_gib",
    "kv_cache_gib",
    "kv_bytes_per_token",
    "kv_cache_tokens",
    "max_concurrency",
    "max_model_len_that_fits",
    "fits",
    "why",
)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return generator("fit", *arguments)


def answer(*arguments: object) -> dict:
    return json.loads(run(*arguments, "--json").stdout)


def test_a_program_reads_every_figure_with_its_range():
    found = answer(QWEN, "--gpu", "H100-80GB", "--tp", 2)
    assert set(KEYS) <= found.keys()
    for key in (*KEYS[:5], "kv_cache_tokens", "max_concurrency", "max_model_len_that_fits"):
        low, high = found[f"{key}_range"]["low"], found[f"{key}_range"]["high"]
        assert low <= found[key] <= high, key
    assert found["kv_bytes_per_token"] == 64 * 2 * 4 * 128 * 2
    parts = sum(found[key] for key in KEYS[:5])
    assert parts == pytest.approx(found["usable_gib"], abs=0.001)


@pytest.mark.parametrize(("context", "code", "fits"), [(16000, 0, True), (32000, 1, False)])
def test_the_exit_code_says_whether_vllm_would_start(context, code, fits):
    # Qwen3-32B on one H100 with vLLM 0.11.0: 16,000 tokens started, 32,000 were refused (kv_points.csv, measured.csv).
    arguments = (QWEN, "--gpu-memory-gib", 79.18, "--max-model-len", context, "--vllm", "0.11.0")
    assert run(*arguments).returncode == code
    assert answer(*arguments)["fits"] is fits


def test_what_does_not_fit_is_told_what_would_make_it_fit_and_that_does():
    refused = (QWEN, "--gpu", "H100-80GB", "--max-model-len", 40960)
    changes = answer(*refused)["changes"]
    assert {change.split()[0] for change in changes} >= {"--max-model-len", "--kv-cache-dtype", "--tp"}
    for change in changes:
        assert run(*refused, *change.split()).returncode == 0, change


def test_data_parallel_ranks_divide_the_experts_and_nothing_else():
    of = (CONFIGS / "Qwen--Qwen3-30B-A3B.json", "--gpu", "H200-141GB", "--enable-expert-parallel")
    one, ranks, tensor = (answer(*of, *split) for split in ((), ("--data-parallel-size", 8), ("--tp", 8)))
    assert (ranks["tp"], ranks["dp"]) == (1, 8)
    # 48 layers of 128 experts, each of three matrices of 2048 x 768, of which seven eighths are on other ranks.
    assert one["weights_gib"] - ranks["weights_gib"] == pytest.approx(48 * 112 * 3 * 2048 * 768 * 2 / 2**30, rel=1e-3)
    assert ranks["kv_bytes_per_token"] == one["kv_bytes_per_token"] == 4 * tensor["kv_bytes_per_token"]
    assert "tokens and requests are of each of 8 ranks" in ranks["notes"]
    assert "tensor 1 x pipeline 1 x data 8" in run(*of, "--dp", 8).stdout


def test_a_dense_model_has_no_data_parallel_ranks():
    refused = run(QWEN, "--gpu", "H200-141GB", "--dp", 2)
    assert refused.returncode == 1
    assert "vLLM would not start: it is no mixture of experts" in refused.stdout


def test_without_a_gpu_all_types_are_compared():
    lines = run(QWEN).stdout.splitlines()
    assert lines[0].split()[:4] == ["gpu", "tp", "pp", "fits"]
    types = {line.split()[0] for line in lines[1:]}
    assert {"T4-16GB", "L40S-48GB", "H100-80GB", "B200-180GB", "A100-80GB-3g.40gb"} <= types


def test_a_model_that_is_not_known_has_a_range_and_says_so(tmp_path):
    config = json.loads(QWEN.read_text()) | {
        "architectures": ["SomethingNewForCausalLM"],
        "model_type": "something_new",
        "layer_types": ["linear_attention"] * 48 + ["full_attention"] * 16,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = answer(tmp_path, "--gpu", "H200-141GB")
    assert any("SomethingNewForCausalLM is not known" in note for note in found["notes"])
    assert found["kv_bytes_per_token_range"]["low"] < found["kv_bytes_per_token"]
    assert found["kv_cache_tokens_range"]["high"] > 3 * found["kv_cache_tokens"]


def test_a_width_that_differs_by_layer_is_said_once_whoever_asks(tmp_path):
    widths = [25600] * 32 + [17408] * 32
    (tmp_path / "config.json").write_text(json.dumps(json.loads(QWEN.read_text()) | {"intermediate_size": widths}))
    told = "`intermediate_size` differs by layer; the largest, 25600, is taken for all"
    assert answer(tmp_path, "--gpu", "H200-141GB")["notes"] == [told]
    assert run(tmp_path).stdout.count(told) == 1
    command = [sys.executable, "-m", "generator", "add", tmp_path / "config.json", "--id", "odd", "--family", "odd"]
    added = subprocess.run([*command, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert added.returncode == 0, added.stderr
    assert (added.stdout + added.stderr).count("differs by layer") == 1
    assert f"note: {told}." in added.stdout + added.stderr


def test_a_model_of_which_nothing_is_known_has_a_range_to_both_sides(tmp_path):
    config = json.loads(QWEN.read_text()) | {"architectures": ["SomethingNewForCausalLM"], "model_type": "new"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = answer(tmp_path, "--gpu", "H200-141GB")
    low, high = found["kv_bytes_per_token_range"].values()
    assert (low, high) == (found["kv_bytes_per_token"] // 2, found["kv_bytes_per_token"] * 2)
    assert found["kv_cache_tokens_range"]["low"] < found["kv_cache_tokens"] / 1.9


def test_a_model_of_windows_alone_keeps_something_for_each_token(tmp_path):
    config = json.loads(QWEN.read_text()) | {"sliding_window": 4096, "architectures": ["MistralForCausalLM"]}
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "mistral"}))
    assert answer(tmp_path, "--gpu", "H200-141GB")["kv_bytes_per_token"] > 0


def test_a_folder_of_gguf_weights_is_counted_by_its_file(tmp_path):
    (tmp_path / "config.json").write_bytes(QWEN.read_bytes())
    for part in ("q4-00001-of-00002", "q4-00002-of-00002"):
        with (tmp_path / f"{part}.gguf").open("wb") as file:
            file.truncate(10 * 2**30)  # which takes no place on a disk
    found = answer(tmp_path, "--gpu", "H100-80GB", "--vllm", "0.20.0")
    assert found["weights_gib"] == pytest.approx(20, rel=0.01)
    assert "has no quantization method 'gguf'" in answer(tmp_path, "--gpu", "H100-80GB")["why"]
    (tmp_path / "q8.gguf").touch()
    assert "several GGUF weights: q4, q8" in run(tmp_path).stderr


def test_figures_that_rest_on_nothing_measured_say_so():
    notes = answer(QWEN, "--gpu", "MI300X-192GB", "--vllm", "0.99.0", "--weights-bytes", 1)["notes"]
    for what in ("vLLM 0.99.0 is newer than", "AMD's GPUs have no constants", "do they belong together?"):
        assert any(what in note for note in notes), what


def test_more_layers_than_a_model_can_have_are_refused_at_once(tmp_path):
    config = json.loads(QWEN.read_text()) | {"num_hidden_layers": 10**9}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "`num_hidden_layers` is 1,000,000,000" in run(tmp_path).stderr


WHISPER = {
    "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper", "hidden_size": 1024,
    "vocab_size": 51865, "num_attention_heads": 6, "decoder_attention_heads": 16, "decoder_layers": 4,
    "encoder_layers": 4, "num_hidden_layers": 4, "encoder_ffn_dim": 1536, "max_position_embeddings": 448,
    "max_source_positions": 1500, "num_mel_bins": 80,
}  # fmt: skip
BERT = {**WHISPER, "architectures": ["BertModel"], "model_type": "bert", "intermediate_size": 2816}


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (WHISPER | {"decoder_layers": 2**31}, ""),
        (BERT | {"num_hidden_layers": 2**31}, "`num_hidden_layers` is 2,147,483,648"),
        (WHISPER | {"decoder_attention_heads": 1536}, ""),  # more heads than entries
    ],
)
def test_an_encoder_of_odd_sizes_is_answered_or_refused(tmp_path, odd, said):
    (tmp_path / "config.json").write_text(json.dumps(odd))
    done = run(tmp_path, "--gpu", "H100-80GB")
    assert (done.returncode, said in done.stderr) == (2 if said else done.returncode, True), done.stderr


def test_a_table_in_which_nothing_runs_says_why():
    done = run(CONFIGS / "deepseek-ai--DeepSeek-V4-Pro.json")
    assert (done.returncode, "refused: DeepSeek V4 starts with an fp8 cache only" in done.stdout) == (1, True)


def test_a_gpu_without_bfloat16_halves_in_float16_unless_bfloat16_is_asked_for():
    small = CONFIGS / "Qwen--Qwen3-0.6B.json"
    assert answer(small, "--gpu", "T4-16GB")["engine"]["dtype"] == "float16"
    refused = answer(small, "--gpu", "T4-16GB", "--dtype", "bfloat16")
    assert (refused["fits"], "no bfloat16" in refused["why"]) == (False, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((QWEN, "--gpu", "H100-80"), "did you mean 'H100-80GB'?"),
        ((QWEN, "--gpu", "H100-80GB", "--gpu-memory-gib", 80), "both --gpu and --gpu-memory-gib"),
        ((QWEN, "--vllm", "0.7.3"), "no vLLM version that is known here"),
        ((QWEN, "--kv-cache-dtype", "fp7"), "unknown type of cache 'fp7'"),
        ((QWEN, "--quantization", "fp9"), "unknown quantization method 'fp9'"),
        ((QWEN, "--gpu-memory-gib", "nan"), "nan is no number to count with"),
        ((QWEN, "--gpu-memory-gib", "inf"), "inf is not in the range"),
        ((QWEN, "--gpu-memory-utilization", "nan"), "nan is no number to count with"),
        (("model.gguf",), "a GGUF file says nothing of its cache here"),
        (("./nowhere/config.json",), "no such folder or file"),
    ],
)
def test_bad_input_is_told_in_one_message(arguments, words):
    done = run(*arguments)
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


def test_half_a_configuration_is_told_where_it_breaks(tmp_path):
    broken = tmp_path / "config.json"
    broken.write_text('{"architectures": [')
    done = run(broken)
    assert (done.returncode, f"{broken}:1" in done.stderr) == (2, True)


def test_a_configuration_is_answered_without_what_catalogs_and_hubs_need():
    code = (
        "import sys; from generator.cli.cli import cli\n"
        f"try: cli.main(['fit', {str(QWEN)!r}, '--gpu', 'H100-80GB'], standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "print({'pydantic', 'huggingface_hub', 'requests', 'kubernetes'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_what_is_said_lies_within_what_it_may_be():
    """The margin that is kept before a model is said to fit may be more than the range."""
    found = answer(CONFIGS / "Qwen--Qwen3-8B.json", "--gpu", "L4-24GB", "--max-num-seqs", 16, "--eager",
                   "--max-num-batched-tokens", 512, "--max-model-len", 32000)  # fmt: skip
    assert (found["fits"], found["fits_range"]) == (False, {"low": False, "high": True})
    low, high = found["max_model_len_that_fits_range"].values()
    assert low <= found["max_model_len_that_fits"] <= high


@pytest.mark.parametrize(
    "more", [{"kv_lora_rank": 512, "qk_rope_head_dim": 64}, {"layer_types": ["linear_attention"] * 64}]
)
def test_ranges_of_what_is_not_known_are_not_turned_round(tmp_path, more):
    config = json.loads(QWEN.read_text()) | {"architectures": ["NewForCausalLM"], "model_type": "new"} | more
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = answer(tmp_path, "--gpu", "H200-141GB", "--tp", 8)
    for key in ("kv_bytes_per_token", "kv_cache_tokens", "max_concurrency"):
        low, high = found[f"{key}_range"].values()
        assert low <= found[key] and (high is None or found[key] <= high), key


@pytest.mark.parametrize(
    ("option", "given", "message"),
    [
        ("--tp", "9" * 400, "99999999999999999... is no whole number up to 1024"),
        ("--pp", "2000", "2000 is not in the range 1<=x<=1024"),
        ("--max-model-len", "9" * 400, "is no whole number up to 9007199254740992"),
        ("--max-num-seqs", "9007199254740993", "9007199254740993 is more than 9007199254740992"),
    ],
)
def test_a_number_that_nothing_has_is_one_short_line(option, given, message):
    done = run(QWEN, option, given)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stdout + done.stderr) < 400
