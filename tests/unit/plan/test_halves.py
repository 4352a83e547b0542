"""Prefill and decode of a model in two deployments."""

from __future__ import annotations

import json

import pytest

from generator.cli.plan_report import plan_json, plan_lines
from generator.errors import UserError
from generator.formats.environment import Environment
from generator.formats.faults import parse_text
from generator.plan.plan import make_plan
from generator.values import family_values
from tests.support.builders import catalog, environment, falcon_h1, llama, model

L4 = {"gpu": "L4-24GB", "gpusPerNode": 4, "nodes": 2}
A10G = {"gpu": "A10G-24GB", "gpusPerNode": 4, "nodes": 2}
H100 = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": 2}
B200 = {"gpu": "B200-180GB", "gpusPerNode": 8, "nodes": 1}
AMD = {**H100, "gpu": "MI300X-192GB", "workerGroup": {"image": {"repository": "example.com/rocm"}}}
CPUS = {"nodes": 2, "cpusPerNode": 8, "memoryPerNode": "128Gi"}
LOAD = {"requestsPerSecond": 20.0, "promptTokens": 3000, "outputTokens": 300}
POOLS = {"l4": L4, "a10g": A10G, "h100": H100, "b200": B200, "amd": AMD, "cpus": CPUS}


def plan(entry, *, served=None, pools=("l4",), **fields):
    return make_plan(
        "test",
        environment({name: POOLS[name] for name in pools}, serve={"family": {"models": {"m": entry}}}, **fields),
        catalog(family={"m": served or model()}),
        where="environments/test.yaml",
    )


def halves(prefill=None, decode=None, **entry):
    return {**entry, "prefill": prefill or {}, "decode": decode or {}}


def engine(**arguments):
    return {"llmConfig": {"engine_kwargs": arguments}}


def configs(decided):
    written = family_values(decided, "family")["models"]["m"]
    assert written.keys() == {"family", "prefill", "decode"}
    return written["prefill"]["llmConfig"], written["decode"]["llmConfig"]


def notes(decided):
    return [warning.text for warning in decided.warnings if warning.is_of_model("m")]


def test_each_half_has_its_place_its_replicas_and_its_engine():
    one, two = {"min": 1, "max": 1}, {"min": 2, "max": 3}
    entry = halves({"pool": "l4", "replicas": two}, {"pool": "a10g", "replicas": one, "sequences": 16}, sequences=8)
    decided = plan(entry, pools=("l4", "a10g"))
    assert [(home.node_pool.name, home.least) for m in decided.models.values() for home in m.homes] == [
        ("l4", 2), ("a10g", 1)
    ]  # fmt: skip
    assert [decided.pools[name].workers_min for name in ("l4", "a10g")] == [2, 1]
    prefill, decode = configs(decided)
    assert [each["engine_kwargs"]["max_num_seqs"] for each in (prefill, decode)] == [8, 16]
    assert prefill["engine_kwargs"]["kv_transfer_config"] == {
        "kv_connector": "NixlConnector", "kv_role": "kv_producer"
    }  # fmt: skip
    assert decode["engine_kwargs"]["kv_transfer_config"]["kv_role"] == "kv_consumer"
    assert prefill["deployment_config"]["autoscaling_config"]["max_replicas"] == 3
    assert decode["placement_group_config"]["bundle_per_worker"] == {"GPU": 1, "a10g": 1}


def test_both_are_shown_in_words_and_as_json():
    decided = plan(halves())
    lines = [line for line, _ in plan_lines(decided)]
    assert [line.split("  ")[1] for line in lines[1:5:2]] == ["m (prefill)", "m (decode)"]
    shown = plan_json(decided)["models"]["m"]
    assert (shown["prefill"]["max_num_seqs"], shown["decode"]["pool"]) == (64, "l4")


def test_on_cpus_the_cache_goes_through_host_memory_and_the_image_must_have_nixl():
    decided = plan(halves(), served=model(billions=0.5), pools=("cpus",))
    for config in configs(decided):
        assert config["engine_kwargs"]["kv_transfer_config"]["kv_buffer_device"] == "cpu"
    assert "prefill: the image of its workers must have nixl and nixl-cu13, by which the cache is handed over" in notes(
        decided
    )


def test_recurrent_state_is_laid_out_as_it_can_be_handed_over():
    prefill, _ = configs(plan(halves(), served=model(falcon_h1(), billions=1)))
    assert prefill["runtime_env"]["env_vars"]["VLLM_SSM_CONV_STATE_LAYOUT"] == "DS"
    assert "runtime_env" not in configs(plan(halves()))[0]


@pytest.mark.parametrize(
    ("entry", "fields", "message"),
    [
        (halves(), {"ray": "2.49.1"}, "has prefill and decode, and for Ray 2.49.1 none can be written that work"),
        (
            halves(kvOffload={"memory": "8Gi"}),
            {},
            "has kvOffload, and prefill and decode: each names the one connector",
        ),
        (halves(engine(block_size=32)), {}, "block_size is 32 of prefill and not said of decode, and the cache is"),
        (
            halves(engine(pipeline_parallel_size=2)),
            {},
            r"model 'm \(prefill\)': NixlConnector hands over no cache of pipeline stages",
        ),
        (
            halves({"pool": "l4"}, {"pool": "cpus"}, context=1024, sequences=1),
            {"pools": ("l4", "cpus"), "served": model(billions=1)},
            r"prefill and decode are on L4-24GB \(l4\) and CPU \(cpus\), whose caches are laid out differently",
        ),
        (
            halves({"pool": "h100"}, {"pool": "amd"}),
            {"pools": ("h100", "amd")},
            "whose caches are laid out differently",
        ),
        (
            halves({"pool": "h100"}, {"pool": "b200"}),
            {"pools": ("h100", "b200")},
            r"another attention backend for each half \(FLASH_ATTN on H100-80GB, FLASHINFER on B200",
        ),
        (
            halves(engine(tensor_parallel_size=4), engine(tensor_parallel_size=1)),
            {"served": model(llama(num_key_value_heads=2))},
            "prefill repeats its 2 key-value heads over 4 GPUs, and decode, on 1, cannot take them together",
        ),
    ],
)
def test_what_cannot_be_handed_over_is_refused(entry, fields, message):
    with pytest.raises(UserError, match=message):
        plan(entry, **fields)


@pytest.mark.parametrize(
    "entry",
    [
        halves({"pool": "h100"}, {"pool": "b200"}, **engine(attention_backend="FLASHINFER")),
        halves(engine(tensor_parallel_size=1), engine(tensor_parallel_size=4), pool="h100"),
    ],
)
def test_what_both_halves_can_is_taken(entry):
    assert len(plan(entry, pools=("h100", "b200")).models) == 2


def served(entry):
    """An environment that has it, as text."""
    serve = {"f": {"models": {"m": entry}}}
    return json.dumps({"namespace": "a", "ray": "2.60.0", "pools": {"p": {"nodes": 1}}, "serve": serve})


def test_one_half_alone_is_refused():
    text = served({"prefill": {}})
    with pytest.raises(UserError, match="has prefill and no decode; a model has both halves or none"):
        parse_text(text, "environments/test.yaml", Environment)


def test_what_both_halves_have_is_said_once():
    text = served(halves({"expect": LOAD}))
    with pytest.raises(UserError, match="'prefill' has expect, said once for both halves: move it to the model itself"):
        parse_text(text, "environments/test.yaml", Environment)


def loads(entry, **expect):
    decided = plan({**entry, "expect": {**LOAD, **expect}}, pools=("h100",))
    return {model.half: model.load for model in decided.models.values()}


def test_of_an_expected_load_each_half_serves_its_part():
    """A replica that does both spends its time on both: the GPUs of halves add up to no more."""
    (whole,), parts = loads({}).values(), loads(halves())
    prefill, decode = parts["prefill"], parts["decode"]
    assert prefill.ttft_s == whole.ttft_s
    assert decode.tpot_s < whole.tpot_s
    assert min(prefill.planned_per_second, decode.planned_per_second) > whole.planned_per_second
    together = 1 / prefill.planned_per_second + 1 / decode.planned_per_second
    assert together == pytest.approx(1 / whole.planned_per_second, rel=0.1)
    assert prefill.target_ongoing_requests == 4


def test_each_half_is_held_against_its_own_latency():
    late = loads(halves(), firstTokenSeconds=0.001)
    assert [late[half].in_time for half in ("prefill", "decode")] == [False, True]
    slow = loads(halves(replicas={"min": 1, "max": 1}), secondsPerToken=0.0001)
    assert [slow[half].in_time for half in ("prefill", "decode")] == [True, False]
    told = notes(plan({**halves(), "expect": {**LOAD, "firstTokenSeconds": 0.001}}, pools=("h100",)))
    assert any("prefill: slower than `expect` asks on every pool: a prompt read in" in each for each in told)


def test_the_plan_says_what_a_replica_of_each_half_serves():
    decided = plan({**halves(), "expect": LOAD}, pools=("h100",))
    lines = "\n".join(text for text, _ in plan_lines(decided))
    assert "requests/s, 5 at once; a prompt read in" in lines
    assert "at once; each token in" in lines
    parts = plan_json(decided)["models"]["m"]
    assert parts["prefill"]["load"]["tpot_s"] == 0
    written = [each["deployment_config"]["autoscaling_config"] for each in configs(decided)]
    assert [each["min_replicas"] for each in written] == [m.load.replicas.min for m in decided.models.values()]
