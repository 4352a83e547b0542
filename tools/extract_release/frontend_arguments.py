"""Which of vLLM's frontend arguments reach a client, by what reads them.

Ray takes them all in `engine_kwargs`. On every path it calls `init_app_state`, which makes what answers; `build_app`,
vLLM's own FastAPI, only where that is the application. What neither reads is of `vllm serve`, which Ray does not start.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from types import FunctionType

from .left_out import OF_ENGINE_ARGUMENTS
from .provenance import Provenance
from .release import Release, optional


def frontend_arguments(release: Release, provenance: Provenance) -> dict[str, list[str]]:
    """`app`: what vLLM's own FastAPI alone reads, `variables`: the same of the environment, `server`: read by none."""
    fields = {field.name for field in dataclasses.fields(release.frontend_args)} - OF_ENGINE_ARGUMENTS.keys()
    engine = {field.name for field in dataclasses.fields(release.engine_args)}
    state, app = (_read_by(function, provenance, set()) for function in (release.init_app_state, release.build_app))
    app |= _OF_ROUTES
    own = fields - state - engine
    variables = {name for name in app - state if name.startswith("VLLM_")}
    return {
        "app": sorted(own & app),
        "server": sorted(own - app - _ELSEWHERE),
        "variables": sorted(variables),
    }


# Of parsers, whose names are told elsewhere.
_ELSEWHERE = {"tool_parser_plugin", "reasoning_parser_plugin"}
# Handed to nothing: routes of vLLM's own FastAPI take them from the application's state.
_OF_ROUTES = {"enable_tokenizer_info_endpoint", "sse_keep_alive_interval"}


def _read_by(function: FunctionType, provenance: Provenance, seen: set[str]) -> set[str]:
    """Names that a function, and what it hands its `args` to, takes from them, and the variables that it reads."""
    if function.__qualname__ in seen:
        return set()
    seen.add(function.__qualname__)
    provenance.reads(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("args", "envs")
    }
    found |= set(re.findall(r"getattr\(\s*args,\s*['\"](\w+)", ast.unparse(tree)))
    for called in _handed_to(function, tree):
        found |= _read_by(called, provenance, seen)
    return found


def _handed_to(function: FunctionType, tree: ast.AST) -> Iterator[FunctionType]:
    imported = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(isinstance(value, ast.Name) and value.id == "args" for value in values):
                name = node.func.id
                called = optional(imported[name]) if name in imported else function.__globals__.get(name)
                if inspect.isfunction(called):
                    yield called
