"""What `validate` says of values in which one thing excludes another."""

import pytest

from generator.errors import UserErrors
from generator.formats.check import check_document

LOADING = {"model_loading_config": {"model_source": "a/b"}}


def refusal(values: dict) -> str:
    with pytest.raises(UserErrors) as caught:
        check_document(values, "values", name="values.yaml")
    return str(caught.value)


def test_replicas_that_are_a_number_and_a_span() -> None:
    both = {"num_replicas": 1, "autoscaling_config": {}}
    message = refusal({"models": {"a": {"family": "a", "llmConfig": {**LOADING, "deployment_config": both}}}})
    assert "'deployment_config' has autoscaling_config and num_replicas, and one excludes the other" in message
    assert "Remove one of them" in message


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
