"""Data parallel ranks of one replica: a mixture's experts divided among them, and requests of its own for each."""

from __future__ import annotations

import pytest

from generator.errors import UserError
from generator.formats.environment import Environment
from generator.plan.plan import make_plan
from generator.project.library import library
from generator.values import family_values

H100 = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": 2, "memoryPerNode": "1500Gi"}
H200 = {**H100, "gpu": "H200-141GB"}
MIXTRAL = {"model": "mixtral-8x7b-instruct-v0.1", "family": "mixtral"}
CPUS = {"nodes": 2, "cpusPerNode": 4, "memoryPerNode": "512Gi"}


def plan(size, *, model="deepseek-v3", family="deepseek-v3", pools=None, ray="2.60.0", experts=True, **entry):
    words = {"data_parallel_size": size, "enable_expert_parallel": experts, **entry.pop("arguments", {})}
    said = {"sequences": 32, "context": 4096, "llmConfig": {"engine_kwargs": words}, **entry}
    environment = {"namespace": "ai", "ray": ray, "pools": pools or {"h200": H200}}
    environment["serve"] = {family: {"models": {model: said}}}
    return make_plan("test", Environment.model_validate(environment), library(), where="test.yaml")


def test_each_rank_has_requests_of_its_own_and_its_part_of_the_experts():
    many, few = (plan(size).models["deepseek-v3"] for size in (16, 8))
    assert (many.placement.split.data, many.placement.split.tensor, many.gpus) == (16, 1, 16)
    # 58 of 61 layers have 256 experts of 3 x 2048 x 7168 bytes: half as many on each of twice the GPUs.
    saved = few.placement.memory.weights_gib - many.placement.memory.weights_gib
    assert saved == pytest.approx(58 * (32 - 16) * 3 * 2048 * 7168 / 2**30, rel=0.02)
    config = family_values(plan(16), "deepseek-v3")["models"]["deepseek-v3"]["llmConfig"]
    assert config["engine_kwargs"].items() >= {"data_parallel_size": 16, "max_num_seqs": 32}.items()
    assert config["placement_group_config"] == {"bundle_per_worker": {"GPU": 1, "h200": 1}, "strategy": "PACK"}


def test_ranks_fill_worker_pods_of_whole_nodes():
    decided = plan(16, replicas={"min": 1, "max": 1})
    assert decided.pools["h200"].slots_per_worker == 8
    assert decided.pools["h200"].workers_min == 2


def test_experts_that_are_cut_are_cut_over_all_ranks():
    whole, cut = plan(8), plan(8, experts=False)
    sizes = [one.models["deepseek-v3"].placement.memory.weights_gib for one in (whole, cut)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)


def test_on_cpus_a_rank_is_a_worker():
    decided = plan(2, model="gpt-oss-20b", family="gpt-oss", pools={"cpus": CPUS}, sequences=1)
    assert decided.models["gpt-oss-20b"].placement.split.data == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "llama-3.1-8b-instruct", "family": "llama-3", "experts": False}, "is no mixture of experts"),
        (
            {"ray": "2.49.1", "model": "mixtral-8x7b-instruct-v0.1", "family": "mixtral"},
            "Ray 2.49.1 has no ranks that start and end together",
        ),
        ({"pools": {"a": H200, "b": H200}, "pool": ["a", "b"]}, "names several pools, on two of which its ranks"),
        ({"size": 32}, "data_parallel_size is 32, and its nodes have room for 16 ranks"),
        ({"arguments": {"tensor_parallel_size": 4}}, "data_parallel_size is 16, and its nodes have room for 4 ranks"),
        ({"experts": False, "size": 12}, "an expert's intermediate size .2,048. cannot be divided by 12"),
    ],
)
def test_what_has_no_ranks_is_refused(fields, message):
    with pytest.raises(UserError, match=message):
        plan(**{"size": 16, **fields})


def test_ranks_are_suggested_where_stages_would_repeat_latents():
    environment = {"namespace": "ai", "ray": "2.60.0", "pools": {"h100": H100}, "serve": {"deepseek-v3": None}}
    environment["serve"] = {"deepseek-v3": {"models": {"deepseek-v3": {"context": 4096, "sequences": 32}}}}
    decided = make_plan("test", Environment.model_validate(environment), library(), where="test.yaml")
    assert decided.models["deepseek-v3"].placement.split.pipeline == 2
    assert any("data_parallel_size: 16, enable_expert_parallel: true" in w.text for w in decided.warnings)
