"""The command that measures a server."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from generator.cli.options import Count, examples, json_option, print_json, project_of
from generator.cli.printing import echo, say
from generator.errors import GeneratorError

if TYPE_CHECKING:
    from generator.formats.output import BenchOutput


@click.command(
    epilog=examples(
        "bench --url http://127.0.0.1:8000/inference/falcon3-1b-instruct/v1",
        "bench --url https://llm.example.com/v1 --model my-model --tokenizer ./my-model --concurrency 16 --json",
    )
)
@click.option("--url", required=True, help="What an OpenAI client takes as its base; it ends in /v1.")
@click.option("--model", help="The model's id; by default the only one that the server lists.")
@click.option(
    "--tokenizer", metavar="HUB-ID|FOLDER", help="Its tokenizer; by default the catalog's source of the model."
)
@click.option(
    "--concurrency",
    "concurrencies",
    type=Count(),
    multiple=True,
    default=(1, 8, 32, 128),
    show_default=True,
    help="Requests at a time (can be repeated: a point for each).",
)
@click.option("--prompt-tokens", type=Count(), default=512, show_default=True, help="Of each prompt.")
@click.option("--answer-tokens", type=Count(), default=128, show_default=True, help="Of each answer, exactly.")
@click.option(
    "--prefix-tokens",
    type=Count(0),
    default=0,
    show_default=True,
    help="Before these, the same in every prompt, as a system prompt.",
)
@click.option(
    "--prefixes",
    type=Count(),
    default=1,
    show_default=True,
    help="So many different ones, each in as many prompts: what choosing a replica by prompt is for.",
)
@click.option(
    "--requests",
    type=Count(),
    show_default="8 for each at a time, and at least 32",
    help="Of each point.",
)
@click.option("--timeout", type=Count(), default=600, show_default=True, help="Seconds that a point may take.")
@click.option("--plain", is_flag=True, help="Answers in one piece; by default they are streamed.")
@click.option(
    "--python", default=sys.executable, show_default="this one", help="A Python that has vLLM; it makes the load."
)
@json_option
@click.pass_context
def bench(
    ctx: click.Context,
    /,
    url: str,
    model: str | None,
    tokenizer: str | None,
    concurrencies: tuple[int, ...],
    requests: int | None,
    timeout: int,
    plain: bool,
    python: str,
    as_json: bool,
    prefixes: int,
    **lengths: Any,
) -> None:
    """Measure a running server: requests/s, tokens/s, times to the first and between tokens, errors.

    The load is `vllm bench serve`'s, which takes processor time of its own: run it near the server but not on its
    cores. OPENAI_API_KEY is sent as the key where it is set. What was measured before a point that fails is printed.
    """
    from generator.bench.bench import bench as run
    from generator.bench.bench import loads, target
    from generator.bench.load import Load, Measured, table
    from generator.redaction import redact_shapes

    sources: dict[str, str] = {}
    if tokenizer is None:
        families = project_of(ctx).catalog().families.values()
        sources = {name: entry.source for family in families for name, entry in family.models.items()}
    aim = target(url, model, tokenizer, sources)
    shape = f"{lengths['prefix_tokens'] + lengths['prompt_tokens']} + {lengths['answer_tokens']} tokens"
    say(f"{aim.model} at {redact_shapes(url)}: {shape}, tokenizer {aim.tokenizer}")
    points = loads(Load(shape=shape, stream=not plain, prefixes=prefixes, **lengths), concurrencies, requests=requests)
    rows: list[tuple[Load, Measured]] = []
    failure = {}
    try:
        for load, measured in run(aim, points, python=python, timeout_s=timeout, report=say):
            say(f"{load.name}: {measured.requests_per_s:.1f} requests/s")
            rows.append((load, measured))
    except GeneratorError as error:
        failure = {"error": str(error)}
        raise
    finally:
        if rows and as_json:
            points_json = [{"load": asdict(load), **asdict(measured)} for load, measured in rows]
            document: BenchOutput = {
                "version": 1,
                "target": {**asdict(aim), "url": redact_shapes(url)},
                "points": points_json,
            }
            print_json({**document, **failure})
        elif rows:
            echo("\n".join(table(rows)))
