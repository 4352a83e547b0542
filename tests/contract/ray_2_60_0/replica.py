"""A replica of Ray's as far as it comes without an engine: its configuration, its arguments, its front end.

All is Ray's and vLLM's own code, for the tiny checkpoint on the CPU. What is not is `WithoutEngine`: there are neither
processes nor weights behind vLLM's front end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.update(VLLM_CPU_KVCACHE_SPACE="1", VLLM_LOGGING_LEVEL="ERROR", VLLM_CPU_OMP_THREADS_BIND="nobind")

from fastapi import FastAPI
from ray.llm._internal.serve.engines.vllm.vllm_engine import VLLMEngine
from ray.serve.llm import LLMConfig
from starlette.datastructures import State
from vllm.config import VllmConfig
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.openai.api_server import init_app_state
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.lora.request import LoRARequest
from vllm.renderers import renderer_from_config
from vllm.sampling_params import SamplingParams
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.input_processor import InputProcessor
from vllm.v1.worker.lora_model_runner_mixin import LoRAModelRunnerMixin

from generator.documents.merge import JsonObject, merged
from tools import tiny_checkpoints

MODEL = "m"
TASKS = ("generate",)
ON_CPU = {"accelerator_config": {"kind": "cpu"}, "engine_kwargs": {"max_model_len": 128}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def checkpoint(folder: Path) -> Path:
    """One that has learned nothing."""
    tokenizer = tiny_checkpoints.train_tokenizer([tiny_checkpoints.STORY], tiny_checkpoints.SPECIAL)
    tiny_checkpoints.save(tiny_checkpoints.llama(), tokenizer, folder, tiny_checkpoints.CHAT_TEMPLATE)
    return folder


class WithoutEngine(AsyncLLM):
    """What vLLM's front end asks of an engine before a request reaches it."""

    def __init__(self, config: VllmConfig) -> None:
        self.vllm_config = config
        self.model_config = config.model_config
        self.observability_config = config.observability_config
        self.renderer = renderer_from_config(config)
        self.input_processor = InputProcessor(config, self.renderer)
        self.scheduler_config = config.scheduler_config
        self._supported_tasks = TASKS
        self.output_handler = None  # as before its loop is started
        self.engine_core = SimpleNamespace(resources=SimpleNamespace(engine_dead=False))

    def __del__(self) -> None:
        """There is no process to end."""

    async def add_lora(self, lora_request: LoRARequest) -> bool:
        """As the workers do that have no slots; where there are, none reads the adapter."""
        return bool(self.vllm_config.lora_config) or LoRAModelRunnerMixin().add_lora(lora_request)


class Replica:
    """The steps of a start, in their order, each of which may fail; then requests."""

    def __init__(self, model_source: Path) -> None:
        self.model_source = str(model_source)
        self.state = State()

    def configuration(self, config: JsonObject) -> None:
        self.config = LLMConfig.model_validate(
            merged({"model_loading_config": {"model_id": MODEL, "model_source": self.model_source}}, config)
        )

    def arguments(self) -> None:
        AsyncEngineArgs(**self.config.get_engine_config().get_initialization_kwargs())

    def engine(self) -> None:
        self.ray_engine = VLLMEngine(self.config)

    def front_end(self, kind: type[argparse.Namespace] = argparse.Namespace) -> None:
        """As VLLMEngine.start makes it, which starts the engine in between."""
        engine, front_end, config = self.ray_engine._prepare_engine_config(None)
        self.args = kind(**(vars(front_end) | vars(engine)))
        self.client = WithoutEngine(config)
        asyncio.run(init_app_state(self.client, self.state, self.args, TASKS))

    def application(self) -> FastAPI:
        """What answers on the throughput path."""
        self.ray_engine._engine_client, self.ray_engine._vllm_args = self.client, self.args
        self.ray_engine._app_state = self.state
        return asyncio.run(self.ray_engine.build_asgi_app())

    def tools(self) -> None:
        """A request of which the model may call a tool, and one of which it must."""
        for choice in ("auto", "required"):
            asked = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "tools": [TOOL]}
            request = ChatCompletionRequest(**asked, tool_choice=choice)
            answer = asyncio.run(self.state.online_renderer.render_chat(request))
            if isinstance(answer, ErrorResponse):
                assert answer.error.code == 400
                raise ValueError(answer.error.message)

    def adapter(self) -> None:
        lora = LoRARequest(lora_name="pirate", lora_int_id=1, lora_path="/adapters/pirate")
        prompt = {"type": "token", "prompt_token_ids": [1, 2, 3]}
        self.client.input_processor.process_inputs("id", prompt, SamplingParams(), TASKS, lora_request=lora)


def what_stops(model_source: Path, config: JsonObject, last: str) -> tuple[str, str]:
    """Which step fails on the way to the last, and what it says; two empty texts where none does."""
    replica = Replica(model_source)
    start: dict[str, Any] = {"arguments": replica.arguments, "engine": replica.engine, "front end": replica.front_end}
    requests: dict[str, Any] = {"tools": replica.tools, "adapter": replica.adapter}
    if last == "front end" or last in requests:  # which would look for the GPU
        config = merged(ON_CPU, config)
    steps = {"configuration": lambda: replica.configuration(config)} | start
    names = [*steps, last] if last in requests else [*steps][: [*steps].index(last) + 1]
    for name in names:
        try:
            (steps | requests)[name]()
        except Exception as error:
            return name, str(error)
    return "", ""
