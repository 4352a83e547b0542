"""`bench`: measure a server that runs somewhere, at several numbers of requests at a time."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from generator.bench.answer import read_answer
from generator.bench.load import Load, LoadClient, Measured, Target
from generator.cache import cache_folder
from generator.errors import UserError, cut
from generator.program import program
from generator.progress import Report

ROUNDS = 8
"""Requests of a point: so many for each that is under way, and at least LEAST."""
LEAST = 32
WARM_UP = 8


def served_models(url: str, *, timeout_s: float = 30) -> list[str]:
    """The ids that the server at `url` (ending in /v1) lists.

    Raises UserError when it is no OpenAI server, or does not give all of its list within `timeout_s`.
    """
    if not url.startswith(("http://", "https://")):
        raise UserError(f"'{url}' is no URL", where="--url", fix="Give the base of an OpenAI client: http://…/v1.")
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/models")
        if key := os.environ.get("OPENAI_API_KEY", "").strip():
            request.add_unredirected_header("Authorization", f"Bearer {key}")  # the key is for this server alone
        return ids_listed(read_answer(request, timeout_s=timeout_s))
    except urllib.error.HTTPError as error:
        fix = "Set OPENAI_API_KEY." if error.code in (401, 403) else "Give what an OpenAI client takes: http://…/v1."
        raise UserError(f"answers with status {error.code}", where=f"{url}/models", fix=fix) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"lists no models: {reason}", where=f"{url}/models", fix="Is it up, and is the path right (…/v1)?"
        ) from None


def ids_listed(body: bytes) -> list[str]:
    """The ids in an OpenAI server's list of models. Raises ValueError where it is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError(f"the answer is not JSON: {body[:60].decode(errors='replace')!r}") from None
    listed = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        raise ValueError("the answer has no list `data`")
    named = (model.get("id") if isinstance(model, dict) else None for model in listed)
    ids = [each for each in named if isinstance(each, str) and each and each.isprintable()]
    if len(ids) < len(listed):
        raise ValueError("an entry of the list has no `id` that prints")
    return ids


def target(url: str, model: str | None, tokenizer: str | None, sources: Mapping[str, str]) -> Target:
    """What to ask. A model that is not given is the only one there; its tokenizer is where `sources` says, by model."""
    served = served_models(url)
    if not served:
        raise UserError("serves no model", where=url, fix=f"`{program()} status` says what a release waits for.")
    if model is None and len(served) > 1:
        raise UserError(
            f"serves {len(served)} models", where=url, fix=f"Choose with --model: {cut(', '.join(served), 500)}."
        )
    if model is not None and model not in served:
        raise UserError.unknown("model", model, served, where="--model")
    chosen = model or served[0]
    chosen_tokenizer = tokenizer or sources.get(chosen)
    if chosen_tokenizer is None:
        raise UserError(
            f"the catalog does not know {chosen}, and prompts are made of its tokens",
            where="--tokenizer",
            fix="Give its hub id, or a folder with its tokenizer.",
        )
    return Target(url=url, model=chosen, tokenizer=chosen_tokenizer)


def loads(shape: Load, concurrencies: Sequence[int], *, requests: int | None = None) -> list[Load]:
    """A point for each number of requests at a time; every point has prompts of its own.

    Raises UserError where `requests`, of each point, are fewer than run at a time, and where prefixes are too many for
    them or have no tokens.
    """
    if shape.prefixes > 1 and not shape.prefix_tokens:
        raise UserError(f"{shape.prefixes} prefixes of 0 tokens", where="--prefixes", fix="Give --prefix-tokens too.")
    if requests is not None and requests < max(concurrencies):
        raise UserError(
            f"{requests} requests are fewer than the {max(concurrencies)} at a time",
            where="--requests",
            fix=f"Give {max(concurrencies)} or more.",
        )
    points = [
        replace(shape, concurrency=count, requests=requests or max(LEAST, ROUNDS * count), seed=number)
        for number, count in enumerate(concurrencies, 1)
    ]
    for point in points:
        if point.requests < shape.prefixes:
            raise UserError(
                f"{point.requests} requests have no {shape.prefixes} prefixes",
                where="--prefixes",
                fix=f"Give --requests {ROUNDS * shape.prefixes}, so that each comes {ROUNDS} times.",
            )
    return points


def bench(
    aim: Target, points: Sequence[Load], *, python: str, timeout_s: float, report: Report
) -> Iterator[tuple[Load, Measured]]:
    """Measure the points in their order, each within `timeout_s`. `python` must have vLLM.

    Raises UserError when no request of a point is answered.
    """
    log = cache_folder() / "bench.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    report("starting the load generator")
    with LoadClient(python, log=log, offline=Path(aim.tokenizer).is_dir()) as client:
        report(f"warming up: {WARM_UP} requests")
        client.measure(aim, replace(points[0], concurrency=WARM_UP, requests=WARM_UP, seed=0), timeout_s=timeout_s)
        for load in points:
            report(f"{load.name}: {load.requests} requests …")
            measured = client.measure(aim, load, timeout_s=timeout_s)
            if not measured.completed:
                why = " ".join(measured.errors) or "without a reason"
                raise UserError(
                    f"no request was answered: {why}", where=aim.url, fix=f"See {log} and the server's log."
                )
            yield load, measured
