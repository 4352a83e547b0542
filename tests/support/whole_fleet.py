"""A project that serves every model which is known here: the library's, and those of tests/sizing/configs by `add`.

Its one environment has a pool of L4, L40S, H100 and H200 each. Nothing stands in for a step: configurations are added
and values are written as the commands do it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from generator.checkpoint.checkpoint import suggest_model_id
from generator.documents.files import write_files
from generator.documents.load import SAFE_LOADER
from generator.errors import UserError, faults
from generator.plan.plan import Plan
from generator.progress import silent
from generator.project.add import add_model
from generator.project.library import FOLDER as LIBRARY
from generator.project.project import Project
from tests.support.paths import CONFIGS

ENVIRONMENT = "gpus"
CONFIG_FAMILY = "configurations"
GPUS = ("L4-24GB", "L40S-48GB", "H100-80GB", "H200-141GB")
POOLS = {gpu.split("-")[0].lower(): {"gpu": gpu, "gpusPerNode": 8, "nodes": 1000} for gpu in GPUS}

LIBRARY_IDS = [
    model_id
    for path in sorted(LIBRARY.glob("*.yaml"))
    for model_id in re.findall(r"^  (\S+):$", path.read_text(encoding="utf-8"), re.MULTILINE)
]
CONFIG_IDS = {suggest_model_id(path.stem): path for path in sorted(CONFIGS.glob("*.json"))}
"""With the organisation before the name, so that none is that of a library's model."""

REFUSED = {
    "meta-llama-llama-3.2-11b-vision": "the parameters of MllamaForConditionalGeneration cannot be computed",
    "meta-llama-meta-llama-3.1-405b-instruct-fp8": "fbgemm_fp8 is deprecated: vLLM 0.29.0 wants",
}
"""What cannot be served as it is, and the beginning of the reason that people are told."""
SERVED_IDS = [model_id for model_id in (*LIBRARY_IDS, *CONFIG_IDS) if model_id not in REFUSED]


@dataclass(frozen=True)
class Fleet:
    plan: Plan
    values: list[Path]
    refused: dict[str, str]
    """By the id of a configuration, all that is said of it."""


def whole_fleet(root: Path) -> Fleet:
    """Write the project into an empty folder and plan it. Takes seconds."""
    models: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for number, (model_id, path) in enumerate(CONFIG_IDS.items()):
        alone = _project(root / "alone" / str(number), serve=[CONFIG_FAMILY])
        source = path.stem.replace("--", "/", 1)
        try:
            added = add_model(alone, str(path), family=CONFIG_FAMILY, model_id=model_id, source=source, report=silent)
        except UserError as error:
            refused[model_id] = "\n".join(map(str, faults(error)))
        else:
            models |= yaml.load(added.generated.texts[added.path], SAFE_LOADER)["models"]
    library = {path.name: path.read_text(encoding="utf-8") for path in LIBRARY.glob("*.yaml")}
    project = _project(root / "fleet", serve=[CONFIG_FAMILY, *(name.removesuffix(".yaml") for name in sorted(library))])
    library[f"{CONFIG_FAMILY}.yaml"] = yaml.safe_dump({"family": CONFIG_FAMILY, "models": models})
    write_files({project.root / "catalog" / name: text for name, text in library.items()})
    catalog = project.catalog()
    plan = project.plan(ENVIRONMENT, catalog)
    values = project.values(plan, catalog).texts
    write_files(values)
    return Fleet(plan=plan, values=sorted(values), refused=refused)


def _project(root: Path, *, serve: list[str]) -> Project:
    environment = {"namespace": "ai", "ray": "2.60.0", "pools": POOLS, "serve": dict.fromkeys(serve)}
    for folder in ("catalog", "environments"):
        (root / folder).mkdir(parents=True)
    (root / "environments" / f"{ENVIRONMENT}.yaml").write_text(yaml.safe_dump(environment), encoding="utf-8")
    return Project.at(root)
