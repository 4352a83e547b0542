"""What models download to their nodes' disks, the most of it that one worker has at once, and what does not fit."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import UserError
from generator.formats.catalog import CatalogModel, Weights
from generator.plan.downloads import Download
from generator.plan.node_disk import most_at_once
from generator.plan.plan import Plan, make_plan
from tests.support.builders import catalog, environment, llama, model

GIB = 2**30
ALLOWANCE = 10
L4 = {"gpu": "L4-24GB", "nodes": 10}
CLAIM = {"type": "persistentVolumeClaim", "claimName": "models"}


def plan(models: dict[str, CatalogModel], pool: dict[str, Any] | None = None, **fields: Any) -> Plan:
    pools = fields.pop("pools", {"p": {**L4, **(pool or {})}})
    return make_plan("test", environment(pools, **fields), catalog(family=models), where="environments/test.yaml")


def of_gib(gib: float, source: str = "org/name") -> CatalogModel:
    """A model whose files are that large; on the GPU it is a small one."""
    return model(billions=1).model_copy(
        update={"source": source, "weights": Weights(parameters=10**9, bytes={"F32": int(gib * GIB)})}
    )


def asked(decided: Plan) -> int:
    return decided.pools["p"].disk_gib_per_worker


def llm_config(**engine: Any) -> dict[str, Any]:
    return {"llmConfig": {"engine_kwargs": engine}}


# What is downloaded to the node's disk


@pytest.mark.parametrize(
    ("source", "downloaded"),
    [
        ("org/name", True),
        ("gpt2", True),
        ("s3://bucket/folder/name", True),
        ("azure://account/name", True),
        ("/mnt/models/name", False),
        ("/home/ray/checkpoints/name", False),
        ("./checkpoints/name", False),
        ("checkpoints/org/name", False),
    ],
)
def test_a_hubs_model_and_a_buckets_are_downloaded_and_a_path_is_not(source: str, downloaded: bool) -> None:
    assert asked(plan({"m": of_gib(20, source)})) == (20 + ALLOWANCE if downloaded else 0)


@pytest.mark.parametrize(
    ("elsewhere", "downloaded"), [("checkpoints/name", False), ("/mnt/name", False), ("gs://bucket/name", True)]
)
def test_the_environments_own_source_is_a_folder_or_a_bucket(elsewhere: str, downloaded: bool) -> None:
    assert bool(asked(plan({"m": of_gib(20)}, defaults={"source": elsewhere}))) is downloaded


def test_rays_own_words_for_the_source_win() -> None:
    for source, gib in (("/mnt/name", 0), ("other/name", 30), ({"bucket_uri": "s3://bucket/name"}, 30)):
        loading = {"llmConfig": {"model_loading_config": {"model_source": source}}}
        assert asked(plan({"m": of_gib(20)}, defaults={"source": "/home/ray/name", **loading})) == gib


def test_weights_count_as_they_are_stored_and_not_as_they_are_loaded() -> None:
    """A checkpoint of float32 is served in 16 bits."""
    stored = of_gib(30)
    decided = plan({"m": stored})
    assert asked(decided) == 30 + ALLOWANCE
    assert decided.models["m"].placement.memory.weights_gib < 5


def test_a_bucket_that_is_streamed_into_the_gpu_takes_no_disk_and_a_hubs_model_does() -> None:
    streamed = llm_config(load_format="runai_streamer")
    assert asked(plan({"m": of_gib(20, "s3://bucket/name")}, defaults=streamed)) == 0
    assert asked(plan({"m": of_gib(20)}, defaults=streamed)) == 30


@pytest.mark.parametrize(
    ("chart", "group", "on_disk"),
    [
        ({}, {}, True),
        ({"modelCache": {"sizeLimit": "100Gi"}}, {}, True),
        ({"modelCache": CLAIM}, {}, False),
        ({"modelCache": {"type": "hostPath", "hostPath": "/mnt/models"}}, {}, False),
        # Another folder than the claim's, or another volume at it.
        ({"modelCache": CLAIM, "pods": {"env": {"HF_HOME": "/tmp/hub"}}}, {}, True),
        ({"modelCache": CLAIM}, {"env": {"HF_HUB_CACHE": "/scratch"}}, True),
        ({"pods": {"volumes": {"nfs": {"mountPath": "/mnt", "nfs": {}}}, "env": {"HF_HOME": "/mnt/hub"}}}, {}, False),
        ({}, {"volumes": {"model-cache": {"mountPath": "/home/ray/huggingface/", "csi": {}}}}, False),
        ({}, {"volumes": {"ram": {"mountPath": "/home/ray", "emptyDir": {"medium": "Memory"}}}}, True),
        ({}, {"volumes": {"ram": {"mountPath": "/home/ray/huggingface/hub", "emptyDir": {"medium": "Memory"}}}}, False),
    ],
)
def test_where_the_cache_lies_decides(chart: dict[str, Any], group: dict[str, Any], on_disk: bool) -> None:
    assert bool(asked(plan({"m": of_gib(20)}, {"workerGroup": group}, chart=chart))) is on_disk


def test_a_folder_of_ones_own_for_downloads_is_looked_up_among_the_volumes() -> None:
    own = llm_config(download_dir="/mnt/models")
    assert asked(plan({"m": of_gib(20)}, chart={"modelCache": CLAIM}, defaults=own)) == 30
    mounted = {"volumes": {"models": {"mountPath": "/mnt", "persistentVolumeClaim": {"claimName": "models"}}}}
    assert asked(plan({"m": of_gib(20)}, {"workerGroup": mounted}, defaults=own)) == 0


def test_a_draft_is_downloaded_beside_its_model() -> None:
    models = {"m": of_gib(20), "draft": of_gib(3, "org/draft")}
    drafting = llm_config(speculative_config={"model": "org/draft", "num_speculative_tokens": 3})
    decided = plan(models, serve={"family": {"models": {"m": drafting}}})
    assert asked(decided) == 23 + ALLOWANCE
    of_the_image = {"m": of_gib(20), "draft": of_gib(3, "/home/ray/draft")}
    drafting = llm_config(speculative_config={"model": "/home/ray/draft", "num_speculative_tokens": 3})
    assert asked(plan(of_the_image, serve={"family": {"models": {"m": drafting}}})) == 20 + ALLOWANCE


def test_adapters_of_a_bucket_lie_on_the_disk_wherever_the_model_is() -> None:
    lora = {
        "engine_kwargs": {"enable_lora": True, "max_loras": 2, "max_lora_rank": 64},
        "lora_config": {"dynamic_lora_loading_path": "s3://bucket/adapters", "max_num_adapters_per_replica": 8},
    }
    # Of each of 28 layers: qkv, o, gate and up, down. A matrix from a to b has 64 x (a + b) numbers of four bytes.
    pairs = 3 * 3072 + 3072 + 2 * 1024 + (3072 + 3072) + 2 * 3072 + 2 * 23040 + (23040 + 3072)
    decided = plan({"m": model().model_copy(update={"source": "/mnt/m"})}, defaults={"llmConfig": lora})
    (adapters,) = decided.models["m"].downloads
    assert adapters.bytes == 8 * 28 * 64 * pairs * 4
    named = llm_config(enable_lora=True, lora_modules=[{"name": "a", "path": "org/adapter"}, {"path": "/mnt/b"}])
    (adapter,) = plan({"m": of_gib(20, "/mnt/m")}, defaults=named).models["m"].downloads
    assert adapter.name == "org/adapter"


# The most that one worker has at once


def test_replicas_and_models_of_one_checkpoint_have_its_files_once() -> None:
    pool = {"pools": {"p": {"gpu": "L4-24GB", "gpusPerNode": 4, "nodes": 1}}}
    replicas = {"replicas": {"min": 4, "max": 4}}
    assert asked(plan({"m": of_gib(20)}, defaults=replicas, **pool)) == 30
    alike = {"a": of_gib(20), "b": of_gib(20)}
    assert asked(plan(alike, pools={"p": {"nodes": 1, "cpusPerNode": 4, "memoryPerNode": "160Gi"}})) == 30


def test_a_worker_of_one_gpu_has_the_largest_model_and_a_wider_one_what_fits_together() -> None:
    models = {name: of_gib(gib, f"org/{name}") for name, gib in (("a", 5), ("b", 7), ("c", 20))}
    assert asked(plan(models)) == 20 + ALLOWANCE
    cpus = {"nodes": 2, "cpusPerNode": 2, "memoryPerNode": "160Gi"}
    assert asked(plan(models, pools={"p": cpus})) == 27 + ALLOWANCE
    assert asked(plan(models, pools={"p": {**cpus, "cpusPerNode": 3}})) == 32 + ALLOWANCE


def test_models_that_share_a_gpu_share_its_pods_disk() -> None:
    models = {name: of_gib(4, f"org/{name}") for name in "abcdefghij"}
    decided = plan(models, {"share": True}, defaults={"gpuShare": 0.25})
    assert asked(decided) == 4 * 4 + ALLOWANCE


def test_every_stage_of_a_model_over_nodes_has_all_files() -> None:
    decided = plan({"m": model(llama(num_hidden_layers=40), billions=10.3)})
    assert decided.models["m"].placement.split.pipeline == 2
    assert asked(decided) == 30  # 10.3 billion of two bytes are 19.2 GiB


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 50)), max_size=7), st.integers(1, 8))
def test_no_worker_can_have_more(models: list[tuple[int, int]], units: int) -> None:
    pieces = {frozenset([Download(str(n), size)]): min(piece, units) for n, (piece, size) in enumerate(models)}
    together = (
        chosen
        for count in range(len(pieces) + 1)
        for chosen in combinations(pieces, count)
        if sum(pieces[one] for one in chosen) <= units
    )
    assert most_at_once(pieces, units) == max(sum(d.bytes for one in chosen for d in one) for chosen in together)


# What does not fit


def test_without_a_word_of_the_disk_nothing_is_refused() -> None:
    assert asked(plan({"m": of_gib(3000)})) == 3010


def test_files_that_no_node_can_hold_are_refused_with_what_would_do() -> None:
    with pytest.raises(UserError) as refused:
        plan({"m": of_gib(145)}, {"diskPerNode": "50Gi"})
    told = str(refused.value)
    assert "p: with its files a pod needs 155 GiB of disk, 10 of them for logs and kernels, and a node has 50" in told
    assert "`diskPerNode`" in told
    assert "modelCache" in told
    assert asked(plan({"m": of_gib(145)}, {"diskPerNode": "50Gi"}, chart={"modelCache": CLAIM})) == 0
    assert asked(plan({"m": of_gib(145)}, {"diskPerNode": "155Gi"})) == 155


def test_a_model_goes_where_its_files_have_room() -> None:
    pools = {"p": {**L4, "diskPerNode": "25Gi"}, "big": {"gpu": "H100-80GB", "nodes": 1, "diskPerNode": "1Ti"}}
    decided = plan({"m": of_gib(20)}, pools=pools)
    assert decided.models["m"].node_pool.name == "big"
    assert "its files are too large for the disks of p" in decided.models["m"].why
    assert asked(decided) == 0


def test_a_pool_that_memory_would_allow_says_that_its_disk_does_not() -> None:
    large = model(billions=30).model_copy(update={"needs": model(context=32768).needs})
    pools = {"p": {**L4, "nodes": 1}, "big": {"gpu": "H100-80GB", "nodes": 1, "diskPerNode": "60Gi"}}
    with pytest.raises(UserError, match=r"p \(1 x 1 L4-24GB\), big \(with its files a pod needs 66 GiB of disk"):
        plan({"m": large}, pools=pools)


def test_worker_pods_of_a_node_share_its_disk() -> None:
    pool = {"gpu": "L4-24GB", "gpusPerNode": 4, "nodes": 1, "diskPerNode": "100Gi"}
    all_there = {"replicas": {"min": 4, "max": 4}}
    with pytest.raises(UserError) as refused:
        plan({"m": of_gib(20)}, pools={"p": pool}, defaults=all_there)
    assert (
        "pool 'p': 4 worker pods are needed, and its nodes' disks of 100 GiB hold 3: each asks for 30 GiB, 10 of them "
        "for logs and kernels (GiB of files: m 20.0)" in str(refused.value)
    )
    assert asked(plan({"m": of_gib(20)}, pools={"p": {**pool, "diskPerNode": "120Gi"}}, defaults=all_there)) == 30


def test_a_disk_that_holds_the_minimum_and_not_the_peak_is_told() -> None:
    pool = {"gpu": "L4-24GB", "gpusPerNode": 4, "nodes": 1, "diskPerNode": "100Gi"}
    (warning,) = [one for one in plan({"m": of_gib(20)}, pools={"p": pool}).warnings if "disk" in one.text]
    assert "its nodes' disks of 100 GiB hold 3 of 4 worker pods, which ask for 30 GiB each; the rest waits" in str(
        warning
    )
    few = {"replicas": {"min": 1, "max": 3}}
    for pools, defaults in (({"p": pool}, few), ({"p": {**pool, "nodes": 2}}, {"replicas": {"min": 1, "max": 4}})):
        decided = plan({"m": of_gib(20)}, pools=pools, defaults=defaults)
        assert not [one for one in decided.warnings if "disk" in one.text]


def test_models_that_no_one_worker_can_have_together_are_refused_also_where_all_may_sleep() -> None:
    models = {name: of_gib(20, f"org/{name}") for name in "ab"}
    cpus = {"nodes": 2, "cpusPerNode": 2, "memoryPerNode": "160Gi", "diskPerNode": "40Gi"}
    with pytest.raises(UserError, match="1 worker pods are needed, and its nodes' disks of 40 GiB hold 0"):
        plan(models, pools={"p": cpus}, defaults={"replicas": {"min": 0, "max": 1}})


def test_what_replicas_leave_behind_is_told_where_it_would_fill_the_disk() -> None:
    models = {name: of_gib(20, f"org/{name}") for name in "abc"}
    (warning,) = [one for one in plan(models, {"diskPerNode": "50Gi"}).warnings if "disk" in one.text]
    assert "would take 70 GiB of its disk, which has 50" in str(warning)
    assert not [one for one in plan(models, {"diskPerNode": "70Gi"}).warnings if "disk" in one.text]
    assert not [one for one in plan(models).warnings if "disk" in one.text]
