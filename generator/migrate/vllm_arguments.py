"""Arguments of `vllm serve`, as Ray's `engine_kwargs`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from generator.documents.json import parse_json
from generator.documents.merge import JsonObject
from generator.errors import cut
from generator.facts.releases import newest
from generator.migrate.found import Findings

SERVED_NAME = "served_model_name"
_OF_THE_SERVER = {
    "host": "Ray Serve has an address of its own",
    "port": "Ray Serve has a port of its own",
    "disable_log_requests": "it is vLLM's own default now",
    "api_key": "name a Secret with it: `chart: {auth: {apiKey: {existingSecret: …}}}`",
}
_SHORT = {"tp": "tensor_parallel_size", "pp": "pipeline_parallel_size", "dp": "data_parallel_size", "q": "quantization"}


def engine_words(arguments: Sequence[Any], findings: Findings, *, where: str) -> JsonObject:
    """The arguments by name, each in the type that vLLM's own has; `served_model_name` is among them."""
    words: JsonObject = {}
    for flag, value in _flags([str(each) for each in arguments]):
        name = _name(flag)
        if name in _OF_THE_SERVER:
            findings.leave_out(where, cut(f"--{flag}"), _OF_THE_SERVER[name])
        elif name.startswith("no_") and name.removeprefix("no_") in _known():
            words[name.removeprefix("no_")] = False
        else:
            words[name] = typed(name, True if value is None else value)
    return words


def typed(name: str, value: Any) -> Any:
    """The value in the type that the argument has in vLLM: charts and command lines write text."""
    if not isinstance(value, str):
        return value
    types = set(_types(_known().get(name, {})))
    if value.lower() in ("true", "false") and "boolean" in types:
        return value.lower() == "true"
    if value[:1] in ("{", "[") and types & {"object", "array"}:
        try:
            return parse_json(value)
        except (ValueError, RecursionError):
            return value
    for kind, number in (("integer", int), ("number", float)):
        if kind in types:
            try:
                return number(value)
            except ValueError:
                continue
    return value


def _flags(arguments: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Every flag with its value: `--a=b`, `--a b`, or None for one that has none."""
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if not word.startswith("-") or word.lstrip("-") == "":
            continue
        flag, equals, value = word.lstrip("-").partition("=")
        following = arguments[position] if position < len(arguments) else None
        if equals:
            yield flag, value
        elif following is not None and not _is_flag(following):
            position += 1
            yield flag, following
        else:
            yield flag, None


def _is_flag(word: str) -> bool:
    return word.startswith("--") or (word.startswith("-") and word[1:2].isalpha())


def _name(flag: str) -> str:
    """The argument's whole name: argparse takes a beginning that only one has."""
    name = _SHORT.get(flag, flag).replace("-", "_")
    known = _known()
    if name in known or name in _OF_THE_SERVER:
        return name
    begun = [each for each in known if each.startswith(name)]
    return begun[0] if len(begun) == 1 else name


def _known() -> Mapping[str, Any]:
    known: dict[str, Any] = newest().arguments()["EngineArguments"]["properties"]
    return known


def _types(schema: Any) -> Iterator[str]:
    """The types that a schema takes, of its branches too."""
    if not isinstance(schema, dict):
        return
    stated = schema.get("type")
    yield from [stated] if isinstance(stated, str) else (stated or [])
    if "$ref" in schema:
        yield "object"
    for branch in schema.get("anyOf", []):
        yield from _types(branch)
