"""vLLM behind an API of one's own: one Ray Serve deployment, its own prompt format, its own answers. A start to copy.

    POST <route>/answer   {"text": "Why is the sky blue?", "max_tokens": 64, "temperature": 0.7, "stream": false}

    200  {"text": "…", "finish": "stop", "tokens": {"prompt": 12, "generated": 20}, "seconds": 0.41}
    200  with "stream": true, server-sent events: `text` {"text": "…"} for each piece, then `end` with the rest
    4xx  {"error": {"status": 422, "field": "temperature", "message": "…"}}

`build` is the application's import path; its arguments are `Arguments`. The code is the same on GPUs and on CPUs: only
the engine's arguments differ. Written for vLLM 0.29 (Ray 2.60).
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator
from ray import serve
from ray.serve import Application
from starlette.exceptions import HTTPException
from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.exceptions import VLLMClientError
from vllm.outputs import RequestOutput
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

log = logging.getLogger("ray.serve")


# What goes in and out


class Arguments(BaseModel):
    """`args` of the application. An unknown one is an error."""

    model_config = ConfigDict(extra="forbid")

    model: str
    """A hub id, a folder, or whatever else vLLM loads from."""
    template: str = "{text}"
    """The prompt: what a request's text is put into. The model's special tokens are written as its tokenizer does."""
    engine: dict[str, Any] = {}
    """More of vLLM's engine arguments, by their names there."""

    @field_validator("template")
    @classmethod
    def _has_a_place_for_the_text(cls, template: str) -> str:
        if template.count("{text}") != 1:
            raise ValueError("it must contain {text} exactly once")
        return template

    @field_validator("engine")
    @classmethod
    def _is_known(cls, engine: dict[str, Any]) -> dict[str, Any]:
        known = {field.name for field in dataclasses.fields(AsyncEngineArgs)}
        unknown = sorted(engine.keys() - known)
        if unknown:
            raise ValueError(f"vLLM has no engine argument {', '.join(unknown)}")
        return engine


class Question(BaseModel):
    """The body of a request."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)] = 128
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    seed: int | None = None
    stream: bool = False


class Tokens(BaseModel):
    prompt: int
    generated: int


class End(BaseModel):
    """What is known when an answer has ended."""

    finish: str
    """vLLM's own word. `stop`: the model has ended it; `length`: it was cut off at max_tokens, or at the context."""
    tokens: Tokens
    seconds: float


class Answer(End):
    text: str


class BadRequest(Exception):
    """The request is at fault: a 4xx, with one message that says how."""

    def __init__(self, message: str, *, status: int = 422, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.field = status, field


api = FastAPI(title="Answers")


def _error(status: int, message: str, field: str | None = None) -> JSONResponse:
    return JSONResponse({"error": {"status": status, "field": field, "message": message}}, status_code=status)


@api.exception_handler(BadRequest)
async def _bad_request(_: Request, error: BadRequest) -> Response:
    return _error(error.status, str(error), error.field)


@api.exception_handler(RequestValidationError)
async def _not_a_question(_: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _error(400, f"the body is not JSON: {first.get('ctx', {}).get('error', first['msg'])}")
    field = ".".join(str(part) for part in first["loc"] if part != "body") or None
    return _error(422, first["msg"], field)


@api.exception_handler(HTTPException)
async def _no_such_page(_: Request, error: HTTPException) -> Response:
    return _error(error.status_code, str(error.detail))


@api.exception_handler(EngineDeadError)
async def _engine_is_gone(_: Request, __: EngineDeadError) -> Response:
    return _error(503, "the engine has ended; this replica is replaced")


def _end(outputs: list[RequestOutput], started: float) -> End:
    """What an answer came to, of all its outputs."""
    last = outputs[-1]
    return End(
        finish=last.outputs[0].finish_reason or "length",
        tokens=Tokens(
            prompt=len(last.prompt_token_ids or ()),
            generated=sum(len(output.outputs[0].token_ids) for output in outputs),
        ),
        seconds=round(time.monotonic() - started, 3),
    )


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


# The deployment


@serve.deployment(
    # Ray's own 5 would leave the engine little to batch. The generated values say what fits the engine at hand.
    max_ongoing_requests=80,
    # Answers under way may take this long to end when the replica is to stop.
    graceful_shutdown_timeout_s=60,
)
# Serve copies `api` here, with what the class's routes use by now: what they call is defined above.
@serve.ingress(api)
class VLLMDeployment:
    """One engine, one replica. Requests of all clients run together in the engine's batches.

    The event loop only waits: the engine computes in a process of its own, and is made and stopped in a thread, so that
    health checks are answered meanwhile.
    """

    async def __init__(self, arguments: Arguments) -> None:
        self._template = arguments.template
        started = time.monotonic()
        engine_arguments = AsyncEngineArgs(model=arguments.model, **arguments.engine)
        self._engine = await asyncio.to_thread(AsyncLLM.from_engine_args, engine_arguments)
        log.info("%s is loaded after %.1f s", arguments.model, time.monotonic() - started)

    async def check_health(self) -> None:
        """Ray asks every few seconds, and replaces a replica that raises."""
        await self._engine.check_health()

    async def __del__(self) -> None:
        if engine := getattr(self, "_engine", None):
            await asyncio.to_thread(engine.shutdown)

    @api.post("/answer", response_model=Answer)
    async def answer(self, question: Question) -> Response:
        started = time.monotonic()
        outputs = self._generate(question)
        # What the engine refuses, it refuses before the first output: then there still is a status to say it with.
        first = await anext(outputs)
        if question.stream:
            return StreamingResponse(self._events(first, outputs, started), media_type="text/event-stream")
        return JSONResponse({"text": first.outputs[0].text, **_end([first], started).model_dump()})

    async def _generate(self, question: Question) -> AsyncIterator[RequestOutput]:
        """The engine's outputs: one for each step of a stream, else the last one alone.

        A client that goes away cancels this, or leaves it to be closed; either ends the request in the engine too.
        """
        sampling = SamplingParams(
            max_tokens=question.max_tokens,
            temperature=question.temperature,
            seed=question.seed,
            output_kind=RequestOutputKind.DELTA if question.stream else RequestOutputKind.FINAL_ONLY,
        )
        prompt = self._template.replace("{text}", question.text)
        async with aclosing(self._engine.generate(prompt, sampling, uuid.uuid4().hex)) as outputs:
            try:
                async for output in outputs:
                    yield output
            except VLLMClientError as error:
                raise BadRequest(str(error), field="text") from error

    async def _events(
        self, first: RequestOutput, rest: AsyncIterator[RequestOutput], started: float
    ) -> AsyncIterator[str]:
        seen = [first]
        yield _event("text", {"text": first.outputs[0].text})
        try:
            async for output in rest:
                seen.append(output)
                yield _event("text", {"text": output.outputs[0].text})
            yield _event("end", _end(seen, started).model_dump())
        except EngineDeadError:
            # The status is said already, so the stream itself has to say that it is cut off.
            yield _event("error", {"status": 503, "field": None, "message": "the engine has ended"})


def build(args: dict[str, Any]) -> Application:
    """Ray Serve calls this with the application's `args`."""
    return VLLMDeployment.bind(Arguments.model_validate(args))
