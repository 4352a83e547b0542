"""The command `fit`: does a model fit on a GPU, and what would make it fit."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from generator.cli.options import Count, examples, json_option, print_json
from generator.cli.printing import echo
from generator.errors import UserError

if TYPE_CHECKING:
    from generator.cli.fit_report import Case
    from generator.facts.gpus import Device
    from generator.sizing.engine.engine import Engine
    from generator.sizing.model import Model
    from generator.sizing.weights.divisions import Split

_OLDEST = (0, 8)
"""Of V1, the engine that is predicted here; from 0.10 on versions are told apart."""
_SPLITS = (1, 2, 4, 8)
_positive = Count()
_split = Count(most=1024)
"""GPUs of one group: `parallel_size` of generator/data/ray_bounds.yaml."""


class _Number(click.FloatRange):
    """A number above 0, which `nan` is for click, and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        return number if math.isfinite(number) else self.fail(f"{value} is no number to count with", param, ctx)


@click.command(
    epilog=examples(
        "fit Qwen/Qwen3-8B",
        "fit config.json --gpu H100-80GB --tp 2 --max-model-len 32768",
        "fit ./checkpoints/my-model --gpu-memory-gib 23.5 --kv-cache-dtype fp8 --json",
    )
)
@click.argument("reference", metavar="HUB-ID|FOLDER|CONFIG.JSON")
@click.option("--gpu", metavar="TYPE", help="A GPU type of `list gpus`; by default all of them, as a table.")
@click.option(
    "--gpu-memory-gib", type=_Number(min=0, min_open=True, max=10_000), help="Instead: a GPU's memory, as CUDA says."
)
@click.option(
    "--tp",
    "--tensor-parallel-size",
    "tp",
    type=_split,
    help="Tensor parallel size; by default 1, in the table 1, 2, 4 and 8.",
)
@click.option("--pp", "--pipeline-parallel-size", "pp", type=_split, default=1, help="Pipeline parallel size.")
@click.option(
    "--dp",
    "--data-parallel-size",
    "dp",
    type=_split,
    default=1,
    help="Data parallel size: ranks of so many GPUs each, which divide the experts of a mixture among them.",
)
@click.option("--max-model-len", type=_positive, help="Tokens of a request; by default the model's positions.")
@click.option("--max-num-seqs", type=_positive, help="By default vLLM's, which depends on GPU and version.")
@click.option("--max-num-batched-tokens", type=_positive, help="By default vLLM's, as above.")
@click.option(
    "--gpu-memory-utilization",
    type=_Number(min=0, max=1, min_open=True),
    help="By default vLLM's: 0.92, before 0.20.0 0.9.",
)
@click.option("--dtype", type=click.Choice(("auto", "bfloat16", "float16", "float32", "half", "float")), default="auto")
@click.option("--kv-cache-dtype", metavar="D", default="auto", help="Type of the cache, such as fp8.")
@click.option("--quantization", metavar="Q", help="What vLLM makes of unquantized weights while it loads, such as fp8.")
@click.option("--enable-expert-parallel", is_flag=True, help="Whole experts on each GPU, instead of a part of each.")
@click.option("--language-model-only", is_flag=True, help="Without the towers for images and sounds.")
@click.option("--block-size", type=_positive, help="Tokens of a cache block; by default vLLM's.")
@click.option(
    "--kv-cache-memory-bytes", type=_positive, help="Bytes of the cache on each GPU, instead of what is left."
)
@click.option("--num-gpu-blocks-override", type=_positive, help="Instead: its blocks.")
@click.option("--disable-hybrid-kv-cache-manager", is_flag=True, help="Windows are cached as if they saw all tokens.")
@click.option("--enable-prefix-caching/--no-enable-prefix-caching", default=None, help="By default vLLM's choice.")
@click.option(
    "--enable-chunked-prefill/--no-enable-chunked-prefill",
    default=None,
    help="Whether a step may hold a part of a prompt; by default it may, but an encoder's.",
)
@click.option("--mamba-ssm-cache-dtype", metavar="D", help="Type of Mamba state where it is not the model's.")
@click.option("--enable-lora", is_flag=True, help="Room for adapters: --max-loras of them at once.")
@click.option("--max-loras", type=_positive, help="By default 1.")
@click.option("--max-lora-rank", type=_positive, help="By default 16.")
@click.option(
    "--speculative-config",
    metavar="JSON",
    help="""A draft: '{"model": "<as above>", "num_speculative_tokens": 3}', or "method": "mtp".""",
)
@click.option(
    "--hf-overrides",
    metavar="JSON",
    help="""What vLLM sets in config.json: '{"rope_parameters": {"rope_type": "yarn", "rope_theta": 1000000, …}}'.""",
)
@click.option("--vllm", metavar="V", help="vLLM's version, from 0.8 on; by default the newest Ray release's.")
@click.option("--eager", "--enforce-eager", "enforce_eager", is_flag=True, help="No CUDA graphs.")
@click.option("--weights-bytes", type=_positive, help="Bytes of the whole model's files, where you know them (GGUF).")
@json_option
def fit(reference: str, as_json: bool, **given: Any) -> None:
    """Does a model fit on a GPU? Memory of each GPU, from the model's config.json alone, as vLLM divides it.

    With --gpu the arithmetic line by line, and what would make it fit; without, a table over GPU types and splits.
    Exit 0: it fits (in the table: somewhere), 1: it does not, 2: bad input.
    """
    from generator.checkpoint.model import read_model
    from generator.cli.fit_report import case_json, case_lines, table_lines
    from generator.sizing.engine.arguments import engine_of, overrides_of
    from generator.sizing.suggestions import changes
    from generator.sizing.weights.divisions import Split

    vllm, dtype = _version(given["vllm"]), given["dtype"]
    devices = _devices(given["gpu"], given["gpu_memory_gib"])
    model, source = read_model(
        reference,
        dtype=dtype,
        weights_bytes=given["weights_bytes"],
        quantization=given["quantization"],
        overrides=overrides_of(given, vllm=vllm, where="fit"),
        vllm=vllm,
        known=_known(reference),
    )
    # What is not an engine argument is not looked at there.
    engine = engine_of(
        given,
        model.config,
        vllm=vllm,
        where="fit",
        draft=lambda name: read_model(name, dtype=dtype)[0],
    )
    if len(devices) == 1:
        split = Split(tensor=given["tp"] or 1, pipeline=given["pp"], data=given["dp"])
        case = _case(model, devices[0], engine, split)
        suggestions = [] if case.memory.fits else changes(model, device=devices[0], split=case.split, engine=engine)
        if as_json:
            print_json({"version": 1, **case_json(case, suggestions)})
        else:
            echo("\n".join(case_lines(case, suggestions, source=source)))
        sys.exit(0 if case.memory.fits else 1)
    cases = list(_cases(model, devices, engine, given["tp"], Split(pipeline=given["pp"], data=given["dp"])))
    if as_json:
        print_json({"version": 1, "cases": [case_json(case) for case in cases]})
    else:
        echo("\n".join(table_lines(cases)))
        if not any(case.memory.fits for case in cases):
            for reason in dict.fromkeys(case.memory.refusal for case in cases if case.memory.refusal):
                echo(f"refused: {reason}")
        for note in dict.fromkeys(note for case in cases for note in case.notes):
            echo(f"note: {note}")
    sys.exit(0 if any(case.memory.fits for case in cases) else 1)


def _known(reference: str) -> dict[str, Any] | None:
    """The configuration of a library's model, which only a name without a path can be."""
    if "/" in reference or reference.startswith(".") or reference.endswith(".json") or os.path.lexists(reference):
        return None
    from generator.project.library import library_model

    found = library_model(reference.lower())
    return found.model.architecture.config_json() if found else None


def _version(asked: str | None) -> str:
    from generator.facts.files import version
    from generator.facts.releases import newest

    if asked is None:
        return newest().vllm
    if not re.match(r"v?\d+\.\d+", asked) or version(asked) < _OLDEST:
        raise UserError(
            f"'{asked}' is no vLLM version that is known here", where="--vllm", fix="Give 0.8.0 or a later one."
        )
    return asked


def _devices(name: str | None, memory_gib: float | None) -> list[Device]:
    from generator.facts.gpus import Device, gpu, gpus

    if name is not None and memory_gib is not None:
        raise UserError("both --gpu and --gpu-memory-gib", where="fit", fix="Give one of them.")
    if memory_gib is not None:
        # As the GPU types of that size are: those of 70 GiB and more have NVLink.
        return [Device(name=f"{memory_gib:g} GiB", memory_gib=memory_gib, nvlink=memory_gib >= 70, is_known=False)]
    return [gpu(name, where="--gpu")] if name is not None else list(gpus().values())


def _case(model: Model, device: Device, engine: Engine, split: Split) -> Case:
    from generator.cli.fit_report import Case
    from generator.sizing.fit import fit

    memory = fit(model, device=device, split=split, engine=engine)
    return Case.of(model, device, split, memory)


def _cases(model: Model, devices: list[Device], engine: Engine, tensor: int | None, split: Split) -> Iterator[Case]:
    """`split` has all sizes but `tensor`, of which all that can be are taken where None is given."""
    from generator.sizing.engine.refusals import split_refusal

    for device in devices:
        able = (n for n in _SPLITS if not split_refusal(model, n, engine, device, data=split.data))
        splits = [tensor] if tensor else list(able)
        for n in splits or [1]:
            if n == 1 or not device.mig:
                yield _case(model, device, engine, replace(split, tensor=n))
