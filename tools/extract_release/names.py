"""Names that vLLM and Ray look up when a model starts, as schemas: of registries, of classes, of addresses.

What vLLM lowers before it looks it up is taken in any case: a pattern that begins with `(?i)`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import math
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from generator.formats.texts import IMPORT_PATH
from tools.references import Schema

from .provenance import Provenance
from .release import Release, first_of, optional

_ADDRESS = "^[A-Za-z][A-Za-z0-9+.-]*://"


def looked_up(release: Release, provenance: Provenance) -> Schema:
    """EngineNames: what arguments of the engine may be, where no plugin of the image adds to it."""
    registry = release.kv_connectors
    provenance.reads(registry)
    names = sorted(registry._registry)
    if release.ray_kv_connectors is not None:  # Ray 2.49 has a backend of its own for each that it takes
        names = sorted(set(names) & set(release.ray_kv_connectors))
    open_to_modules = release.ray_kv_connectors is None
    nested = [name for name in names if name != "MultiConnector"]
    connectors = {"items": {"properties": {"kv_connector": {"enum": nested}}}}
    known = {"properties": {"kv_connector": {"enum": [*names, None]}}}
    kv = {
        **(_unless("kv_connector_module_path", known) if open_to_modules else {"allOf": [known]}),
        "properties": {"kv_connector_extra_config": {"properties": {"connectors": connectors}}},
    }
    properties: dict[str, Schema] = {
        "config_format": {"enum": _config_formats()},
        "kv_transfer_config": kv,
        "load_format": _any_case(_load_formats()),
        "quantization": _any_case(_quantization_methods(release, provenance)),
        "tokenizer_mode": _any_case(_tokenizer_modes()),
    }
    if ec := optional("vllm.distributed.ec_transfer.ec_connector.factory:ECConnectorFactory"):
        provenance.reads(ec)
        named = {"properties": {"ec_connector": {"enum": [*sorted(ec._registry), None]}}}
        properties["ec_transfer_config"] = _unless("ec_connector_module_path", named)
    defaults = {"tool_call_parser": None, "reasoning_parser": ""}
    for argument, parsers in release.parsers().items():
        properties[argument] = {"enum": [*parsers, defaults[argument]]}
    return {"properties": properties}


def closed_choices() -> dict[str, Schema]:
    """Arguments of the engine that are declared as text, and of which vLLM knows some words that no plugin adds to."""
    implementations = optional("vllm.config.model:ModelImpl")
    return {"model_impl": {"enum": list(get_args(implementations))}} if implementations else {}


def speculative_methods() -> list[str]:
    """Ways to guess tokens ahead."""
    return _texts(first_of("vllm.config.speculative:SpeculativeMethod", "vllm.config:SpeculativeMethod"))


def block_size_step(release: Release) -> int:
    """What every attention kernel divides a block into, but those that take blocks of one token."""
    folder = _vllm(release) / "v1" / "attention" / "backends"
    sizes: set[int] = set()
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name == "get_supported_kernel_block_sizes":
                returned = [inner for inner in ast.walk(node) if isinstance(inner, ast.Return)]
                numbers = [each for inner in returned for each in ast.walk(inner) if isinstance(each, ast.Constant)]
                sizes |= {each.value for each in numbers if isinstance(each.value, int) and each.value > 1}
    return math.gcd(*sizes)


def bucket(release: Release) -> Schema:
    """Where Ray fetches files from: addresses that begin with what `is_remote_path` knows."""
    return {"pattern": _begins(_schemes(release))}


def source(release: Release) -> Schema:
    """A model's source: a hub's id or a folder, and of addresses those that Ray or vLLM's streamer can read."""
    schemes = [*_schemes(release), *(optional("vllm.transformers_utils.runai_utils:SUPPORTED_SCHEMES") or ["s3://"])]
    return {"if": {"pattern": _ADDRESS}, "then": {"pattern": _begins(dict.fromkeys(schemes))}}


def import_path(of: type | None, release: Release) -> Schema:
    """The import path of a class: of one's own, or, below `ray.`, of one of a kind that the release has."""
    if of is None:
        return {"type": "string", "pattern": IMPORT_PATH}
    known = {"enum": sorted(_classes(of, release))}
    return {"type": "string", "if": {"pattern": r"^ray\."}, "then": known, "else": {"pattern": IMPORT_PATH}}


def _classes(base: type, release: Release) -> Iterator[str]:
    for module in _modules(release):
        public = hasattr(module, "__path__") or module.__name__.startswith("ray.serve.llm")
        for name, cls in vars(module).items():
            if not inspect.isclass(cls) or not issubclass(cls, base) or cls is base or name.startswith("_"):
                continue
            if public or cls.__module__ == module.__name__:
                yield f"{module.__name__}:{name}"
                yield f"{module.__name__}.{name}"


def _modules(release: Release) -> Iterator[Any]:
    """Those in which Ray's routers and servers are, as far as they can be imported here."""
    for root in (
        "ray.serve.llm",
        "ray.serve.experimental",
        "ray.serve.request_router",
        "ray.serve._private.request_router",
        release.llm_package,
    ):
        try:
            package = importlib.import_module(root)
        except ImportError:
            continue
        yield package
        for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{root}."):
            if "benchmark" not in found.name:
                try:
                    yield importlib.import_module(found.name)
                except ImportError:
                    continue


def _schemes(release: Release) -> list[str]:
    tree = ast.parse(inspect.getsource(release.is_remote_path))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    starts = [call.args[0] for call in calls if call.func.attr == "startswith"]  # type: ignore[attr-defined]
    return [each.value for each in starts if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def _begins(texts: Iterable[str]) -> str:
    return f"^({'|'.join(texts)})"


def _any_case(names: Iterable[str]) -> Schema:
    return {"if": {"type": "string"}, "then": {"pattern": f"(?i)^({'|'.join(sorted(names))})$"}}


def _unless(key: str, schema: Schema) -> Schema:
    """The schema, where a mapping has no text at the key."""
    return {"if": {"required": [key], "properties": {key: {"type": "string"}}}, "else": schema}


def _load_formats() -> set[str]:
    listed = optional("vllm.config:LoadFormat")
    return (
        {each.value for each in listed}
        if listed
        else set(first_of("vllm.model_executor.model_loader:_LOAD_FORMAT_TO_MODEL_LOADER"))
    )


def _quantization_methods(release: Release, provenance: Provenance) -> list[str]:
    """Of the text of the package, which not every machine can import."""
    path = _vllm(release) / "model_executor" / "layers" / "quantization" / "__init__.py"
    provenance.reads_file(path)
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="QuantizationMethods")], value=literal):
                return [each.value for each in ast.walk(literal) if isinstance(each, ast.Constant)]
    raise SystemExit(f"{path} has no QuantizationMethods: this vLLM release moved them, add where to")


def _vllm(release: Release) -> Path:
    return Path(inspect.getfile(release.engine_args)).parents[1]


def _tokenizer_modes() -> set[str]:
    declared = _texts(first_of("vllm.config.model:TokenizerMode", "vllm.config:TokenizerMode"))
    return {*declared, *(optional("vllm.tokenizers.registry:_VLLM_TOKENIZERS") or ())}


def _config_formats() -> list[str]:
    formats = first_of("vllm.transformers_utils.config:ConfigFormat")
    return sorted(_texts(formats) or [each.value for each in formats])


def _texts(literal: Any) -> list[str]:
    """The texts of a Literal, of those inside it too."""
    found: list[str] = []
    for each in get_args(literal):
        found += [each] if isinstance(each, str) else _texts(each)
    return found
