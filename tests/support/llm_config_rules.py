"""The smallest LLMConfig that breaks each rule of generator/data/llm_config_rules.yaml, and the same made good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from generator.documents.merge import merged
from generator.facts.llm_config_rules import LlmConfigRule, llm_config_rules
from generator.formats.llm_config_rules import broken_rules

RAY = "2.60.0"


@dataclass(frozen=True)
class Example:
    broken: dict[str, Any]
    mended: dict[str, Any]
    stops: Literal["configuration", "arguments", "engine", "front end", "tools", "adapter"]
    """What of a replica of Ray 2.60.0 fails: a step of its start, or a request."""
    says: str
    """Of Ray's or vLLM's words."""

    @property
    def rules(self) -> list[LlmConfigRule]:
        """Those that it breaks."""
        told = [(fault.path, fault.what) for fault in broken_rules(self.broken, RAY, whole=True)]
        return [
            rule
            for rule in llm_config_rules(RAY)
            if any(path == tuple(rule.at.split(".")) and what.endswith(f": {rule.why}") for path, what in told)
        ]


def names(example: Example) -> str:
    """For a test's id."""
    return ", ".join(f"{rule.at}: {rule.why}" for rule in example.rules)


def _connector(**words: Any) -> dict[str, Any]:
    return {"engine_kwargs": {"kv_transfer_config": {"kv_role": "kv_both", **words}}}


def _of_several(*connectors: str) -> dict[str, Any]:
    each = [{"kv_connector": name, "kv_role": "kv_both"} for name in connectors]
    more = {"kv_connector_extra_config": {"connectors": each}} if connectors else {}
    return _connector(kv_connector="MultiConnector", **more)


LOADED = {"engine_kwargs": {"lora_modules": [{"name": "pirate", "path": "/adapters/pirate"}]}}
BUCKET = {"lora_config": {"dynamic_lora_loading_path": "s3://a/b"}}
SLOTS = {"engine_kwargs": {"enable_lora": True}}

EXAMPLES = [
    Example(
        {"engine_kwargs": {"disable_log_stats": True}},
        {"engine_kwargs": {"disable_log_stats": True}, "log_engine_metrics": False},
        "configuration",
        "disable_log_stats cannot be set to True when log_engine_metrics is enabled",
    ),
    Example(
        {"engine_kwargs": {"distributed_executor_backend": "mp"}},
        {"engine_kwargs": {"distributed_executor_backend": "ray"}},
        "arguments",
        "distributed_executor_backend != 'ray' is not allowed",
    ),
    Example(
        {"accelerator_type": "L4", "accelerator_config": {"kind": "cpu"}},
        {"accelerator_type": "L4", "accelerator_config": {"kind": "gpu"}},
        "configuration",
        "cannot be used with CPU-only configurations",
    ),
    Example(
        {"accelerator_type": "TPU-V6E", "accelerator_config": {"kind": "gpu"}},
        {"accelerator_type": "TPU-V6E", "accelerator_config": {"kind": "tpu"}},
        "configuration",
        "requires a TPU backend",
    ),
    Example(
        {"accelerator_type": "L4", "accelerator_config": {"kind": "tpu"}},
        {"accelerator_type": "TPU-V6E", "accelerator_config": {"kind": "tpu"}},
        "configuration",
        "requires a GPU backend",
    ),
    Example(
        {"accelerator_config": {"kind": "tpu", "topology": "2x2"}},
        {"accelerator_config": {"kind": "tpu", "topology": "2x2"}, "accelerator_type": "TPU-V6E"},
        "configuration",
        "accelerator_type must be provided when specifying a TPU topology",
    ),
    Example(
        _connector(),
        _connector(kv_connector="OffloadingConnector"),
        "engine",
        "Connector type is not specified",
    ),
    Example(
        _of_several(),
        _of_several("OffloadingConnector"),
        "engine",
        "MultiConnector requires at least one sub-connector",
    ),
    Example(
        {"engine_kwargs": {"enable_auto_tool_choice": True}},
        {"engine_kwargs": {"enable_auto_tool_choice": True, "tool_call_parser": "hermes"}},
        "tools",
        'tool_choice="required" requires --tool-call-parser',
    ),
    Example(
        {"engine_kwargs": {"tool_call_parser": "hermes"}},
        {"engine_kwargs": {"enable_auto_tool_choice": True, "tool_call_parser": "hermes"}},
        "tools",
        '"auto" tool choice requires --enable-auto-tool-choice',
    ),
    Example(BUCKET, merged(BUCKET, SLOTS), "adapter", "LoRA is not enabled"),
    Example(LOADED, merged(LOADED, SLOTS), "front end", "LoRA is not enabled"),
]
