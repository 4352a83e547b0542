"""Where models go, what is refused, and what every plan holds whatever the fleet."""

from __future__ import annotations

from collections import Counter
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import UserError
from generator.facts.gpus import gpus
from generator.plan.packing import bins_needed
from generator.plan.plan import make_plan
from generator.values import replica_cpus, worker_group
from tests.support.builders import catalog, environment, falcon_h1, llama, model

L4 = {"gpu": "L4-24GB", "nodes": 10}
H100 = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": 2}
OWN_IMAGE = {"repository": "example.com/ray"}


def plan(models, pools, **fields):
    return make_plan("test", environment(pools, **fields), catalog(family=models), where="environments/test.yaml")


def test_a_small_model_takes_one_gpu_of_the_smallest_pool():
    place = plan({"m": model()}, {"big": H100, "small": L4}).models["m"].placement
    assert (place.node_pool.name, place.split.tensor, place.split.pipeline) == ("small", 1, 1)


def test_a_model_too_large_for_one_gpu_is_divided_within_a_node_before_over_nodes():
    big = model(llama(num_attention_heads=64, num_key_value_heads=8, head_dim=128, hidden_size=8192,
                      intermediate_size=28672, num_hidden_layers=80), billions=70.6)  # fmt: skip
    place = plan({"m": big}, {"small": {**L4, "nodes": 16}, "big": H100}).models["m"].placement
    assert (place.node_pool.name, place.split.tensor, place.split.pipeline) == ("big", 2, 1)


def test_a_model_that_one_node_cannot_hold_goes_over_nodes():
    place = plan({"m": model(llama(num_hidden_layers=40), billions=10.3)}, {"small": L4}).models["m"].placement
    assert (place.split.tensor, place.split.pipeline) == (1, 2)


def test_ray_2_49_1_is_never_asked_to_go_over_nodes():
    with pytest.raises(UserError, match="fits on no pool"):
        plan({"m": model(llama(num_hidden_layers=40), billions=10.3)}, {"small": L4}, ray="2.49.1")


def test_what_fits_nowhere_is_refused_with_the_gib_that_are_missing():
    with pytest.raises(UserError) as refused:
        plan({"m": model(billions=700)}, {"small": L4})
    assert "GiB too little for one request of 8,192 tokens" in str(refused.value)
    assert "add a pool with larger GPUs" in str(refused.value)


def test_a_context_that_does_not_fit_is_answered_with_the_longest_that_does():
    with pytest.raises(UserError, match=r"ask for a context of at most [\d,]+ tokens"):
        plan({"m": model(llama(max_position_embeddings=131072), context=131072)}, {"small": {**L4, "nodes": 1}})


def test_a_context_beyond_the_model_is_refused():
    with pytest.raises(UserError, match="knows 16,384"):
        plan({"m": model(falcon_h1(), billions=0.5)}, {"small": L4}, defaults={"context": 20000})


def test_a_pool_that_cannot_hold_its_models_at_the_least_is_refused():
    with pytest.raises(UserError, match="cannot hold its models at minimum: 3 worker pods"):
        plan({name: model() for name in "abc"}, {"small": {**L4, "nodes": 2}})


def test_a_full_pool_sends_the_next_model_to_a_larger_one():
    decided = plan({name: model() for name in "abc"}, {"small": {**L4, "nodes": 2}, "big": H100})
    assert sorted(m.placement.node_pool.name for m in decided.models.values()) == ["big", "small", "small"]


def test_models_that_may_sleep_share_a_pool_that_is_too_small_for_all():
    decided = plan(
        {name: model() for name in "abc"},
        {"small": {**L4, "nodes": 2}},
        defaults={"replicas": {"min": 0, "max": 1}},
    )
    assert decided.pools["small"].workers_min == 0
    assert any("at peak" in str(warning) for warning in decided.warnings)


def test_a_lone_replica_surges_only_where_the_pool_has_room_for_its_successor():
    assert plan({"m": model()}, {"small": {**L4, "nodes": 2}}).models["m"].surge
    tight = plan({"m": model()}, {"small": {**L4, "nodes": 1}}, chart={"serving": {"delivery": "inline"}})
    assert not tight.models["m"].surge
    assert any("no room for one more replica" in str(warning) for warning in tight.warnings)


def test_worker_pods_are_as_small_as_the_widest_model_allows():
    wide = model(llama(num_attention_heads=64, num_key_value_heads=8, head_dim=128, hidden_size=8192,
                       intermediate_size=28672, num_hidden_layers=80), billions=120)  # fmt: skip
    pool = plan({"wide": wide, "narrow": model()}, {"big": H100}).pools["big"]
    assert (pool.slots_per_worker, pool.workers_max) == (4, 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"serve": {"famly": {}}}, "did you mean 'family'"),
        ({"serve": {"family": {"models": {"n": {}}}}}, "unknown model 'n'"),
        ({"defaults": {"pool": "smal"}}, "did you mean 'small'"),
        ({"ray": "2.60.1"}, "did you mean '2.60.0'"),
        ({"pools": {"small": {"gpu": "L4-24G", "nodes": 1}}}, "did you mean 'L4-24GB'"),
    ],
    ids=["family", "model", "pool", "release", "gpu"],
)
def test_an_unknown_name_is_answered_with_the_nearest(changed, message):
    with pytest.raises(UserError, match=message):
        plan({"m": model()}, **{"pools": {"small": L4}, **changed})


@pytest.mark.parametrize(
    ("name", "engine", "dtype"),
    [
        ("LlamaForCausalLM", {}, "bfloat16"),
        ("XLMRobertaForSequenceClassification", {}, "float16"),
        ("LlamaForCausalLM", {"runner": "pooling"}, "float16"),
        ("LlamaForCausalLM", {"convert": "embed"}, "float16"),
        ("LlamaForCausalLM", {"dtype": "float32"}, "float32"),
    ],
)
def test_a_checkpoint_in_float32_is_served_in_what_vllm_would_take(name: str, engine: dict, dtype: str) -> None:
    stored = model(llama(name=name, torch_dtype="float32"))
    placed = plan({"m": stored}, {"big": H100}, defaults={"llmConfig": {"engine_kwargs": engine}}).models["m"].placement
    assert placed.shape.dtype == dtype


def test_two_models_of_one_deployments_name_are_refused_behind_one_route():
    twins = {"a": {"servedModelName": "org/Name-1.5"}, "b": {"servedModelName": "org/Name-1_5"}}
    fields = {"pools": {"small": L4}, "serve": {"family": {"models": twins}}}
    with pytest.raises(UserError, match="of which Ray makes one deployment's name"):
        plan({"a": model(), "b": model()}, **fields, chart={"serving": {"routing": "unified"}})
    plan({"a": model(), "b": model()}, **fields)


def test_arguments_of_the_environment_are_what_the_arithmetic_is_of():
    engine = {"dtype": "float32", "max_model_len": 1024, "gpu_memory_utilization": 0.5, "enforce_eager": True}
    placed = plan(
        {"m": model(falcon_h1(), billions=0.5)}, {"small": L4}, defaults={"llmConfig": {"engine_kwargs": engine}}
    ).models["m"].placement  # fmt: skip
    assert placed.shape.dtype == "float32"
    assert placed.shape.context == 1024
    assert placed.memory.usable_gib == pytest.approx(gpus()["L4-24GB"].memory_gib * 0.5)
    assert placed.memory.cuda_graph_gib == 0


architectures = st.builds(
    llama,
    num_hidden_layers=st.integers(2, 96),
    num_attention_heads=st.sampled_from([8, 12, 16, 32, 64]),
    num_key_value_heads=st.sampled_from([1, 2, 4, 8]),
) | st.builds(
    falcon_h1,
    num_hidden_layers=st.integers(2, 96),
    mamba_n_heads=st.sampled_from([24, 32]),
    mamba_n_groups=st.sampled_from([1, 2]),
    max_position_embeddings=st.just(32768),
)
fleets = st.lists(
    st.builds(
        model,
        architectures,
        billions=st.floats(0.2, 80),
        context=st.sampled_from([512, 4096, 32768]),
        sequences=st.integers(1, 512),
    ),
    min_size=1,
    max_size=6,
)
pools = st.fixed_dictionaries(
    {
        "gpu": st.sampled_from(sorted(gpus())),
        "gpusPerNode": st.sampled_from([1, 2, 3, 4, 8]),
        "nodes": st.integers(1, 6),
    }
) | st.fixed_dictionaries(
    {
        "nodes": st.integers(1, 6),
        "cpusPerNode": st.sampled_from([1, 2, 7.5]),
        "memoryPerNode": st.sampled_from(["8Gi", "64Gi", "24000M"]),
    }
)


@settings(max_examples=75)
@given(fleet=fleets, first=pools, second=pools)
def test_every_plan_holds_what_it_promises_or_is_refused(fleet, first, second):
    models = {f"m{i}": m for i, m in enumerate(fleet)}
    try:
        decided = plan(models, {"first": first, "second": second}, chart={"image": OWN_IMAGE})
    except UserError:
        return
    for one in decided.models.values():
        memory, split, shape = one.placement.memory, one.placement.split, one.placement.shape
        a = one.model.architecture
        assert memory.fits
        assert memory.weights_gib + memory.other_gib + memory.kv_gib == pytest.approx(memory.usable_gib)
        assert memory.usable_gib <= memory.total_gib
        assert shape.context == one.model.needs.context
        assert memory.longest_context >= shape.context
        assert 1 <= one.sequences <= one.model.needs.sequences
        assert a.num_attention_heads % split.tensor == 0
        assert split.tensor <= one.placement.node_pool.pool.gpusPerNode
        assert shape.batched_tokens >= one.sequences
        assert a.mamba_n_groups in (None, 1) or a.mamba_n_groups % split.tensor == 0
        assert split.gpus <= one.placement.node_pool.slots
        assert one.replicas.min <= one.replicas.max
    for pool in decided.pools.values():
        assert pool.workers_min <= pool.workers_max
        assert pool.node_pool.slots_per_node % pool.slots_per_worker == 0
        assert pool.workers_max * pool.slots_per_worker <= pool.node_pool.slots
        mine = [m for m in decided.models.values() if m.placement.node_pool.name == pool.name]
        assert sum(m.replicas.min * m.gpus for m in mine) <= pool.workers_min * pool.slots_per_worker
        share = pool.slots_per_worker / pool.node_pool.slots_per_node
        for m in mine:
            assert m.placement.split.tensor <= pool.slots_per_worker
            assert replica_cpus([m.placement]) <= pool.node_pool.cpus_per_node * share, "the first bundle fits no pod"


@settings(max_examples=40)
@given(fleet=fleets, pool=pools)
def test_the_same_fleet_is_planned_the_same_way_in_any_order_of_the_catalog(fleet, pool):
    models = {f"m{i}": m for i, m in enumerate(fleet)}
    backwards = dict(reversed(list(models.items())))
    try:
        one = plan(models, {"p": pool})
    except UserError:
        with pytest.raises(UserError):
            plan(backwards, {"p": pool})
        return
    other = plan(backwards, {"p": pool})
    assert {m: p.placement for m, p in one.models.items()} == {m: p.placement for m, p in other.models.items()}


@settings(max_examples=150)
@given(pieces=st.lists(st.sampled_from([1, 2, 4, 8]), max_size=40))
def test_packing_is_exact_where_sizes_divide_each_other(pieces):
    assert bins_needed(Counter(pieces), 8) == ceil(sum(pieces) / 8)


@settings(max_examples=150)
@given(pieces=st.lists(st.integers(1, 8), max_size=40))
def test_packing_is_never_too_few_and_never_far_too_many(pieces):
    bins = bins_needed(Counter(pieces), 8)
    least = max(ceil(sum(pieces) / 8), sum(piece > 4 for piece in pieces))
    assert least <= bins <= 2 * least


H1_34B = {"num_hidden_layers": 72, "num_attention_heads": 20, "num_key_value_heads": 4, "head_dim": 128,
          "mamba_d_ssm": 4096, "mamba_d_state": 256, "mamba_n_heads": 32, "mamba_d_head": 128, "mamba_n_groups": 2,
          "hidden_size": 5120, "intermediate_size": 21504, "vocab_size": 261120}  # fmt: skip


def test_a_stage_of_several_gpus_gets_pods_that_hold_it():
    decided = plan({"m": model(falcon_h1(**H1_34B), billions=33.6)}, {"small": {**L4, "gpusPerNode": 2}})
    split = decided.models["m"].placement.split
    assert (split.tensor, split.pipeline) == (2, 2)
    assert decided.pools["small"].slots_per_worker == 2


def test_two_groups_of_mamba_heads_are_never_divided_by_four():
    decided = plan({"m": model(falcon_h1(**H1_34B), billions=33.6)}, {"small": {**L4, "gpusPerNode": 8}})
    assert decided.models["m"].placement.split.tensor == 2


T4 = {"gpu": "T4-16GB", "nodes": 4, "gpusPerNode": 4}


def test_weights_go_to_no_gpu_that_cannot_multiply_them():
    small = model(llama(quantization_config={"quant_method": "mxfp4"}, torch_dtype="float16"), billions=1)
    with pytest.raises(UserError, match=r"mxfp4 weights need compute capability 8\.0; T4-16GB has 7\.5"):
        plan({"m": small}, {"old": T4}, defaults={"llmConfig": {"engine_kwargs": {"dtype": "float16"}}})


def test_what_vllm_would_not_start_is_refused_with_the_reason_and_not_for_memory():
    with pytest.raises(UserError, match=r"would not start model 'm' on any pool: config\.json tells"):
        plan({"m": model()}, {"big": H100}, defaults={"llmConfig": {"engine_kwargs": {"quantization": "awq"}}})


def test_a_context_is_stretched_by_hf_overrides():
    said = {"context": 65536, "llmConfig": {"engine_kwargs": {}}}
    with pytest.raises(UserError, match=r"context of 65,536 tokens and knows 32,768\n.*hf_overrides"):
        plan({"m": model()}, {"big": H100}, defaults=said)
    yarn = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32768}
    said["llmConfig"]["engine_kwargs"] = {"hf_overrides": {"rope_parameters": yarn}}
    assert plan({"m": model()}, {"big": H100}, defaults=said).models["m"].placement.shape.context == 65536


def test_an_amd_gpu_is_asked_for_by_its_own_name_and_said_to_be_unmeasured():
    decided = plan({"m": model()}, {"amd": {"gpu": "MI300X-192GB", "nodes": 1}}, chart={"image": OWN_IMAGE})
    (pool,) = decided.pools.values()
    assert worker_group(pool)["gpuResourceName"] == "amd.com/gpu"
    assert any("AMD's GPUs have no constants" in str(warning) for warning in decided.warnings)


@pytest.mark.parametrize(
    ("gpu", "chart", "told"),
    [
        ("MI300X-192GB", {}, r"pools\.p: .*is for NVIDIA's GPUs, and MI300X-192GB is amd.com/gpu\n.*vLLM and ROCm"),
        (
            "GH200-96GB",
            {},
            r"pools\.p: .*is for amd64, and hosts of GH200-96GB are arm64\n.*image of your own for arm64",
        ),
        (
            "L4-24GB",
            {"image": {"tag": "2.55.1-py312"}},
            r"chart\.image\.tag: .*:2\.55\.1-py312 is not known to have Ray",
        ),
    ],
)
def test_pools_that_cannot_run_the_image_of_the_release_are_refused(gpu, chart, told):
    pool = {"p": {"gpu": gpu, "nodes": 1}}
    with pytest.raises(UserError, match=told):
        plan({"m": model()}, pool, chart=chart)
    assert plan({"m": model()}, {"p": {**pool["p"], "workerGroup": {"image": OWN_IMAGE}}}).models


def test_an_image_of_ones_own_whose_tag_is_another_number_is_noted():
    decided = plan({"m": model()}, {"p": L4}, chart={"image": {**OWN_IMAGE, "tag": "2.55.1"}})
    assert "image tag 2.55.1 begins with another number than Ray 2.60.0" in "\n".join(map(str, decided.warnings))
    named = plan({"m": model()}, {"p": L4}, chart={"image": {**OWN_IMAGE, "tag": "team-7"}})
    assert "image tag" not in "\n".join(map(str, named.warnings))


def test_a_gpu_without_bfloat16_is_not_given_a_bfloat16_model():
    with pytest.raises(UserError, match="has no bfloat16"):
        plan({"m": model(billions=1)}, {"old": {"gpu": "T4-16GB", "nodes": 1}})
    place = plan({"m": model(billions=1)}, {"old": {"gpu": "T4-16GB", "nodes": 1}, "new": L4}).models["m"].placement
    assert place.node_pool.name == "new"


def test_fewer_sequences_than_users_need_are_told():
    decided = plan({"m": model(falcon_h1(**H1_34B), billions=33.6)}, {"big": {**H100, "gpu": "A100-80GB"}})
    assert decided.models["m"].sequences < 64
    assert any("sequences are asked for" in str(warning) for warning in decided.warnings)


@pytest.mark.parametrize(
    ("llm_config", "message"),
    [
        ({"placement_group_config": {"bundle_per_worker": {"GPU": 2}}}, "Say it as `pool`"),
        ({"deployment_config": {"autoscaling_config": {"min_replicas": 50}}}, "Say it as `replicas"),
        ({"engine_kwargs": {"data_parallel_size": 4}}, "is no mixture of experts"),
        ({"engine_kwargs": {"max_model_len": -1}}, "leaves the context to vLLM, and the plan decides it"),
        ({"engine_kwargs": {"max_model_len": -2}}, "max_model_len -2 is nothing to count with"),
        ({"engine_kwargs": {"kv_cache_memory_bytes": 10**8}}, "fits on no pool|is nothing"),
        (
            {"engine_kwargs": {"hf_overrides": {"rope_parameters": {"factor": 2}}}},
            "hf_overrides: how positions are scaled",
        ),
        ({"engine_kwargs": {"max_num_batched_tokens": 16}}, "less than its 64 sequences"),
        ({"engine_kwargs": {"gpu_memory_utilization": 1.0}}, "leaves nothing for the driver"),
        ({"engine_kwargs": {"tensor_parallel_size": 2}}, "tensor_parallel_size is 2, and a node has 1 GPU"),
        ({"engine_kwargs": {"pipeline_parallel_size": 20}}, "it can have 10 pipeline stages"),
        ({"engine_kwargs": {"max_num_seqs": 100000, "max_num_batched_tokens": 100000}}, "fits on no pool|is more than"),
        ({"deployment_config": {"ray_actor_options": {"num_cpus": 100}}}, "fits no worker pod"),
    ],
)
def test_words_of_the_environment_that_contradict_the_plan_are_refused(llm_config, message):
    with pytest.raises(UserError, match=message):
        plan({"m": model()}, {"small": L4}, defaults={"llmConfig": llm_config})


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ({"cpusPerNode": 4, "gpusPerNode": 8}, "a replica would have 0.5 CPUs"),
        ({"memoryPerNode": "500M"}, "GiB of memory, not enough"),
        ({"workerGroup": {"maxReplicas": 1}}, "workerGroup.maxReplicas is the plan's to decide"),
    ],
)
def test_a_pool_whose_nodes_cannot_hold_a_replica_is_refused(pool, message):
    with pytest.raises(UserError, match=message):
        plan({"m": model()}, {"small": {**L4, **pool}})


def test_vllms_other_names_of_a_dtype_are_understood():
    placed = plan({"m": model()}, {"small": L4}, defaults={"llmConfig": {"engine_kwargs": {"dtype": "half"}}})
    assert placed.models["m"].placement.shape.dtype == "float16"


def test_prompts_that_may_not_be_cut_fit_a_step_whole():
    whole = {"engine_kwargs": {"enable_chunked_prefill": False}}
    placed = plan({"m": model()}, {"small": L4}, defaults={"llmConfig": whole}).models["m"].placement
    assert placed.shape.batched_tokens >= placed.shape.context


def test_a_step_of_an_encoder_holds_a_whole_prompt():
    encoder = llama(name="ModernBertModel", model_type="modernbert", max_position_embeddings=8192)
    placed = plan({"m": model(encoder, billions=1, context=8192)}, {"small": L4}).models["m"].placement
    assert placed.shape.batched_tokens >= placed.shape.context == 8192


def test_the_cache_of_a_cpu_replica_is_whole_gib_that_hold_a_request():
    cpus = {"cpus": {"nodes": 1, "cpusPerNode": 1, "memoryPerNode": "24000M"}}
    try:
        memory = plan({"m": model(llama(num_hidden_layers=40), billions=10.3)}, cpus).models["m"].placement.memory
    except UserError as error:
        assert "fits on no pool" in str(error)
    else:
        assert memory.kv_gib == int(memory.kv_gib)
        assert memory.longest_context >= 8192


@pytest.mark.parametrize(
    ("engine", "changed"),
    [
        ({"kv_cache_dtype": "fp8"}, lambda memory: memory.layout.token_bytes),
        ({"quantization": "fp8"}, lambda memory: memory.weights_gib),
        ({"enable_lora": True, "max_loras": 8, "max_lora_rank": 64}, lambda memory: memory.weights_gib),
        ({"block_size": 32}, lambda memory: memory.layout.block_tokens),
        ({"speculative_config": {"model": "draft", "num_speculative_tokens": 3}}, lambda memory: memory.weights_gib),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_every_engine_argument_that_takes_memory_is_planned_with(engine, changed):
    models = {"m": model(), "draft": model(llama(num_hidden_layers=2), billions=0.5)}
    said = {"family": {"models": {"m": {"llmConfig": {"engine_kwargs": engine}}}}}
    found = [
        plan(models, {"big": H100}, serve=serve).models["m"].placement.memory for serve in (said, {"family": None})
    ]
    assert changed(found[0]) != changed(found[1])


def test_a_draft_that_the_catalog_does_not_know_is_refused():
    engine = {"speculative_config": {"model": "who/knows", "num_speculative_tokens": 3}}
    with pytest.raises(UserError, match=r"draft model 'who/knows'.*not in the catalog"):
        plan({"m": model()}, {"small": L4}, defaults={"llmConfig": {"engine_kwargs": engine}})


@pytest.mark.parametrize(
    ("word", "chart", "told"),
    [
        (
            {"middleware": ["a.B"]},
            {"serving": {"path": "standard"}},
            r"'middleware' would do nothing.*\(chart.serving.path",
        ),
        ({"port": 9000}, {}, "'port' is for the server of `vllm serve`"),
    ],
)
def test_words_of_a_front_end_that_does_not_answer_are_refused(word, chart, told):
    words = {"llmConfig": {"engine_kwargs": word}}
    with pytest.raises(UserError, match=told):
        plan({"m": model()}, {"p": L4}, chart=chart, defaults=words)
    middleware = {"llmConfig": {"engine_kwargs": {"middleware": ["a.B"]}}}
    assert plan({"m": model()}, {"p": L4}, defaults=middleware).models
