"""What `add` reads of a checkpoint: a folder, a config.json, or a hub repository."""

from __future__ import annotations

import csv
import json
import os
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from generator.checkpoint.checkpoint import Checkpoint, read_checkpoint, suggest_family, suggest_model_id
from generator.checkpoint.model import read_model
from generator.errors import UserError
from generator.formats.catalog import CatalogModel
from tests.support.hub_stand_in import COMMIT, HubStandIn, Repository

DATA = Path(__file__).parents[1] / "data"
WIDTHS = {"F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "I32": 4, "U8": 1}
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "torch_dtype": "bfloat16",
    "hidden_size": 256,
    "intermediate_size": 320,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 512,
    "max_position_embeddings": 4096,
}
FALCON_H1 = LLAMA | {
    "architectures": ["FalconH1ForCausalLM"],
    "head_dim": 32,
    "mamba_d_ssm": 384,
    "mamba_d_state": 16,
    "mamba_d_conv": 4,
    "mamba_n_heads": 12,
    "mamba_d_head": 32,
    "mamba_n_groups": 2,
}
LLAMA_PARAMETERS = 1_492_736


def without(config: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in keys}


def safetensors(tensors: dict[str, tuple[str, list[int]]]) -> bytes:
    """A safetensors file of zeros."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, (dtype, shape) in tensors.items():
        size = WIDTHS[dtype]
        for length in shape:
            size *= length
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(position)


def folder(path: Path, config: Any = LLAMA, **files: Any) -> Path:
    """A model's folder: config.json, and files whose names have `__` for '.'."""
    path.mkdir(parents=True, exist_ok=True)
    if config is not None:
        (path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for name, content in files.items():
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        (path / name.replace("__", ".")).write_bytes(data)
    return path


def read_config(path: Path, config: Any) -> Checkpoint:
    return read_checkpoint(str(folder(path, config) / "config.json"))


def refused(reference: object, **options: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        read_checkpoint(str(reference), **options)
    assert caught.value.where, "an error says where"
    assert caught.value.fix, "an error says what to do"
    return caught.value


def rows() -> list[dict[str, str]]:
    with (DATA / "falcon_arch.csv").open() as file:
        return list(csv.DictReader(file))


class TestParametersFromAConfiguration:
    @pytest.mark.parametrize("row", rows(), ids=lambda row: row["model"].split("/")[1])
    def test_every_falcon_has_the_parameters_that_its_row_says(self, tmp_path: Path, row: dict[str, str]) -> None:
        config: dict[str, Any] = {key: int(value) for key, value in row.items() if value and value.isdigit()}
        config["architectures"] = ["FalconH1ForCausalLM" if "H1" in row["model"] else "LlamaForCausalLM"]
        config["torch_dtype"] = "bfloat16"
        checkpoint = read_config(tmp_path / row["model"], config)
        printed = row["params_b(computed_from_facts)"]
        assert f"{checkpoint.weights.parameters / 1e9:.3f}" == printed
        assert checkpoint.weights.bytes == {"BF16": 2 * checkpoint.weights.parameters}
        assert checkpoint.context == int(row["max_position_embeddings"])

    # Counted by transformers 5.23.0: the sum over `AutoModelForCausalLM.from_config(...).parameters()`.
    @pytest.mark.parametrize(
        ("config", "parameters"),
        [
            (LLAMA, LLAMA_PARAMETERS),
            (LLAMA | {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}, 1_366_272),
            (LLAMA | {"architectures": ["MistralForCausalLM"], "head_dim": 48}, 1_738_496),
            (LLAMA | {"architectures": ["Qwen2ForCausalLM"]}, 1_493_888),
            (LLAMA | {"architectures": ["Qwen3ForCausalLM"], "head_dim": 64}, 1_984_640),
            (FALCON_H1, 2_442_668),
            (FALCON_H1 | {"mamba_conv_bias": False}, 2_441_324),
            (
                FALCON_H1
                | {"mamba_rms_norm": True, "mamba_proj_bias": True, "projectors_bias": True}
                | {"attention_bias": True, "mlp_bias": True},
                2_451_728,
            ),
            (FALCON_H1 | {"mamba_d_ssm": None, "mamba_expand": 2, "mamba_n_heads": 16}, 2_742_608),
        ],
    )
    def test_they_are_those_that_transformers_counts(
        self, tmp_path: Path, config: dict[str, Any], parameters: int
    ) -> None:
        assert read_config(tmp_path, config).weights.parameters == parameters

    def test_a_quantized_model_without_weights_gets_an_estimate_of_its_bytes(self, tmp_path: Path) -> None:
        plain = read_config(tmp_path, LLAMA).weights.total_bytes
        fp8 = read_config(tmp_path, LLAMA | {"quantization_config": {"quant_method": "fp8"}})
        assert plain / 2 < fp8.weights.total_bytes < plain
        assert set(fp8.weights.bytes) == {"F8_E4M3", "BF16"}
        awq = read_config(tmp_path, LLAMA | {"quantization_config": {"quant_method": "awq", "bits": 4}})
        assert plain / 4 < awq.weights.total_bytes < fp8.weights.total_bytes
        assert awq.quantization == "awq"

    def test_an_unknown_quantization_without_weights_asks_for_the_folder(self, tmp_path: Path) -> None:
        folder(tmp_path, LLAMA | {"quantization_config": {"quant_method": "vptq"}})
        assert "safetensors" in refused(tmp_path).fix

    def test_an_unknown_architecture_without_weights_asks_for_the_folder(self, tmp_path: Path) -> None:
        error = refused(folder(tmp_path, LLAMA | {"architectures": ["NewModelForCausalLM"]}) / "config.json")
        assert "NewModelForCausalLM" in error.what
        assert "folder with its safetensors" in error.fix


class TestWhatAConfigurationSays:
    def test_missing_head_sizes_follow_from_the_others(self, tmp_path: Path) -> None:
        said = read_config(tmp_path, without(LLAMA, "num_key_value_heads")).architecture
        assert (said.head_dim, said.num_key_value_heads) == (32, 8)

    def test_the_type_is_read_under_its_old_and_its_new_name(self, tmp_path: Path) -> None:
        assert read_config(tmp_path, LLAMA | {"torch_dtype": "float16"}).architecture.torch_dtype == "float16"
        new = without(LLAMA, "torch_dtype") | {"dtype": "float32"}
        assert read_config(tmp_path, new).architecture.torch_dtype == "float32"

    def test_a_type_that_is_not_said_is_that_of_most_weights(self, tmp_path: Path) -> None:
        weights = safetensors({"a": ("F16", [512, 512]), "b": ("F32", [4])})
        found = read_checkpoint(str(folder(tmp_path, without(LLAMA, "torch_dtype"), model__safetensors=weights)))
        assert found.architecture.torch_dtype == "float16"

    def test_a_falcon_h1_without_a_mixer_width_has_that_of_its_factor(self, tmp_path: Path) -> None:
        config = FALCON_H1 | {"mamba_d_ssm": None, "mamba_expand": 2, "mamba_d_head": "auto", "mamba_n_heads": 16}
        said = read_config(tmp_path, config).architecture
        assert (said.mamba_d_ssm, said.mamba_d_head) == (512, 32)

    def test_the_text_part_of_a_multimodal_model_is_what_is_served(self, tmp_path: Path) -> None:
        config = {"architectures": ["SeeingForConditionalGeneration"], "text_config": without(LLAMA, "architectures")}
        path = folder(tmp_path, config, model__safetensors=safetensors({"a": ("BF16", [10, 10])}))
        found = read_checkpoint(str(path))
        assert found.architecture.name == "SeeingForConditionalGeneration"
        assert found.architecture.hidden_size == 256

    def test_a_latent_attention_model_keeps_its_cache_width(self, tmp_path: Path) -> None:
        config = LLAMA | {"architectures": ["DeepseekV3ForCausalLM"], "kv_lora_rank": 512, "head_dim": 64}
        config |= {"qk_rope_head_dim": 64, "qk_nope_head_dim": 128}
        path = folder(tmp_path, config, model__safetensors=safetensors({"a": ("BF16", [10])}))
        found = read_checkpoint(str(path))
        assert (found.architecture.kv_lora_rank, found.architecture.qk_rope_head_dim) == (512, 64)
        assert not any("full attention" in note for note in found.notes)

    def test_a_tokenizer_with_no_limit_leaves_the_context_alone(self, tmp_path: Path) -> None:
        path = folder(tmp_path, LLAMA, tokenizer_config__json={"model_max_length": 10**30})
        assert read_checkpoint(str(path)).context == 4096

    def test_a_tokenizer_with_a_smaller_limit_wins_and_is_mentioned(self, tmp_path: Path) -> None:
        found = read_checkpoint(str(folder(tmp_path, LLAMA, tokenizer_config__json={"model_max_length": 2048})))
        assert found.context == 2048
        assert any("2,048" in note and "4,096" in note for note in found.notes)

    def test_yarn_stretches_the_context(self, tmp_path: Path) -> None:
        rope = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}
        assert read_config(tmp_path, LLAMA | {"rope_scaling": rope}).context == 16384

    def test_a_scaling_without_original_positions_stretches_the_configured_ones(self, tmp_path: Path) -> None:
        rope = {"type": "linear", "factor": 4.0}
        found = read_config(tmp_path, LLAMA | {"rope_scaling": rope, "max_position_embeddings": 4096})
        assert found.context == 16384
        assert any("stretches 4,096 positions to 16,384" in note for note in found.notes)

    def test_yarn_that_is_counted_already_is_not_counted_twice(self, tmp_path: Path) -> None:
        rope = {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096}
        config = LLAMA | {"rope_scaling": rope, "max_position_embeddings": 163840}
        assert read_config(tmp_path, config).context == 163840

    def test_code_of_an_unknown_repository_needs_a_reason(self, tmp_path: Path) -> None:
        config = LLAMA | {"architectures": ["OddForCausalLM"], "auto_map": {"AutoModelForCausalLM": "odd.Odd"}}
        path = folder(tmp_path, config, model__safetensors=safetensors({"a": ("BF16", [10])}))
        notes = read_checkpoint(str(path)).notes
        assert any("trustRemoteCode" in note for note in notes)
        assert any("full attention in every layer" in note for note in notes)

    def test_the_license_is_that_of_the_model_card(self, tmp_path: Path) -> None:
        card = b"---\nlicense: other\nlicense_name: falcon-llm-license\ntags: [a]\n---\n# A model\n"
        assert read_checkpoint(str(folder(tmp_path, LLAMA, README__md=card))).license == "falcon-llm-license"


class TestWeightsInAFolder:
    def test_parameters_and_bytes_are_those_of_the_headers(self, tmp_path: Path) -> None:
        weights = safetensors({"a": ("BF16", [512, 256]), "b": ("F32", [3]), "scalar": ("F32", [])})
        found = read_checkpoint(str(folder(tmp_path / "Odd-1B", LLAMA, model__safetensors=weights)))
        assert found.weights.parameters == 512 * 256 + 3 + 1
        assert found.weights.bytes == {"BF16": 512 * 256 * 2, "F32": 16}
        assert found.source == str(tmp_path / "Odd-1B")
        assert found.revision is None
        assert found.provenance.confidence == ""

    def test_shards_are_added_up(self, tmp_path: Path) -> None:
        index = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
        path = folder(tmp_path, LLAMA, model__safetensors__index__json=index)
        (path / "model-1-of-2.safetensors").write_bytes(safetensors({"a": ("BF16", [10])}))
        (path / "model-2-of-2.safetensors").write_bytes(safetensors({"b": ("BF16", [5])}))
        assert read_checkpoint(str(path)).weights.parameters == 15

    def test_weights_that_do_not_belong_to_the_configuration_are_mentioned(self, tmp_path: Path) -> None:
        path = folder(tmp_path, LLAMA, model__safetensors=safetensors({"a": ("BF16", [10])}))
        assert any("belong together" in note for note in read_checkpoint(str(path)).notes)

    def test_packed_weights_keep_exact_bytes_and_get_computed_parameters(self, tmp_path: Path) -> None:
        config = LLAMA | {"quantization_config": {"quant_method": "gptq", "bits": 4}}
        weights = safetensors({"q.qweight": ("I32", [128, 8]), "q.scales": ("F16", [8]), "q.g_idx": ("I32", [8])})
        found = read_checkpoint(str(folder(tmp_path, config, model__safetensors=weights)))
        assert found.weights.bytes == {"I32": 128 * 8 * 4 + 32, "F16": 16}
        assert found.weights.parameters == LLAMA_PARAMETERS
        assert any("packed" in note for note in found.notes)

    def test_packed_weights_of_an_unknown_architecture_get_an_estimate(self, tmp_path: Path) -> None:
        config = LLAMA | {"architectures": ["Odd"], "quantization_config": {"quant_method": "gptq", "bits": 4}}
        weights = safetensors({"q.qweight": ("I32", [128, 8]), "q.scales": ("F16", [8])})
        found = read_checkpoint(str(folder(tmp_path, config, model__safetensors=weights)))
        assert found.weights.parameters == 128 * 8 * 8
        assert "estimated" in found.provenance.confidence

    def test_a_snapshot_of_the_hubs_cache_is_known_by_its_repository_and_commit(self, tmp_path: Path) -> None:
        path = folder(tmp_path / f"models--tiiuae--Falcon3-1B-Instruct/snapshots/{COMMIT}", LLAMA)
        found = read_checkpoint(str(path))
        assert (found.source, found.revision) == ("tiiuae/Falcon3-1B-Instruct", COMMIT)
        assert found.model_id == "falcon3-1b-instruct"

    def test_a_configuration_alone_is_named_after_the_model_that_it_mentions(self, tmp_path: Path) -> None:
        found = read_config(tmp_path / "Downloads", LLAMA | {"_name_or_path": "tiiuae/Falcon3-7B-Instruct"})
        assert (found.model_id, found.family) == ("falcon3-7b-instruct", "falcon3")
        assert any("set `source`" in note for note in found.notes)

    def test_its_entry_is_one_that_the_catalog_accepts(self, tmp_path: Path) -> None:
        found = read_checkpoint(str(folder(tmp_path / "Odd-1B", LLAMA)))
        assert CatalogModel.model_validate(found.entry()).needs.context == 4096
        assert CatalogModel.model_validate(found.entry(context=512, sequences=3)).needs.sequences == 3

    def test_a_relative_folder_wins_over_a_hub_repository_of_that_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder(tmp_path / "org/name")
        monkeypatch.chdir(tmp_path)
        assert read_checkpoint("org/name").source == str(tmp_path / "org/name")


class TestBadFolders:
    def test_nothing_at_that_path(self, tmp_path: Path) -> None:
        (tmp_path / "falcon").mkdir()
        error = refused(tmp_path / "falcn")
        assert error.what == "no such folder or file"
        assert "falcon" in error.fix

    @pytest.mark.parametrize("text", ["", '{"architectures": ["Llam', "[1, 2]", '"text"', "[" * 100_000])
    def test_a_half_written_configuration(self, tmp_path: Path, text: str) -> None:
        assert "config.json" in refused(folder(tmp_path, text)).where

    def test_a_binary_configuration(self, tmp_path: Path) -> None:
        assert "UTF-8" in refused(folder(tmp_path, None, config__json=b"\xff\xfe\x00")).what

    @pytest.mark.parametrize(
        "key",
        [
            "architectures",
            "hidden_size",
            "num_hidden_layers",
            "vocab_size",
            "num_attention_heads",
            "max_position_embeddings",
        ],
    )
    def test_a_configuration_without_a_key_names_the_key(self, tmp_path: Path, key: str) -> None:
        assert key in refused(folder(tmp_path, without(LLAMA, key))).what

    @pytest.mark.parametrize("value", ["many", -1, 0, True, 2.5, {}])
    def test_an_impossible_number_is_named(self, tmp_path: Path, value: object) -> None:
        assert "num_hidden_layers" in refused(folder(tmp_path, LLAMA | {"num_hidden_layers": value})).what

    def test_a_falcon_h1_without_its_state_names_the_key(self, tmp_path: Path) -> None:
        assert "mamba_d_state" in refused(folder(tmp_path, without(FALCON_H1, "mamba_d_state"))).what

    def test_gguf_alone(self, tmp_path: Path) -> None:
        assert "GGUF" in refused(folder(tmp_path, None, model__gguf=b"GGUF")).what

    def test_pickled_weights_alone(self, tmp_path: Path) -> None:
        error = refused(folder(tmp_path, LLAMA, pytorch_model__bin=b"..."))
        assert "safetensors" in error.what
        assert "config.json alone" in error.fix
        assert read_checkpoint(str(tmp_path / "config.json")).weights.parameters == LLAMA_PARAMETERS

    def test_an_adapter(self, tmp_path: Path) -> None:
        assert "LoRA" in refused(folder(tmp_path, None, adapter_config__json={})).what

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        assert "config.json" in refused(folder(tmp_path / "empty", None)).what

    def test_a_file_that_is_no_configuration(self, tmp_path: Path) -> None:
        assert "config.json" in refused(folder(tmp_path, LLAMA, model__txt=b"x") / "model.txt").what

    def test_a_missing_shard(self, tmp_path: Path) -> None:
        index = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
        path = folder(tmp_path, LLAMA, model__safetensors__index__json=index)
        (path / "model-1-of-2.safetensors").write_bytes(safetensors({"a": ("BF16", [10])}))
        assert "1 of 2 weight files are missing: model-2-of-2.safetensors" in refused(path).what

    def test_a_shard_elsewhere_is_not_opened(self, tmp_path: Path) -> None:
        (tmp_path / "other.safetensors").write_bytes(safetensors({"a": ("BF16", [10])}))
        index = {"weight_map": {"a": "../other.safetensors"}}
        assert "missing" in refused(folder(tmp_path / "m", LLAMA, model__safetensors__index__json=index)).what

    @pytest.mark.parametrize("kept", [0, 5, 8, 40])
    def test_a_cut_off_header(self, tmp_path: Path, kept: int) -> None:
        whole = safetensors({"a": ("BF16", [10])})
        assert "cut off" in refused(folder(tmp_path, LLAMA, model__safetensors=whole[:kept])).what

    def test_cut_off_weights(self, tmp_path: Path) -> None:
        whole = safetensors({"a": ("BF16", [1000])})
        error = refused(folder(tmp_path, LLAMA, model__safetensors=whole[:-1]))
        assert f"{len(whole) - 1:,} of {len(whole):,} bytes" in error.what

    def test_a_git_lfs_pointer(self, tmp_path: Path) -> None:
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
        assert "git lfs pull" in refused(folder(tmp_path, LLAMA, model__safetensors=pointer)).fix

    @pytest.mark.parametrize("header", [b"not json", b"[]", b'{"a": 1}', b'{"a": {"dtype": "F32"}}'])
    def test_a_header_that_says_something_else(self, tmp_path: Path, header: bytes) -> None:
        broken = struct.pack("<Q", len(header)) + header
        assert "no safetensors file" in refused(folder(tmp_path, LLAMA, model__safetensors=broken)).what

    def test_a_revision_of_a_folder(self, tmp_path: Path) -> None:
        assert "--revision" in refused(folder(tmp_path), revision="main").fix


@pytest.fixture
def hub_stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubStandIn]:
    pytest.importorskip("huggingface_hub")
    stand_in = HubStandIn()
    monkeypatch.setenv("HF_ENDPOINT", stand_in.address)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield stand_in
    stand_in.server.shutdown()
    stand_in.server.server_close()


def repository(config: Any = LLAMA, **files: bytes) -> Repository:
    held = {"config.json": json.dumps(config).encode(), **files}
    return Repository({name.replace("__", "."): content for name, content in held.items()})


class TestTheHub:
    def test_a_model_is_read_at_one_commit_without_its_weights(self, hub_stand_in: HubStandIn) -> None:
        weights = safetensors({"a": ("BF16", [8_000_000]), "b": ("F32", [2])})
        known = repository(model__safetensors=weights, tokenizer_config__json=b'{"model_max_length": 2048}')
        known.card = {"license": "apache-2.0"}
        hub_stand_in.repositories["tiiuae/Falcon3-7B-Instruct"] = known
        told: list[str] = []
        found = read_checkpoint("tiiuae/Falcon3-7B-Instruct", report=told.append)
        assert (found.source, found.revision, found.license) == ("tiiuae/Falcon3-7B-Instruct", COMMIT, "apache-2.0")
        assert found.weights.bytes == {"BF16": 16_000_000, "F32": 8}
        assert found.context == 2048
        assert hub_stand_in.sent < 200_000, "the weights themselves are not asked for"
        assert told == ["asking the hub for tiiuae/Falcon3-7B-Instruct", "reading the headers of 1 safetensors file"]

    def test_shards_are_added_up(self, hub_stand_in: HubStandIn) -> None:
        index = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
        known = repository(model__safetensors__index__json=json.dumps(index).encode())
        known.files["model-1-of-2.safetensors"] = safetensors({"a": ("BF16", [10])})
        known.files["model-2-of-2.safetensors"] = safetensors({"b": ("BF16", [5])})
        hub_stand_in.repositories["org/Name-7B"] = known
        assert read_checkpoint("org/Name-7B").weights.parameters == 15

    def test_the_address_of_its_page_will_do(self, hub_stand_in: HubStandIn) -> None:
        hub_stand_in.repositories["org/Name-7B"] = repository()
        assert read_checkpoint("https://huggingface.co/org/Name-7B/tree/main").source == "org/Name-7B"

    def test_a_branch_is_pinned_to_its_commit(self, hub_stand_in: HubStandIn) -> None:
        hub_stand_in.repositories["org/Name-7B"] = repository()
        assert read_checkpoint("org/Name-7B", revision="main").revision == COMMIT

    def test_an_unknown_revision(self, hub_stand_in: HubStandIn) -> None:
        hub_stand_in.repositories["org/Name-7B"] = repository()
        assert "'v9'" in refused("org/Name-7B", revision="v9").what

    def test_an_unknown_model(self, hub_stand_in: HubStandIn) -> None:
        assert "spelling" in refused("org/No-Such-7B").fix

    def test_a_gated_model_without_a_token(self, hub_stand_in: HubStandIn) -> None:
        hub_stand_in.repositories["org/Gated-7B"] = repository()
        hub_stand_in.repositories["org/Gated-7B"].gated = True
        error = refused("org/Gated-7B")
        assert "gated" in error.what
        assert "HF_TOKEN" in error.fix
        assert "/org/Gated-7B" in error.fix

    def test_a_gated_model_with_a_token(self, hub_stand_in: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        hub_stand_in.repositories["org/Gated-7B"] = repository()
        hub_stand_in.repositories["org/Gated-7B"].gated = True
        monkeypatch.setenv("HF_TOKEN", "hf_accepted")
        read = read_checkpoint("org/Gated-7B")
        assert any("existingSecret" in note for note in read.notes)
        assert read.entry()["gated"] is True
        monkeypatch.setenv("HF_TOKEN", "hf_another")
        assert "may not read it yet" in refused("org/Gated-7B").what

    def test_a_broken_header(self, hub_stand_in: HubStandIn) -> None:
        hub_stand_in.repositories["org/Name-7B"] = repository(model__safetensors=b"\xff" * 20)
        assert "header" in refused("org/Name-7B").what

    def test_gguf_alone(self, hub_stand_in: HubStandIn) -> None:
        hub_stand_in.repositories["org/Name-GGUF"] = Repository({"name-q4.gguf": b"GGUF"})
        assert "GGUF" in refused("org/Name-GGUF").what

    def test_no_network(self, hub_stand_in: HubStandIn) -> None:
        hub_stand_in.server.server_close()
        assert "without network" in refused("org/Name-7B").fix

    @pytest.mark.parametrize("reference", ["falcon", "", "org/na me", "org/--", "org/name..", "ör/näme", "-/-"])
    def test_a_bad_hub_id(self, reference: str) -> None:
        assert "hub id" in refused(reference).fix


@pytest.mark.parametrize(
    ("name", "model_id", "family"),
    [
        ("tiiuae/Falcon-H1-0.5B-Instruct", "falcon-h1-0.5b-instruct", "falcon-h1"),
        ("tiiuae/Falcon3-7B-Instruct", "falcon3-7b-instruct", "falcon3"),
        ("tiiuae/Falcon-H1-1.5B-Deep-Instruct", "falcon-h1-1.5b-deep-instruct", "falcon-h1"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b-instruct", "llama-3-1"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b-instruct-v0.1", "mixtral"),
        ("Qwen/Qwen3-30B-A3B", "qwen3-30b-a3b", "qwen3"),
        ("google/gemma-3n-E4B-it", "gemma-3n-e4b-it", "gemma-3n"),
        ("openai/gpt-oss-20b", "gpt-oss-20b", "gpt-oss"),
        ("HuggingFaceTB/SmolLM2_135M", "smollm2-135m", "smollm2"),
        ("microsoft/Phi-3-mini-4k-instruct", "phi-3-mini-4k-instruct", "phi-3-mini-4k-instruct"),
        ("/models/7B", "7b", "7b"),
        ("/models/__", "model", "model"),
        ("org/" + "x" * 90 + "-7B", "x" * 63, "x" * 40),
    ],
)
def test_a_model_is_called_by_its_name_and_its_family_by_the_name_up_to_the_size(
    name: str, model_id: str, family: str
) -> None:
    assert (suggest_model_id(name), suggest_family(name)) == (model_id, family)


def test_bytes_that_are_computed_are_those_of_what_modelopt_writes_beside_the_configuration(tmp_path: Path) -> None:
    said = {"quantization": {"quant_algo": "NVFP4", "group_size": 16, "exclude_modules": ["lm_head"]}}
    plain = read_checkpoint(str(folder(tmp_path / "plain", LLAMA))).weights
    quantized = read_checkpoint(str(folder(tmp_path / "quantized", LLAMA, hf_quant_config__json=said))).weights
    assert quantized.parameters == plain.parameters
    assert quantized.total_bytes < 0.6 * plain.total_bytes
    fp8 = {"quantization": {"quant_algo": "FP8", "exclude_modules": ["lm_head"]}}
    assert "F8_E4M3" in read_checkpoint(str(folder(tmp_path / "fp8", LLAMA, hf_quant_config__json=fp8))).weights.bytes


def test_what_modelopt_writes_beside_the_configuration_says_how_the_weights_are_quantized(tmp_path: Path) -> None:
    said = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4", "group_size": 16}}
    tensors = {"model.layers.0.mlp.up_proj.weight": ("U8", [64, 32])}
    checkpoint = read_checkpoint(
        str(folder(tmp_path, LLAMA, hf_quant_config__json=said, model__safetensors=safetensors(tensors)))
    )
    assert checkpoint.architecture.quantization_config == {
        "quant_method": "modelopt",
        "quant_algo": "NVFP4",
        "group_size": 16,
    }


class TestWhatIsNoFile:
    """A repository's folder may hold anything, and people may type anything."""

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer_config.json"])
    @pytest.mark.parametrize("kind", ["pipe", "device", "loop", "folder"])
    def test_in_the_place_of_a_file(self, tmp_path: Path, name: str, kind: str) -> None:
        path = folder(tmp_path, LLAMA, model__safetensors=safetensors({"a": ("BF16", [10])})) / name
        path.unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to("/dev/zero" if kind == "device" else path)
        assert str(path) in refused(tmp_path).where

    @pytest.mark.parametrize("kind", ["pipe", "device", "loop", "dangling"])
    def test_named_itself(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "config.json"
        if kind == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to({"device": "/dev/zero", "loop": path, "dangling": tmp_path / "gone"}[kind])
        assert refused(path).where == str(path)

    @pytest.mark.parametrize(
        "text", ["a\0b", "x" * 5000, "x/" * 5000, "~no-such-user/model", "./" + "y" * 300, "\ud800"]
    )
    def test_words_that_are_no_path(self, text: str) -> None:
        for read in (read_checkpoint, partial(read_model, dtype="auto")):
            with pytest.raises(UserError, match=r"no hub id|no such folder"):
                read(text)

    ALIASES = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))

    @pytest.mark.parametrize(
        "card",
        ["license: 2024-99-99", "license: 0b_", "license: " + "[" * 3000, "license: {a: b}", "license: [1]",
         ALIASES + "license: *a9",
         "license: " + "x" * 100_000, "license: !!python/name:os.system x", "- license"],
    )  # fmt: skip
    def test_a_card_that_says_no_license(self, tmp_path: Path, card: str) -> None:
        assert read_checkpoint(str(folder(tmp_path, LLAMA, README__md=f"---\n{card}\n---\n".encode()))).license is None


ODD = {
    "size of thousands of digits": ({"hidden_size": 0}, "`hidden_size` is null, or a number that no size has"),
    "architectures that are no list": (
        {"architectures": 5},
        "`architectures` is 5, not a list with the name of a class",
    ),
    "no architectures": ({"architectures": None}, "`architectures` is missing"),
    "bits below zero": (
        {
            "quantization_config": {
                "quant_method": "compressed-tensors",
                "config_groups": {"g": {"targets": ["Linear"], "weights": {"num_bits": -3, "type": "int"}}},
            }
        },
        "`quantization_config` cannot be read: -3 is not a whole number above 0",
    ),
}


@pytest.mark.parametrize(("changes", "message"), ODD.values(), ids=ODD)
def test_what_is_odd_in_a_configuration_is_said_as_it_is(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    text = json.dumps(LLAMA | changes | {"hidden_size": 256}).replace(
        '"hidden_size": 256', f'"hidden_size": {"9" * 5000 if "hidden_size" in changes else 256}'
    )
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError) as raised:
        read_checkpoint(str(tmp_path))
    assert message in str(raised.value)


def test_another_file_without_an_object_gets_no_advice_of_the_configurations(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    (tmp_path / "tokenizer_config.json").write_text("[]")
    with pytest.raises(UserError, match=r"tokenizer_config\.json: no JSON object") as raised:
        read_checkpoint(str(tmp_path))
    assert "architectures" not in str(raised.value)


ROBERTA = LLAMA | {"architectures": ["XLMRobertaForSequenceClassification"], "model_type": "xlm-roberta"}


def test_two_positions_of_a_roberta_are_no_tokens(tmp_path: Path) -> None:
    assert read_config(tmp_path, ROBERTA | {"max_position_embeddings": 514}).context == 512


def test_a_name_comes_from_the_hub_id_that_is_served_and_not_from_a_folders(tmp_path: Path) -> None:
    path = folder(tmp_path / "configs", LLAMA) / "config.json"
    assert read_checkpoint(str(path)).model_id == "configs"
    assert read_checkpoint(str(path), served_from="meta-llama/Llama-3.1-8B").model_id == "llama-3.1-8b"
    assert read_checkpoint(str(path), served_from="s3://bucket/models/8").model_id == "configs"


@pytest.mark.parametrize(("config", "told"), [(LLAMA, {"runner": "pooling"}), (ROBERTA, None)])
def test_a_sentence_transformer_of_a_generating_architecture_is_told_to_pool(
    tmp_path: Path, config: dict[str, Any], told: dict[str, str] | None
) -> None:
    (folder(tmp_path, config) / "modules.json").write_text("[]")
    assert read_checkpoint(str(tmp_path)).entry().get("llmConfig") == (told and {"engine_kwargs": told})
