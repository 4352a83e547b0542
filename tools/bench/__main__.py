"""Whole-process times and memory of the generator and of helm, at sizes that people grow to.

    make bench      (or: python -m tools.bench [--runs N])

Each command runs once to warm up and then N times; the median is printed, with the fewest and the most. Peak memory is
the largest single process, as the operating system counts it. Aims are what the project wants to hold; a benchmark is
no test, and nothing fails here.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from generator.chart import find_helm

from .peers import PEERS

ROOT = Path(__file__).resolve().parents[2]

MODELS, FAMILIES, ENVIRONMENTS, POOLS = 1000, 20, 3, 50
SECRET_LIMIT = 1_048_576  # bytes of a Kubernetes Secret


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each command (default 5)")
    runs = parser.parse_args().runs
    helm = find_helm()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        write_project(project)
        generator = [sys.executable, "-m", "generator"]
        rows = [
            measure("generator --help", [*generator, "--help"], runs, aim="0.15 s"),
            measure(
                f"generate: {MODELS:,} models x {ENVIRONMENTS} environments, from nothing",
                [*generator, "--root", folder, "generate"],
                runs,
                aim="3 s",
                before=lambda: shutil.rmtree(project / "values", ignore_errors=True),
            ),
            measure("generate --check of the same", [*generator, "--root", folder, "generate", "--check"], runs),
        ]
        for fill in ("half", "nearly full"):
            write_many_pools(project, nodes=FILLED[fill])
            plan = [*generator, "--root", folder, "plan", "--environment", "many-pools", "--json"]
            rows.append(measure(f"plan: {MODELS:,} models on {POOLS} pools, {fill}", plan, runs, aim="2 s"))
        files = [f"--values={path}" for path in sorted((project / "values" / "env-0").glob("*.yaml"))]
        template = [helm, "template", "fleet", str(ROOT / "chart"), *files]
        rows.append(measure(f"helm template: {MODELS:,} models", template, runs, aim="0.5 s, 300 MB"))
        one = [helm, "template", "one", str(ROOT / "chart"), f"--values={ROOT / 'values/dev/falcon3.yaml'}"]
        rows.append(measure("helm template: values/dev/falcon3.yaml", one, runs))
        charts = {rows[-2][0]: template}
        for peer in PEERS:
            name = f"helm template: {MODELS:,} models, {peer.name}"
            chart = peer.fetch()
            if chart is None:
                print(f"{name}: not measured, since {peer.repository} cannot be reached")
                continue
            values = project / f"{chart.parent.name}.yaml"
            values.write_text(yaml.safe_dump(peer.values(MODELS)))
            charts[name] = [helm, "template", "fleet", str(chart), f"--values={values}"]
            rows.append(measure(name, charts[name], runs))
        print_rows(rows)
        print()
        medians = {name: statistics.median(seconds) for name, seconds, *_ in rows}
        for name, command in charts.items():
            rendered = len(subprocess.run(command, capture_output=True, check=True).stdout) / 1e6
            print(f"{name} prints {rendered:.2f} MB: {medians[name] / rendered:.3f} s for each MB")
        for count in (4, 50, 1000):
            size = secret_bytes(helm, project, count)
            print(f"Helm release Secret of {count:>4} models: {size:>9,} bytes, {size / SECRET_LIMIT:.1%} of the limit")


def write_project(folder: Path) -> None:
    """A catalog of copies of the project's own rows, and environments with room for all of them."""
    rows = [
        (row_id, row)
        for path in sorted((ROOT / "catalog").glob("*.yaml"))
        for row_id, row in yaml.safe_load(path.read_text())["models"].items()
    ]
    (folder / "catalog").mkdir()
    (folder / "environments").mkdir()
    for family in range(FAMILIES):
        models = {}
        for index in range(MODELS // FAMILIES):
            row_id, row = rows[index % len(rows)]
            models[f"{row_id}-{family}-{index}"] = row
        text = yaml.safe_dump({"family": f"family-{family}", "models": models}, sort_keys=False)
        (folder / "catalog" / f"family-{family}.yaml").write_text(text)
    for number in range(ENVIRONMENTS):
        environment = {
            "namespace": "ai",
            "ray": "2.60.0",
            "pools": {
                "small": {"gpu": "L4-24GB", "nodes": 4000},
                "large": {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": 400},
            },
            "serve": {f"family-{family}": {} for family in range(FAMILIES)},
            "chart": {"ingressWorkers": {"maxReplicas": MODELS}},
        }
        (folder / "environments" / f"env-{number}.yaml").write_text(yaml.safe_dump(environment, sort_keys=False))


# Nodes of eight GPUs in every pool, so that the fleet fills so much of them.
FILLED = {"half": 5, "nearly full": 2}
GPU_TYPES = ("L4-24GB", "L40S-48GB", "A100-40GB", "A100-80GB", "H100-80GB", "H200-141GB", "A10G-24GB")


def write_many_pools(folder: Path, *, nodes: int) -> None:
    """An environment of many kinds of GPU. Each model needs another context, so that no two are of one size."""
    pools = {
        f"pool-{number}": {
            "gpu": GPU_TYPES[number % len(GPU_TYPES)],
            "gpusPerNode": (1, 4, 8)[number % 3],
            "nodes": nodes * 8 // (1, 4, 8)[number % 3] + number % 5,
        }
        for number in range(POOLS)
    }
    serve = {}
    for family in range(FAMILIES):
        models = yaml.safe_load((folder / "catalog" / f"family-{family}.yaml").read_text())["models"]
        own = {model: {"context": 1024 + 4 * number} for number, model in enumerate(models, family * len(models))}
        serve[f"family-{family}"] = {"models": own}
    environment = {"namespace": "ai", "ray": "2.60.0", "pools": pools, "serve": serve}
    path = folder / "environments" / "many-pools.yaml"
    path.write_text(yaml.safe_dump(environment, sort_keys=False))


def measure(name, command, runs, *, aim="", before=lambda: None):
    """Seconds and peak MB of each counted run."""
    seconds, peaks = [], []
    for run in range(runs + 1):
        before()
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        complaint = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - start
        if status:
            sys.exit(f"{name}: {complaint.decode()}")
        if run:
            seconds.append(elapsed)
            peaks.append(usage.ru_maxrss / 1024)
    return name, seconds, max(peaks), aim


def print_rows(rows) -> None:
    width = max(len(name) for name, *_ in rows)
    print(f"{'':{width}}  median s     (fewest - most)   peak MB   aim")
    for name, seconds, peak, aim in rows:
        spread = f"({min(seconds):.3f} - {max(seconds):.3f})"
        print(f"{name:{width}}  {statistics.median(seconds):8.3f}  {spread:>18}  {peak:8.0f}   {aim}")


def secret_bytes(helm: str, project: Path, count: int) -> int:
    """Bytes of the Secret in which Helm keeps a release of `count` models.

    As Helm's storage driver does it: JSON of chart, values and manifest, gzipped, in base64 (and once more in base64 by
    the API, which the limit does not count). The manifest is as rendered; the chart as packaged.
    """
    values = yaml.safe_load((project / "values" / "env-0" / "family-0.yaml").read_text())
    row_id, row = next(iter(values["models"].items()))
    values["models"] = {f"{row_id}-{number}": row for number in range(count)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.yaml"
        path.write_text(yaml.safe_dump(values))
        render = [helm, "template", "one", str(ROOT / "chart"), "--values", str(path)]
        manifest = subprocess.run(render, capture_output=True, text=True, check=True).stdout
    chart = {
        "templates": [encoded(path) for path in sorted((ROOT / "chart" / "templates").rglob("*")) if path.is_file()],
        "files": [encoded(path) for path in sorted((ROOT / "chart" / "files").rglob("*")) if path.is_file()],
        "schema": encoded(ROOT / "chart" / "values.schema.json"),
        "values": yaml.safe_load((ROOT / "chart" / "values.yaml").read_text()),
    }
    release = json.dumps({"name": "one", "chart": chart, "config": values, "manifest": manifest})
    return len(base64.b64encode(gzip.compress(release.encode(), 9)))


def encoded(path: Path) -> dict[str, str]:
    return {"name": path.name, "data": base64.b64encode(path.read_bytes()).decode()}


if __name__ == "__main__":
    main()
