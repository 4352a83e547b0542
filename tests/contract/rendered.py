"""What the chart makes of the committed values of one Ray release, and what a schema of Ray's would not read of it."""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
import yaml

from generator.chart import render
from tests.support.paths import ROOT


@dataclass(frozen=True)
class Case:
    """One way to serve some values files: as they are, or with other choices of `serving`."""

    name: str
    files: tuple[Path, ...]
    serving: dict[str, str]


def cases(version: str, variants: dict[str, dict[str, str]]) -> list[Any]:
    """Every committed values file of a Ray release, and every environment's files together, in every variant.

    No file at all is a fault of the repository, so that the tests cannot pass by finding nothing.
    """
    environments: dict[str, list[Path]] = {}
    for path in sorted((ROOT / "values").glob("*/*.yaml")):
        if yaml.safe_load(path.read_text(encoding="utf-8"))["ray"]["version"] == version:
            environments.setdefault(path.parent.name, []).append(path)
    if not environments:
        pytest.exit(f"no values/*/*.yaml is for Ray {version}: run `python -m generator generate`", 2)
    sets: dict[str, tuple[Path, ...]] = {}
    for environment, files in environments.items():
        sets |= {f"{environment}/{path.stem}": (path,) for path in files}
        if len(files) > 1:
            sets[f"{environment}/all families"] = tuple(files)
    found = [
        Case(f"{name} ({variant})", files, serving)
        for name, files in sets.items()
        for variant, serving in variants.items()
    ]
    return [pytest.param(case, id=case.name) for case in found]


@dataclass(frozen=True)
class Rendered:
    serve_config: dict[str, Any]
    """serveConfigV2, parsed."""
    manifests: list[dict[str, Any]]

    def apps(self) -> Iterator[dict[str, Any]]:
        """Every application of people's own code."""
        for application in self.serve_config["applications"]:
            if application["import_path"] != "ray.serve.llm:build_openai_app":
                yield application

    def arguments(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and `args` of every application that Ray's OpenAI builder makes."""
        for application in self.serve_config["applications"]:
            if application["import_path"] == "ray.serve.llm:build_openai_app":
                yield application["name"], application["args"]

    def llm_configs(self) -> Iterator[dict[str, Any]]:
        """Every model's LLMConfig as Ray will read it, from its file or from the arguments."""
        for _, arguments in self.arguments():
            for entry in arguments["llm_configs"]:
                yield yaml.safe_load(Path(entry).read_text(encoding="utf-8")) if isinstance(entry, str) else entry


def render_case(case: Case, folder: Path) -> Rendered:
    """Render, and write the files of families and apps below `folder`, where the rendered paths point."""
    paths = {"modelsPath": str(folder / "models"), "appsPath": str(folder / "apps")}
    overrides = {"serving": {**case.serving, **paths}}
    manifests = render(ROOT / "chart", case.files, overrides=overrides)
    mounts = {
        volume["configMap"]["name"]: next(m["mountPath"] for m in mounted if m["name"] == volume["name"])
        for template in _pod_templates(manifests)
        for mounted in [template["containers"][0].get("volumeMounts", [])]
        for volume in template.get("volumes", [])
        if "configMap" in volume
    }
    for manifest in manifests:
        if manifest["kind"] == "ConfigMap":
            target = Path(mounts[manifest["metadata"]["name"]])
            target.mkdir(parents=True)
            for name, text in manifest["data"].items():
                (target / name).write_text(text, encoding="utf-8")
    service = next(manifest for manifest in manifests if manifest["kind"] == "RayService")
    return Rendered(serve_config=yaml.safe_load(service["spec"]["serveConfigV2"]), manifests=manifests)


def _pod_templates(manifests: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for manifest in manifests:
        if manifest["kind"] == "RayService":
            cluster = manifest["spec"]["rayClusterConfig"]
            for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
                yield group["template"]["spec"]


def ignored_keys(data: Any, annotation: Any, where: str = "") -> list[str]:
    """Keys of `data` that a pydantic model would drop without a word, as dotted paths.

    Ray's schemas take unknown keys for the sake of newer ones, so that a misspelt key would vanish.
    """
    options = _options(annotation)
    if isinstance(data, list):
        inner = next((get_args(option)[0] for option in options if get_origin(option) is list), Any)
        return [key for i, item in enumerate(data) for key in ignored_keys(item, inner, f"{where}[{i}]")]
    if not isinstance(data, dict):
        return []
    models = [option for option in options if _is_model(option)]
    if not models:
        return []
    fields = {name: annotation for model in models for name, annotation in _fields(model).items()}
    found = []
    for key, value in data.items():
        path = f"{where}.{key}".lstrip(".")
        found += ignored_keys(value, fields[key], path) if key in fields else [path]
    return found


def _is_model(option: Any) -> bool:
    """Whether a type is a pydantic model; older releases of Ray use pydantic's first version under the second."""
    return isinstance(option, type) and (hasattr(option, "model_fields") or hasattr(option, "__fields__"))


def _fields(model: Any) -> dict[str, Any]:
    """The annotations of a model's fields, by the name that data uses."""
    hints = get_type_hints(model)
    fields = model.model_fields if hasattr(model, "model_fields") else model.__fields__
    return {field.alias or name: hints[name] for name, field in fields.items()}


def _options(annotation: Any) -> list[Any]:
    """The alternatives of an annotation, through Optional, Union and Annotated."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _options(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [option for inner in get_args(annotation) for option in _options(inner)]
    return [annotation]


def build_app(application: dict[str, Any]) -> Any:
    """Build an application of people's own code as Ray does: from the folder on its PYTHONPATH, with its `args`."""
    folder, _, _ = application["runtime_env"]["env_vars"]["PYTHONPATH"].partition(":")
    name, _, builder = application["import_path"].partition(":")
    spec = importlib.util.spec_from_file_location(name, Path(folder) / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    # Pickled by reference, as where the folder is on the path.
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, builder)(application.get("args", {}))


def deployment_names(application: Any) -> set[str]:
    """Names of the ingress and of every deployment that is bound into it."""
    found = set()
    pending = [application]
    while pending:
        value = pending.pop()
        if hasattr(value, "_bound_deployment"):
            deployment = value._bound_deployment
            found.add(deployment.name)
            pending += [*deployment.init_args, *deployment.init_kwargs.values()]
        elif isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, (list, tuple)):
            pending += value
    return found
