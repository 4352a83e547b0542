"""Projects of the sizes that are measured: a catalog of many models, and environments to serve it."""

from __future__ import annotations

from pathlib import Path

import yaml

from generator.documents.load import read_yaml

ROOT = Path(__file__).resolve().parents[2]
MODELS, FAMILIES, ENVIRONMENTS, POOLS = 1000, 20, 3, 50


def write_project(folder: Path) -> None:
    """A catalog of copies of the project's own rows, and environments with room for all of them."""
    rows = [
        (row_id, row)
        for path in sorted((ROOT / "catalog").glob("*.yaml"))
        for row_id, row in read_yaml(path)["models"].items()
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
        models = read_yaml(folder / "catalog" / f"family-{family}.yaml")["models"]
        own = {model: {"context": 1024 + 4 * number} for number, model in enumerate(models, family * len(models))}
        serve[f"family-{family}"] = {"models": own}
    environment = {"namespace": "ai", "ray": "2.60.0", "pools": pools, "serve": serve}
    path = folder / "environments" / "many-pools.yaml"
    path.write_text(yaml.safe_dump(environment, sort_keys=False))
