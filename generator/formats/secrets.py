"""Texts of secrets in a document: none is taken, wherever it stands and whatever else is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import PurePath
from typing import Any

from generator.documents.load import Origin
from generator.errors import UserError, UserErrors
from generator.formats.explain import Fault
from generator.redaction import (
    is_harmless_place,
    is_placeholder,
    names_a_secret,
    option_in,
    place_of,
    shape_of,
    way_out,
    written_in,
)

NOT_SECRETS = "notSecrets"
"""The key of the chart's values that names what is none, with the reason."""


def refuse_secrets(data: Any, origin: Origin) -> None:
    """Raise UserErrors with every text of `data` that is a secret; none of them is in the message.

    What values, or an environment's `chart`, name in `notSecrets` is none.
    """
    found = list(secrets_in(data))
    if found:
        raise UserErrors([fault.as_error(origin) for fault in found])


def refuse_secrets_in_code(text: str, file: str) -> None:
    """Raise UserError where an app's `file` holds a secret by its shape; names are words of the program there."""
    if shape := shape_of(text):
        name = PurePath(file).name
        fix = _fix(("apps", "<app>", "files", name), name)
        raise UserError(f"it holds {shape}", where=f"{file}:{_line_of(text)}", fix=fix)


def secrets_in(data: Any) -> Iterator[Fault]:
    """Every text that is a secret, by the name of its key or by its own shape."""
    yield from _below(data, (), _exempt(data))


def _exempt(data: Any) -> Collection[Any]:
    """Keys that hold no secret, whatever it looks like: `notSecrets` of values, or of an environment's `chart`."""
    chart = data.get("chart") if isinstance(data, dict) else None
    named = [each.get(NOT_SECRETS) for each in (data, chart) if isinstance(each, dict)]
    return [NOT_SECRETS, *(key for each in named if isinstance(each, dict) for key in each)]


def _below(
    node: Any, path: tuple[str | int, ...], exempt: Collection[Any], name: str = "", before: str = ""
) -> Iterator[Fault]:
    """Of a node and all below it.

    `name` is what the node is called: its key, the `name` beside a key `value`, or the option before it, which is also
    in `before`, as it is written.
    """
    if isinstance(node, dict):
        for key, value in node.items():
            called = key if key != "value" else _called(node, name)
            if shape_of(str(key)):
                yield Fault(f"a key is {shape_of(str(key))}", path, "Give it another name: keys are printed.")
            elif called not in exempt or (
                isinstance(value, dict) and key != NOT_SECRETS
            ):  # what is further below has names
                yield from _below(value, (*path, key), exempt, str(called))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            option = option_in(node[number - 1], value) if number else ""
            if option not in exempt:
                yield from _below(value, (*path, number), exempt, option or name, node[number - 1] if option else "")
    elif isinstance(node, (str, int, float)) and not isinstance(node, bool):
        yield from _secret(str(node), path, exempt, name, before)


def _called(node: dict[Any, Any], name: str) -> str:
    """What `value` is of: `{name: HF_TOKEN, value: …}` says it itself, `HF_TOKEN: {value: …}` by its own key."""
    said = node.get("name")
    return said if isinstance(said, str) and said else name


def _secret(text: str, path: tuple[str | int, ...], exempt: Collection[Any], name: str, before: str) -> Iterator[Fault]:
    code = len(path) == _DEPTH_OF_CODE and path[0] == "apps" and path[2] == "files"
    by_shape_alone = code or is_harmless_place(".".join(map(str, path)))
    # A login is one by the option that takes it: `-u`, `admin:…`.
    if shape := shape_of(text) or (before and shape_of(f"{before} {text}")):
        line = f", in line {_line_of(text)} of the text" if "\n" in text else ""
        yield Fault(f"'{name}' is or holds {shape}{line}", path, _fix(path, name))
    elif by_shape_alone:
        return  # a key that is a file's name, words of a program, or what a reference is called: none is of a secret
    elif names_a_secret(name) and not is_placeholder(text):
        yield Fault(f"'{name}' has the text of a secret, going by its name", path, _fix(path, name))
    else:
        for option, value in written_in(text):
            if option not in exempt and names_a_secret(option) and not is_placeholder(value):
                what = f"'{name}' has the text of a secret in '{option}', going by its name"
                yield Fault(what, path, _fix(path, option))
                return


def _fix(path: tuple[str | int, ...], key: str) -> str:
    """What to do at this place, and the key by which it is said that it is none."""
    return f"{way_out('.'.join(map(str, path)))} If it is no secret, say why in {NOT_SECRETS}.{key}."


_DEPTH_OF_CODE = len(("apps", "<app>", "files", "<file>"))


def _line_of(text: str) -> int:
    """The line of a text, from 1, in which the secret that it holds begins."""
    return text.count("\n", 0, place_of(text)) + 1
