"""`make bench-serving`: measures every variant of variants.yaml side by side, and writes table and plot into docs/.

python -m tools.bench_serving run     with the Python that has Ray and vLLM; a run that was stopped goes on
python -m tools.bench_serving report  with the Python of the tests: docs/performance.md and the plot, from the JSON
python -m tools.bench_serving profile with the former: whose code the CPU time of one process of a variant is
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from generator.documents import write_files
from generator.errors import UserError
from generator.helm import cache_folder
from generator.load import LoadClient

from .variants import ROOT, variants

RESULT = ROOT / "docs" / "serving-benchmark.json"
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "serving-benchmark.svg"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench_serving", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure, and write the result as JSON")
    run.add_argument("--only", action="append", default=[], metavar="VARIANT", help="only this one (can be repeated)")
    run.add_argument("--quick", action="store_true", help="a few requests of each variant: does it still work?")
    run.add_argument("--fresh", action="store_true", help="measure again what an unfinished run has measured")
    run.add_argument(
        "--output", type=Path, help="the JSON document; by default docs/serving-benchmark.json, for a whole run"
    )
    run.add_argument("--timeout", type=int, default=300, help="seconds that a variant may take to start")
    report = commands.add_parser("report", help="write the table and the plot from the JSON document")
    report.add_argument("--input", type=Path, default=RESULT)
    report.add_argument("--page", type=Path, default=PAGE)
    report.add_argument("--plot", type=Path, default=PLOT)
    sampled = commands.add_parser("profile", help="whose code the CPU time of a process is, by py-spy")
    sampled.add_argument("variant", help="such as throughput")
    sampled.add_argument(
        "--role", default="replica", help="the process, as in the table of CPU time (default: replica)"
    )
    sampled.add_argument("--py-spy", default="py-spy", metavar="PATH")
    sampled.add_argument("--timeout", type=int, default=300, help="seconds that the variant may take to start")
    options = parser.parse_args(arguments)
    try:
        if options.command == "profile":
            return _profile(options)
        if options.command == "report":
            return _report(options)
        return _run(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


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
    from .profile import profile

    (variant,) = variants([options.variant])
    log = cache_folder() / "bench-serving" / f"profile-{variant.name}-{options.role}.log".replace(" ", "-")
    log.parent.mkdir(parents=True, exist_ok=True)
    measured, samples = profile(variant, options.role, py_spy=options.py_spy, log=log, timeout_s=options.timeout)
    total = sum(samples.values())
    print(f"{variant.name}, {options.role}: {measured.requests_per_s:.0f} requests/s meanwhile, {total} samples")
    for package, count in samples.items():
        print(f"{count / total:6.1%}  {package}")
    print(f"stacks, for a flame graph: {log.with_suffix('.stacks')}")
    return 0


def _run(options: argparse.Namespace) -> int:
    from .measure import Document, keep, kept, measure, versions
    from .processes import machine

    chosen = variants(options.only)
    whole = not options.only and not options.quick
    folder = cache_folder() / "bench-serving" / ("whole" if whole else "part")
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    result: Document = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "versions": {},
        "quick": options.quick,
        "variants": [],
    }
    say = _sayer(started)
    say(f"{len(chosen)} variants; the client's log is in {folder}")
    with LoadClient(log=folder / "client.log", offline=True) as client:
        result["versions"] = versions()
        for number, variant in enumerate(chosen, 1):
            points = "quick" if options.quick else variant.points
            say(f"{number}/{len(chosen)} {variant.name}: {variant.title}")
            document = kept(folder, variant, points) if whole else None
            if document:
                say("  is measured already (--fresh measures it again)")
            else:
                document = measure(variant, points, client, report=say, timeout_s=options.timeout)
                if whole:
                    keep(folder, document)
            result["variants"].append(document)
    output = options.output or (RESULT if whole else folder / "result.json")
    write_files({output: json.dumps(result, indent=1) + "\n"})
    say(f"{output} is written")
    failed = [document["name"] for document in result["variants"] if document["error"]]
    if failed:
        again = "; the same command measures only these again" if whole else ""
        print(f"not measured: {', '.join(failed)}{again}", file=sys.stderr)
    elif whole:
        # The run is complete: the next one measures everything anew.
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


def _sayer(started: float) -> Callable[[str], None]:
    def say(text: str) -> None:
        load = os.getloadavg()[0]
        print(f"{time.monotonic() - started:6.0f} s (load {load:4.1f})  {text}", flush=True)

    return say


if __name__ == "__main__":
    sys.exit(main())
