"""Replicas from load, and what they cost."""

from __future__ import annotations

from math import ceil, inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.cli.plan_report import plan_json, plan_lines
from generator.errors import UserError
from generator.facts.prices import prices
from generator.facts.roofline import roofline_factors
from generator.formats.environment import Expectation, ModelService
from generator.plan.plan import make_plan
from generator.plan.replicas import expected_load
from generator.plan.requirements import Asked, requirements_of
from generator.plan.roofline import peak_flops, speed
from generator.values import llm_config
from tests.support.builders import catalog, environment, llama, model

H100 = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": 4}
LOAD = {"requestsPerSecond": 20.0, "promptTokens": 1000, "outputTokens": 200}
SERVED = model()


def plan(expect=None, pools=None, served=SERVED, **fields):
    overrides = {"expect": {**LOAD, **(expect or {})}}
    made = environment(pools or {"p": H100}, defaults=overrides, **fields)
    return make_plan("test", made, catalog(family={"m": served}), where="environments/test.yaml")


def requirements(served=SERVED):
    return requirements_of(
        Asked("family", "m", None, ModelService()), catalog(family={"m": served}), vllm="0.29.0", where="test"
    )


def test_decoding_one_request_is_reading_the_weights_once_for_each_token():
    """Worked by hand: 7.456e9 x 2 bytes x 1.01 over 3350 GB/s x 0.72, one request's cache, and a step's overhead."""
    place = plan().models["m"].placement
    fast = speed(place, requirements())
    weights = 7.456e9 * 2 * 1.01 / (3350e9 * 0.72)
    cache = 1100 * 28 * 4 * 2 * 256 * 2 / (3350e9 * 0.72)
    assert fast.step(1, 1100) == pytest.approx(weights + cache + 0.0005 + 28 * 0.00002, rel=0.01)


def test_reading_a_prompt_is_two_operations_for_each_parameter_and_token_and_attention():
    """The layers' 28 x (3072 x (12 + 4 + 4 + 12) x 256 + 3 x 3072 x 23040); the head works for one token alone."""
    place = plan().models["m"].placement
    flops = peak_flops(place, requirements()) * roofline_factors().compute_share
    layers, head = 28 * (3072 * 32 * 256 + 3 * 3072 * 23040), 131072 * 3072
    by_hand = (2 * layers * 1000 + 2 * head + 4 * 12 * 256 * 28 * 1000 * 1000 / 2) / flops
    assert speed(place, requirements()).prefill(1000) == pytest.approx(by_hand + 0.0005 + 28 * 0.00002, rel=1e-6)


MIXTURE = {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768, "hidden_size": 2048}
MIXTURE |= {"name": "Qwen3MoeForCausalLM", "num_hidden_layers": 48, "num_attention_heads": 32, "head_dim": 128}


def test_a_token_passes_the_experts_it_picks_and_few_requests_read_few_of_them():
    """Qwen3-30B-A3B: 3.0 of its 30.5 billion parameters are multiplied, beside embedding and head."""
    mixture = model(llama(**MIXTURE), billions=30.5)
    place = plan(served=mixture).models["m"].placement
    fast, dense = speed(place, requirements(mixture)), speed(plan().models["m"].placement, requirements())
    layers = 48 * (2048 * (32 + 4 + 4 + 32) * 128 + 8 * 3 * 2048 * 768)
    flops = peak_flops(place, requirements(mixture)) * roofline_factors().compute_share * place.split.gpus
    assert fast.multiply_seconds == pytest.approx(2 * layers / flops, rel=0.001)
    assert fast.picked == 8 / 128
    one, many = fast.step(1, 1000), fast.step(64, 1000)
    assert one < many / 2  # all experts are read for many
    assert dense.picked == 1
    assert fast.weights_seconds < fast.experts_seconds / 5


@pytest.mark.parametrize(
    ("scheme", "type_of_flops"),
    [
        (None, "bf16"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "awq", "bits": 4}, "bf16"),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "fp8"),
        ({"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": {"num_bits": 8, "type": "int"},
          "input_activations": {"num_bits": 8, "type": "int"}}}}, "int8"),
        ({"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": {"num_bits": 4, "type": "int",
          "strategy": "group", "group_size": 128}}}}, "bf16"),
    ],
)  # fmt: skip
def test_weights_are_multiplied_in_the_type_that_activations_have(scheme, type_of_flops):
    served = model(llama(quantization_config=scheme))
    place = plan(served=served).models["m"].placement
    assert peak_flops(place, requirements(served)) == place.node_pool.gpu.tflops[type_of_flops] * 1e12


def test_attention_sees_no_further_than_its_window():
    windows = llama(name="MistralForCausalLM", sliding_window=1024)
    near, far = (speed(plan(served=one).models["m"].placement, requirements(one)) for one in (model(windows), SERVED))
    assert sum(each.prefill(1024) for each in near.attention) == pytest.approx(
        sum(each.prefill(1024) for each in far.attention)
    )
    assert sum(each.prefill(8192) for each in near.attention) < sum(each.prefill(8192) for each in far.attention) / 4


loads = st.builds(
    Expectation,
    requestsPerSecond=st.floats(0.01, 500),
    promptTokens=st.integers(1, 4000),
    outputTokens=st.integers(1, 4000),
    secondsPerToken=st.none() | st.floats(0.001, 1),
)
PLACE, REQUIREMENTS = plan().models["m"].placement, requirements()


@settings(max_examples=200)
@given(load=loads, sequences=st.integers(1, 512))
def test_replicas_serve_the_load_within_cache_sequences_and_latency(load, sequences):
    one = expected_load(PLACE, REQUIREMENTS, load, sequences)
    assert 1 <= one.requests_at_once <= sequences
    if one.requests_at_once > 1:
        assert one.requests_at_once * (load.promptTokens + load.outputTokens) <= PLACE.memory.kv_tokens
        assert one.tpot_s <= (load.secondsPerToken or inf)
    assert one.replicas.min * one.planned_per_second >= load.requestsPerSecond * (1 - 1e-9)
    assert one.replicas.max >= one.replicas.min >= 1
    assert 1 <= one.target_ongoing_requests <= one.requests_at_once
    # Little's law: those in the engine are those that come while one is there.
    there = one.requests_per_second * load.outputTokens * one.tpot_s
    assert there == pytest.approx(one.requests_at_once)


@settings(max_examples=100)
@given(load=loads)
def test_twice_the_load_never_takes_fewer_replicas(load):
    twice = load.model_copy(update={"requestsPerSecond": 2 * load.requestsPerSecond})
    one, two = (expected_load(PLACE, REQUIREMENTS, each, 64).replicas for each in (load, twice))
    assert one.min <= two.min <= 2 * one.min
    assert one.max <= two.max


def test_the_plan_takes_replicas_and_target_from_the_load():
    decided = plan({"peakRequestsPerSecond": 60.0})
    one = decided.models["m"]
    assert one.replicas.min == ceil(20 / one.load.planned_per_second)
    assert one.replicas.max == ceil(60 / one.load.planned_per_second)
    scaling = llm_config(one, decided)["deployment_config"]["autoscaling_config"]
    assert scaling["target_ongoing_requests"] == one.load.target_ongoing_requests


def test_the_pool_is_the_one_on_which_the_load_costs_least():
    """One H100 weighs more than three L4 and serves more than them."""
    decided = plan(
        {"requestsPerSecond": 100.0}, {"small": {"gpu": "L4-24GB", "nodes": 200}, "p": {**H100, "nodes": 20}}
    )
    assert decided.models["m"].node_pool.name == "p"
    assert (
        plan({"requestsPerSecond": 0.1}, {"small": {"gpu": "L4-24GB", "nodes": 200}, "p": H100})
        .models["m"]
        .node_pool.name
        == "small"
    )


def test_a_latency_that_one_gpu_does_not_keep_is_kept_by_several():
    slow = plan().models["m"]
    fast = plan({"secondsPerToken": 0.005}).models["m"]
    assert slow.placement.split.tensor == 1
    assert fast.placement.split.tensor > 1
    assert fast.load.tpot_s <= 0.005


def test_a_latency_that_nothing_keeps_is_told():
    assert any(
        "slower than `expect` asks" in str(warning)
        for warning in plan({"secondsPerToken": 0.0001, "requestsPerSecond": 1.0}).warnings
    )


def test_replicas_that_people_say_stay_and_are_held_against_the_load():
    decided = plan(serve={"family": {"replicas": {"min": 1, "max": 1}}}, expect={"requestsPerSecond": 200.0})
    assert decided.models["m"].replicas.max == 1
    assert any("`expect` would take" in str(warning) for warning in decided.warnings)


def test_a_narrower_expectation_takes_the_place_of_wider_replicas():
    made = environment({"p": H100}, defaults={"replicas": {"min": 3, "max": 3}}, serve={"family": {"expect": LOAD}})
    decided = make_plan("test", made, catalog(family={"m": SERVED}), where="environments/test.yaml")
    assert decided.models["m"].replicas == decided.models["m"].load.replicas


def test_of_cpus_no_speed_is_known_and_that_is_told():
    decided = plan(pools={"cpus": {"nodes": 1, "cpusPerNode": 2, "memoryPerNode": "64Gi"}})
    assert decided.models["m"].load is None
    assert any("nothing is known of the speed of CPU" in str(warning) for warning in decided.warnings)


def test_requests_longer_than_the_context_are_refused():
    with pytest.raises(UserError, match=r"requests of 9,000 tokens and a context of 8,192"):
        plan({"promptTokens": 8000, "outputTokens": 1000})


def test_a_peak_below_the_average_is_refused():
    with pytest.raises(ValueError, match="is less than"):
        plan({"peakRequestsPerSecond": 1.0})


def test_what_it_costs_is_worker_pods_times_price():
    decided = plan()
    pool, one = decided.pools["p"], decided.models["m"]
    price = prices().per_gpu_hour["H100-80GB"]
    said = plan_json(decided)
    assert said["cost_per_hour"]["minimum"] == pytest.approx(pool.workers_min * pool.slots_per_worker * price, abs=1e-3)
    each = one.gpus * price / 3600 / (one.load.planned_per_second * 1200) * 1e6
    assert said["models"]["m"]["load"]["price_per_million_tokens"] == pytest.approx(each, abs=1e-3)
    text = "\n".join(line for line, _ in plan_lines(decided))
    assert "list prices (AWS on demand" in text
    assert "72% of its bandwidth" in text


def test_prices_of_the_environment_win_and_decide_where_all_pools_have_one():
    small, large = {"gpu": "L4-24GB", "nodes": 4}, {**H100, "pricePerGpuHour": 1.0}
    by_memory = plan({"requestsPerSecond": 0.1}, {"small": small, "large": large})
    assert by_memory.models["m"].node_pool.name == "small"
    by_price = plan({"requestsPerSecond": 0.1}, {"small": {**small, "pricePerGpuHour": 3.0}, "large": large})
    assert by_price.models["m"].node_pool.name == "large"
    assert plan_json(by_price)["placement"]["unit"] == "USD"
    assert "your prices" in "\n".join(line for line, _ in plan_lines(by_price))


def test_without_a_price_no_cost_is_shown():
    decided = plan(pools={"p": {"gpu": "RTX4090-24GB", "nodes": 40}})
    assert plan_json(decided)["cost_per_hour"] is None
    assert "cost per hour" not in "\n".join(line for line, _ in plan_lines(decided))


def test_why_a_model_is_where_it_is_is_said():
    big = model(llama(num_attention_heads=64, num_key_value_heads=8, head_dim=128, hidden_size=8192,
                      intermediate_size=28672, num_hidden_layers=80), billions=70.6)  # fmt: skip
    made = environment({"small": {"gpu": "L4-24GB", "nodes": 2}, "single": {**H100, "gpusPerNode": 1}, "big": H100})
    decided = make_plan("test", made, catalog(family={"a": SERVED, "b": SERVED, "c": SERVED, "big": big}), where="e")
    whys = {name: one.why for name, one in decided.models.items()}
    assert whys["big"].startswith("the only pool that can hold it; fewer GPUs would lack")
    assert sorted(why.split(" ")[0] for name, why in whys.items() if name != "big") == ["small", "the", "the"]
    assert any(why.startswith("small would cost less for it alone, not for the fleet") for why in whys.values())


def scaling(decided, name="m"):
    deployment = llm_config(decided.models[name], decided)["deployment_config"]
    return deployment["autoscaling_config"]["target_ongoing_requests"], deployment["max_ongoing_requests"]


def test_a_replica_counts_as_full_with_the_requests_that_its_cache_holds():
    """Of 64 sequences and a context of 8,192 on an L4, as many requests of 4,096 tokens as vLLM would count."""
    pool = environment({"p": {"gpu": "L4-24GB", "nodes": 4}})
    decided = make_plan("test", pool, catalog(family={"m": SERVED}), where="environments/test.yaml")
    memory = decided.models["m"].placement.memory
    held = int(memory.layout.concurrency(memory.kv_bytes, 4096))
    assert 1 < held < 64
    assert scaling(decided) == (held * 4 // 5, 64 + held)
    assert llm_config(decided.models["m"], decided)["engine_kwargs"]["max_num_seqs"] == 64
    (note,) = decided.warnings
    assert f"m: its cache holds {held} requests of 4,096 tokens (half its context" in str(note)


def test_short_requests_that_are_expected_fill_all_sequences():
    short = {"requestsPerSecond": 1.0, "promptTokens": 200, "outputTokens": 50}
    decided = plan(short, {"p": {"gpu": "L4-24GB", "nodes": 4}})
    assert scaling(decided)[1] == 128
    assert not any("its cache holds" in str(note) for note in decided.warnings)


def test_a_context_that_the_unfavourable_end_of_the_sizes_does_not_hold_is_noted():
    def notes(context):
        pool = environment({"p": {"gpu": "L4-24GB", "nodes": 4}})
        served = catalog(family={"m": model(context=context)})
        decided = make_plan("test", pool, served, where="environments/test.yaml")
        memory = decided.models["m"].placement.memory
        return memory.surely_fits, [n for n in map(str, decided.warnings) if "unfavourable end" in n]

    for context in (8192, 16384, 24576, 32768):
        surely, told = notes(context)
        assert bool(told) != surely
    assert not notes(8192)[1]


@pytest.mark.parametrize(
    ("delivery", "told", "silent"),
    [
        (
            "configMap",
            "pool p: a changed model makes a new cluster beside the old one, which takes 1 H100-80GB more",
            "in-place",
        ),
        ("inline", "m: pool p has no room for one more replica, so an in-place update", "new cluster"),
    ],
)
def test_what_an_update_takes_is_said_of_the_way_that_it_goes(delivery, told, silent):
    made = environment({"p": {**H100, "gpusPerNode": 1, "nodes": 1}}, chart={"serving": {"delivery": delivery}})
    decided = make_plan("test", made, catalog(family={"m": SERVED}), where="environments/test.yaml")
    text = "\n".join(map(str, decided.warnings))
    assert told in text and silent not in text
