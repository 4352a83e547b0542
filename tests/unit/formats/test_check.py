"""What `validate` says of values in which one thing excludes another."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from generator.documents.load import Origin
from generator.errors import UserErrors
from generator.formats.check import check_document
from generator.formats.json_schema import catalog_schema, chart_schema, environment_schema, values_schema

LOADING = {"model_loading_config": {"model_source": "a/b"}}


def refusal(values: dict) -> str:
    with pytest.raises(UserErrors) as caught:
        check_document(values, "values", Origin("values.yaml"))
    return str(caught.value)


def test_replicas_that_are_a_number_and_a_span() -> None:
    both = {"num_replicas": 1, "autoscaling_config": {}}
    message = refusal({"models": {"a": {"family": "a", "llmConfig": {**LOADING, "deployment_config": both}}}})
    assert "'deployment_config' has autoscaling_config and num_replicas, and one excludes the other" in message
    assert "Remove one of them" in message


@pytest.mark.parametrize(
    ("builder", "arguments", "message"),
    [
        (
            "build_openai_app",
            {"llm_configs": [{"engine_kwargs": {"max_modle_len": 1}}]},
            "did you mean 'max_model_len'?",
        ),
        ("build_dp_openai_app", {"llm_configs": []}, "unknown key 'llm_configs' for Ray 2.60.0"),
        ("build_pd_openai_app", {"prefill_config": "a.yaml"}, "'decode_config' is missing"),
    ],
)
def test_arguments_that_a_builder_of_rays_does_not_take(builder: str, arguments: dict, message: str) -> None:
    for colon in ":.":
        application = {"import_path": f"ray.serve.llm{colon}{builder}", "args": arguments}
        assert message in refusal({"apps": {"a": {"application": application}}})


@pytest.mark.parametrize("halves", [{}, {"prefill": {"llmConfig": LOADING}}])
def test_a_model_that_is_neither_whole_nor_both_halves(halves: dict) -> None:
    message = refusal({"models": {"a": {"family": "a", **halves}}})
    assert "one of: llmConfig, prefill and decode" in message


@pytest.mark.parametrize("name", ["Qwen:7b", "/models/qwen", "qwen/", "a#b", "a b", "n" * 129])
def test_a_name_for_clients_that_ray_cannot_carry(name: str) -> None:
    loading = {"model_loading_config": {"model_source": "a/b", "model_id": name}}
    message = refusal({"models": {"a": {"family": "a", "llmConfig": loading}}})
    assert "models.a.llmConfig.model_loading_config.model_id" in message
    assert "what clients name the model" in message or "128" in message


@pytest.mark.parametrize(
    ("ray", "argument", "misspelt", "meant"),
    [
        ("2.60.0", "tool_call_parser", "hermmes", "hermes"),
        ("2.60.0", "reasoning_parser", "qwen33", "qwen3"),
        ("2.49.1", "reasoning_parser", "granit", "granite"),
    ],
)
def test_a_parser_that_vllm_does_not_have(ray: str, argument: str, misspelt: str, meant: str) -> None:
    engine = {"llmConfig": {**LOADING, "engine_kwargs": {argument: misspelt}}}
    message = refusal({"ray": {"version": ray}, "models": {"a": {"family": "a", **engine}}})
    assert f"'{argument}' is '{misspelt}'" in message
    assert f"did you mean '{meant}'?" in message


def test_a_parser_of_a_later_vllm() -> None:
    engine = {"llmConfig": {**LOADING, "engine_kwargs": {"tool_call_parser": "glm45"}}}
    message = refusal({"ray": {"version": "2.49.1"}, "models": {"a": {"family": "a", **engine}}})
    assert "'tool_call_parser' is 'glm45'" in message


@pytest.mark.parametrize("port", [6379, 8080, 8265, 10001, 10002, 19999, 44217, 44227, 52365])
def test_a_port_of_ray(port: int) -> None:
    message = refusal({"serving": {"config": {"http_options": {"port": port}}}})
    assert f"values.yaml: serving.config.http_options.port: '{port}' is taken" in message
    assert "Ray itself has that port on the same pods. Choose another, or remove it for 8000" in message


@pytest.mark.parametrize("name", ["CPU", "GPU", "memory", "object_store_memory"])
def test_a_resource_of_rays_own(name: str) -> None:
    message = refusal({"workerGroups": {"a": {"rayResources": {name: 8}}}})
    assert f"workerGroups.a.rayResources: '{name}' is taken" in message
    assert "Ray counts it itself" in message


def test_a_line_end_behind_a_name() -> None:
    assert "has characters or a length that is not accepted" in refusal({"pods": {"env": {"FOO\n": "x"}}})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"workerGroups": {"Bad_Name": {}}}, "a name of small letters, digits and - (at most 40 characters"),
        ({"image": {"tag": "a b"}}, "empty, or a tag: letters, digits"),
        ({"pods": {"sharedMemory": "5q"}}, "bytes: a number with Ki, Mi, Gi"),
        ({"pods": {"env": {"1A": "x"}}}, "the name of a variable: letters, digits"),
        ({"apps": {"a": {"application": {"route_prefix": "a/"}}}}, "/ alone, or a route of letters"),
    ],
)
def test_what_a_text_must_be_is_said_in_words(values: dict, words: str) -> None:
    message = refusal(values)
    assert f"It must be {words}" in message
    assert "^" not in message


def below(node: Any) -> Iterator[Any]:
    yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from below(inner)


def test_every_pattern_is_said_in_words_that_its_example_keeps() -> None:
    said = {}
    for schema in (catalog_schema(), environment_schema(), values_schema()):
        for node in below(schema):
            if isinstance(node, dict) and isinstance(node.get("pattern"), str):
                said[node["pattern"]] = node["patternErrorMessage"]
    assert len(said) > 35
    for pattern, words in said.items():
        assert words.startswith("It must be ") and "that matches" not in words and "'" not in words
        example = re.search(r"such as (\S+?)[,;.]?(?: |$)", words)
        assert not example or re.search(pattern, example[1]), (pattern, words)
    assert "patternErrorMessage" not in str(chart_schema({}))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pods": {"env": {"A": 1}}}, "pods.env.A: 'A' is 1 and should be text or a mapping\n  Quote it."),
        ({"models": []}, "'models' is [] and should be a mapping\n  Give a mapping: `key: value`."),
        ({"modelCache": {"sizeLimit": 10}}, "'sizeLimit' is 10 and should be text\n  Quote it."),
        (
            {"pods": {"podSecurityContext": {"runAsUser": "root"}}},
            "'root' and should be a whole number\n  Give a whole",
        ),
        ({"networkPolicy": {"clients": [{}]}}, "'clients[0]' is empty\n  Give one of: podSelector"),
        ({"notSecrets": {"a": "b"}}, "'a' is too short: 1 of at least 10 characters"),
    ],
)
def test_a_value_of_another_type_is_told_in_words(values: dict, words: str) -> None:
    assert words in refusal(values)
