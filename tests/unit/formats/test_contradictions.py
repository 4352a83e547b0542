"""Values that are each right and contradict each other are told by `validate`, in values and environments alike."""

from __future__ import annotations

from typing import Any

import pytest

from generator.documents.load import Origin, dump_yaml
from generator.errors import UserErrors
from generator.formats.check import check_document
from tests.support.pod_rules import ENVIRONMENT


def told(path: str, value: Any, kind: str = "values") -> str:
    """All that is told of a file with the value at a path."""
    data = below(path, value) | (ENVIRONMENT if kind == "environment" else {})
    with pytest.raises(UserErrors) as raised:
        check_document(data, kind, Origin("file.yaml", dump_yaml(data)))
    return str(raised.value)


def below(path: str, value: Any) -> Any:
    for key in reversed(path.split("/")):
        value = {key: value}
    return value


SCALING = "serving/ingress/autoscaling_config"
ENGINE = "defaults/llmConfig/engine_kwargs"


@pytest.mark.parametrize(
    ("scaling", "words"),
    [
        ({"max_replicas": 10, "initial_replicas": 50}, "'initial_replicas' is 50, and 'max_replicas' beside it is 10"),
        ({"min_replicas": 3, "max_replicas": 2}, "'min_replicas' is 3, and 'max_replicas' beside it is 2"),
        ({"min_replicas": 3, "initial_replicas": 2}, "Raise initial_replicas, or lower min_replicas."),
    ],
)
def test_replicas_out_of_order(scaling: dict[str, int], words: str) -> None:
    assert words in told(SCALING, scaling)
    assert words in told(f"chart/{SCALING}", scaling, "environment")


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ({"max_num_seqs": 64, "max_num_batched_tokens": 32}, "'max_num_seqs' is 64"),
        ({"enable_eplb": True, "enable_expert_parallel": False}, "Set enable_expert_parallel to true"),
        ({"kv_cache_memory_bytes": -5}, "'kv_cache_memory_bytes' is -5"),
        ({"num_gpu_blocks_override": 0}, "Give 1 or more."),
    ],
)
def test_engine_arguments_that_vllm_refuses_together(engine: dict[str, Any], words: str) -> None:
    assert words in told(ENGINE, engine, "environment")


def test_what_is_not_there_is_not_compared() -> None:
    """Another file, or a default, may say it."""
    for scaling in ({"min_replicas": 3}, {"initial_replicas": 50}, {"min_replicas": 0, "initial_replicas": None}):
        check_document(below(SCALING, scaling), "values", Origin("file.yaml"))


def test_what_an_apps_own_code_takes_is_its_own() -> None:
    own = {"autoscaling_config": {"min_replicas": 3, "max_replicas": 2}}
    application = {"import_path": "a:b", "args": own, "deployments": [{"name": "A", "user_config": own}]}
    check_document(below("apps/own/application", application), "values", Origin("file.yaml"))
