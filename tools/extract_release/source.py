"""What a release says in its source text alone, read without running it."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, NamedTuple


class ConfigField(NamedTuple):
    """A field of one of vLLM's config classes."""

    config: type
    name: str


def config_fields(cls: type) -> dict[str, ConfigField]:
    """Which config class's field each engine argument is a copy of, by the argument's name.

    The class body says it: `max_model_len: int = ModelConfig.max_model_len`, or `= get_field(ModelConfig, "…")`.
    """
    fields: dict[str, ConfigField] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        names = vars(sys.modules[base.__module__])
        for name, owner, attribute in _copies(_class_body(base)):
            if isinstance(names.get(owner), type):
                fields[name] = ConfigField(names[owner], attribute)
    return fields


def config_fields_by_name() -> dict[str, ConfigField]:
    """The config class's field of the same name, for arguments that default to None (`max_num_seqs`), where one class
    alone has it."""
    owners: dict[str, set[type]] = {}
    for cls in vars(importlib.import_module("vllm.config")).values():
        if isinstance(cls, type) and dataclasses.is_dataclass(cls):
            for field in dataclasses.fields(cls):
                owners.setdefault(field.name, set()).add(cls)
    return {name: ConfigField(next(iter(classes)), name) for name, classes in owners.items() if len(classes) == 1}


def evaluated(annotation: Any, cls: type) -> Any:
    """An annotation that is text because its class is imported for type checkers only, as the type it names."""
    if not isinstance(annotation, str):
        return annotation
    names: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        module = sys.modules[base.__module__]
        names |= vars(module)
        if module.__name__.startswith("vllm"):
            names |= _imported_for_types(module)
    return eval(annotation, names)  # vLLM's own source text


def string_constants(trees: Iterable[ast.Module]) -> Iterator[tuple[str, str]]:
    """`NAME = "text"` at the top of modules."""
    for tree in trees:
        for node in tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                    yield name, text


def keys_read(tree: ast.Module, attribute: str) -> Iterator[str]:
    """Keys, or the names of constants, in `….<attribute>.get(KEY, …)`."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr=owner), attr="get"),
                    args=[ast.Constant(value=str(key)), *_],
                )
                | ast.Call(func=ast.Attribute(value=ast.Attribute(attr=owner), attr="get"), args=[ast.Name(id=key), *_])
            ):
                if owner == attribute:
                    yield key


def _class_body(cls: type) -> list[ast.stmt]:
    tree = ast.parse(inspect.getsource(sys.modules[cls.__module__]))
    return next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == cls.__name__).body


def _copies(body: Iterable[ast.stmt]) -> Iterator[tuple[str, str, str]]:
    """The fields of a class body that copy another class's: name, the other class, its field."""
    for node in body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Attribute(value=ast.Name(id=owner), attr=attribute)):
                yield name, owner, attribute
            case ast.AnnAssign(
                target=ast.Name(id=name),
                value=ast.Call(
                    func=ast.Name(id="get_field"), args=[ast.Name(id=owner), ast.Constant(value=str(attribute))]
                ),
            ):
                yield name, owner, attribute


def _imported_for_types(module: ModuleType) -> dict[str, Any]:
    """What a module imports below `if TYPE_CHECKING`, as far as it is there."""
    names: dict[str, Any] = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body):
                for line in body:
                    if isinstance(line, ast.ImportFrom):
                        source = importlib.import_module(line.module or "")
                        present = (alias for alias in line.names if hasattr(source, alias.name))
                        names |= {alias.asname or alias.name: getattr(source, alias.name) for alias in present}
    return names
