"""`make bench-serving`: measures every variant of variants.yaml side by side, and writes table and plot into docs/.

python -m tools.bench_serving run     with the Python that has Ray and vLLM; a run that was stopped goes on
python -m tools.bench_serving report  with the Python of the tests: docs/performance.md and the plot, from the JSON
python -m tools.bench_serving profile with the former: whose code the CPU time of one process of a variant is
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from generator.cache import cache_folder
from generator.documents.files import write_files
from generator.errors import GeneratorError, UserError

from .rounds import compared, shared_out
from .variants import ROOT, Variant, variants

if TYPE_CHECKING:
    from .run import Run

RESULT = ROOT / "docs" / "serving-benchmark.json"
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "serving-benchmark.svg"
ROUNDS = 3


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except GeneratorError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    description = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m tools.bench_serving", description=description)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="measure, and write the result as JSON")
    run.set_defaults(command=_run)
    run.add_argument("--only", action="append", default=[], metavar="VARIANT", help="only this one (can be repeated)")
    run.add_argument(
        "--add", action="append", default=[], metavar="VARIANT",
        help="measure this one (can be repeated) with what is compared, as one more round of the last whole run",
    )  # fmt: skip
    run.add_argument("--quick", action="store_true", help="a few requests of each variant: does it still work?")
    run.add_argument(
        "--rounds", type=int, help=f"how often what is compared is measured (default: {ROUNDS} for a whole run, else 1)"
    )
    run.add_argument("--fresh", action="store_true", help="measure again what an unfinished run has measured")
    run.add_argument(
        "--output", type=Path, help="the JSON document; by default docs/serving-benchmark.json, for a whole run"
    )
    run.add_argument("--timeout", type=int, default=300, help="seconds that a variant may take to start")
    report = commands.add_parser("report", help="write the table and the plot from the JSON document")
    report.set_defaults(command=_report)
    report.add_argument("--input", type=Path, default=RESULT)
    report.add_argument("--page", type=Path, default=PAGE)
    report.add_argument("--plot", type=Path, default=PLOT)
    sampled = commands.add_parser("profile", help="whose code the CPU time of a process is, by py-spy")
    sampled.set_defaults(command=_profile)
    sampled.add_argument("variant", help="such as throughput")
    sampled.add_argument(
        "--role", action="append", help="the process, as in the table of CPU time (can be repeated; default: replica)"
    )
    sampled.add_argument("--py-spy", default="py-spy", metavar="PATH")
    sampled.add_argument("--timeout", type=int, default=300, help="seconds that the variant may take to start")
    return parser


def _report(options: argparse.Namespace) -> int:
    from .plot import plot
    from .report import with_block

    if not options.input.exists():
        print(f"{options.input} is not there yet: nothing to report")
        return 0
    result = json.loads(options.input.read_text())
    write_files({options.page: with_block(options.page.read_text(), result)})
    plot(result, options.plot)
    print(f"{options.page} and {options.plot} are written")
    return 0


def _profile(options: argparse.Namespace) -> int:
    from .profile import profile, stacks_of

    (variant,) = variants([options.variant])
    folder = cache_folder() / "bench-serving" / "profile"
    folder.mkdir(parents=True, exist_ok=True)
    roles = options.role or ["replica"]
    measured, found = profile(variant, roles, py_spy=options.py_spy, folder=folder, timeout_s=options.timeout)
    print(f"{variant.name}: {measured.requests_per_s:.0f} requests/s meanwhile")
    for role, samples in found.items():
        total = sum(samples.values())
        print(f"{role}, {total} samples (stacks, for a flame graph: {stacks_of(folder, variant, role)})")
        for package, count in samples.items():
            print(f"{count / total:6.1%}  {package}")
    return 0


def _run(options: argparse.Namespace) -> int:
    rounds = _rounds(options)
    from .run import Run, last_whole_run, measured, not_measured, write  # Only this command needs psutil.

    run = Run(rounds=rounds, is_whole=_is_whole(options), is_quick=options.quick, timeout_s=options.timeout)
    if options.fresh:
        run.forget()
    say = _sayer(time.monotonic())
    document = measured(run, after=last_whole_run(RESULT) if options.add else None, report=say)
    failed = not_measured(document["rounds"][-len(rounds) :])
    output = _output(options, run, failed)
    write(document, output)
    say(f"{output} is written")
    if failed:
        again = "; the same command measures only these rounds again" if run.is_whole else ""
        print(f"not measured: {', '.join(failed)}{again}", file=sys.stderr)
    elif run.is_whole:
        run.forget()  # It is complete.
    return 1 if failed else 0


def _output(options: argparse.Namespace, run: Run, failed: Sequence[str]) -> Path:
    """Where the document goes. A round that broke off is not added to those of the whole run."""
    part = run.folder / "result.json"
    if options.add and failed:
        return part
    default = RESULT if run.is_whole or options.add else part
    return Path(options.output or default)


def _is_whole(options: argparse.Namespace) -> bool:
    return not (options.only or options.add or options.quick)


def _rounds(options: argparse.Namespace) -> list[list[Variant]]:
    """A whole run's single settings are shared out among its rounds; those that are named are in each."""
    if options.add and (options.only or options.quick):
        raise UserError("--add adds whole measurements to the last whole run", fix="Leave --only and --quick out.")
    count = options.rounds if options.rounds is not None else (ROUNDS if _is_whole(options) else 1)
    if count < 1:
        raise UserError(f"{count} rounds measure nothing", where="--rounds", fix="Give 1 or more.")
    if options.only:
        return [variants(options.only)] * count
    if options.add:
        return [compared(variants()) + _single_settings(options.add)] * count
    return shared_out(variants(), count)


def _single_settings(names: Sequence[str]) -> list[Variant]:
    chosen = variants(names, where="--add")
    for variant in compared(chosen):
        raise UserError(f"{variant.name} is in every round", where="--add", fix="Name a single setting.")
    return chosen


def _sayer(started: float) -> Callable[[str], None]:
    def say(text: str) -> None:
        load = os.getloadavg()[0]
        print(f"{time.monotonic() - started:6.0f} s (load {load:4.1f})  {text}", flush=True)

    return say


if __name__ == "__main__":
    sys.exit(main())
