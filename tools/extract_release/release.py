"""The installed release: the classes and functions of Ray and vLLM that decide what is accepted."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

# Before ray and vllm are imported: no token file in the home directory, no banner between the lines of a diff.
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

_OPENAI = "vllm.entrypoints.openai"


def first_of(*paths: str) -> Any:
    """The first of several `module:name` that exists: Ray and vLLM moved their modules between releases."""
    for path in paths:
        module, name = path.split(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise SystemExit(f"none of {', '.join(paths)} exists here: this Ray release moved it, add where to")


def optional(path: str) -> Any:
    """The `module:name`, or None where this release has it not."""
    try:
        return first_of(path)
    except SystemExit:
        return None


class Release:
    def __init__(self) -> None:
        llm = "ray.llm._internal.serve"
        config = (f"{llm}.core.configs.llm_config", f"{llm}.configs.server_models")
        self.llm_config = first_of(*(f"{m}:LLMConfig" for m in config))
        self.model_loading_config = first_of(*(f"{m}:ModelLoadingConfig" for m in config))
        self.lora_config = first_of(*(f"{m}:LoraConfig" for m in config))
        self.llm_engine = first_of(*(f"{m}:LLMEngine" for m in config))
        self.accelerator_type = first_of(f"{config[0]}:AcceleratorType", f"{config[1]}:GPUType")
        patterns = f"{llm}.serving_patterns"
        # What each builder of an OpenAI application takes.
        self.serving_args = (
            first_of(f"{llm}.core.ingress.builder:LLMServingArgs", f"{config[1]}:LLMServingArgs"),
            first_of(
                f"{patterns}.prefill_decode.builder:PDServingArgs",
                f"{llm}.deployments.prefill_decode_disagg.prefill_decode_disagg:PDServingArgs",
            ),
            optional(f"{patterns}.data_parallel.builder:DPOpenAiServingArgs"),
        )
        self.ingress_cls_config = optional(f"{llm}.core.ingress.builder:IngressClsConfig")
        self.placement_group_config = optional("ray.llm._internal.common.placement:PlacementGroupConfig")
        self.build_llm_deployment = first_of(
            f"{llm}.core.server.builder:build_llm_deployment",
            f"{llm}.builders.application_builders:build_llm_deployment",
        )
        self.engine_config = first_of(
            f"{llm}.engines.vllm.vllm_models:VLLMEngineConfig",
            f"{llm}.deployments.llm.vllm.vllm_models:VLLMEngineConfig",
        )
        self.engine_args = first_of("vllm.engine.arg_utils:AsyncEngineArgs")
        # The very class that Ray's check compares the names with, whatever module it sits in.
        self.frontend_args = getattr(sys.modules[self.engine_config.__module__], "FrontendArgs")  # noqa: B009
        api_server = f"{_OPENAI}.api_server"
        self.init_app_state, self.build_app = (
            first_of(f"{api_server}:{name}") for name in ("init_app_state", "build_app")
        )
        # The packages, so that all that they have registers itself.
        self.tool_parsers = first_of("vllm.tool_parsers:ToolParserManager", f"{_OPENAI}.tool_parsers:ToolParserManager")
        self.reasoning_parsers = first_of("vllm.reasoning:ReasoningParserManager")
        self.kv_connectors = first_of("vllm.distributed.kv_transfer.kv_connector.factory:KVConnectorFactory")
        self.ray_kv_connectors = optional(f"{llm}.deployments.llm.vllm.kv_transfer_backends:SUPPORTED_BACKENDS")
        self.is_remote_path = first_of("ray.llm._internal.common.utils.cloud_utils:is_remote_path")
        self.request_router = first_of("ray.serve._private.request_router:RequestRouter")
        self.llm_server = first_of(
            f"{llm}.core.protocol:LLMServerProtocol", f"{llm}.deployments.llm.llm_server:LLMServer"
        )
        self.llm_package = llm
        self.speculative_config = optional("vllm.config:SpeculativeConfig")
        self.deployment_decorator = first_of("ray.serve.api:deployment")
        self.deployment_class = first_of("ray.serve.deployment:Deployment")
        self.serve_deploy = first_of("ray.serve.schema:ServeDeploySchema")
        self.serve_application = first_of("ray.serve.schema:ServeApplicationSchema")
        self.deployment_schema = first_of("ray.serve.schema:DeploymentSchema")
        self.deployment_config = first_of("ray.serve._private.config:DeploymentConfig")
        self.autoscaling_config = first_of("ray.serve.config:AutoscalingConfig")
        self.request_router_config = first_of("ray.serve.config:RequestRouterConfig")
        self.autoscaling_policy = first_of("ray.serve.config:AutoscalingPolicy")
        self.logging_config = first_of("ray.serve.schema:LoggingConfig")
        self.runtime_env = first_of("ray.runtime_env:RuntimeEnv")
        self.log_record_attributes = first_of(
            "ray._common.logging_constants:LOGRECORD_STANDARD_ATTRS",
            "ray._private.ray_logging.constants:LOGRECORD_STANDARD_ATTRS",
        )

    def parsers(self) -> dict[str, list[str]]:
        """By engine argument, the names of parsers that vLLM itself has; it refuses another when the engine starts.

        Ray imports no plugin that would add one.
        """
        eager = {
            "tool_call_parser": (self.tool_parsers, "tool_parsers"),
            "reasoning_parser": (self.reasoning_parsers, "reasoning_parsers"),
        }
        return {
            # vLLM 0.10 registers all of them when its package is imported, and later ones know those not imported yet.
            argument: sorted({*getattr(manager, names), *getattr(manager, "lazy_parsers", ())})
            for argument, (manager, names) in eager.items()
        }

    def deployment_options(self) -> Callable[..., Any]:
        """What `deployment_config` is passed to as keywords: the decorator (2.60) or `Deployment.options` (2.49)."""
        source = inspect.getsource(self.build_llm_deployment)
        is_decorated = "serve.deployment(" in source
        options: Callable[..., Any] = self.deployment_decorator if is_decorated else self.deployment_class.options
        return options
