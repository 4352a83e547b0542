"""YAML files: read with clear faults, write the same bytes for the same data, never half a file."""

from __future__ import annotations

import datetime
import errno
import os
import tempfile
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from generator.errors import UserError, UserErrors, did_you_mean

SAFE_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""YAML's safe loader; the one in C where PyYAML was built with it."""
_Dumper: type = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

Location = Sequence[str | int]
ModelT = TypeVar("ModelT", bound=BaseModel)


class _StrictLoader(SAFE_LOADER):  # type: ignore[valid-type, misc]
    """A safe loader that refuses a key given twice, where YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, yaml.Node] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"key '{key}' is given twice (first in line {seen[key].start_mark.line + 1})",
                    key_node.start_mark,
                )
            if isinstance(key, str):
                seen[key] = key_node
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, TypeError, AttributeError):
            # What looks like a date or a number to YAML and is none: Python's own fault, without a line.
            problem = f"{_short(getattr(node, 'value', ''))} is no valid {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


class _IndentedDumper(_Dumper):  # type: ignore[valid-type, misc]
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.Node:
        """Text of several lines as lines, where YAML can: a file of code stays readable, and so does its diff."""
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_IndentedDumper.add_representer(str, _IndentedDumper.represent_text)


def faults(error: UserError) -> list[UserError]:
    """The single faults of an error, however they were gathered."""
    return [one for part in error.errors for one in faults(part)] if isinstance(error, UserErrors) else [error]


def read_text(path: Path) -> str:
    """Return a file's text, line ends as they are, or raise a UserError that says why it cannot be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        if path.is_symlink():
            fix = "Mend the link, or remove it."
            raise UserError(f"is a link to {path.readlink()}, which is not there", where=str(path), fix=fix) from None
        near = did_you_mean(path.name, (p.name for p in path.parent.glob(f"*{path.suffix}"))) if path.suffix else ""
        raise UserError("no such file", where=str(path), fix=near or "Check the path.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8 text (byte {error.start})", where=str(path), fix="Save it as UTF-8.") from None
    except OSError as error:
        fix = "Give a file." if isinstance(error, IsADirectoryError) else "See that you may read it."
        raise UserError(f"cannot be read: {error.strerror}", where=str(path), fix=fix) from None


def text_or_none(path: Path, *, lenient: bool = False) -> str | None:
    """Return a file's text, or None where there is none yet; `lenient`: also where it is no text that can be read."""
    if not os.path.lexists(path):
        return None
    try:
        return read_text(path)
    except UserError:
        if lenient:
            return None
        raise


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds. A syntax fault or a key given twice is a UserError with its line."""
    return load_text(read_text(path), str(path))


def load_text(text: str, name: str) -> Any:
    """Return what YAML text holds; `name` is the file that faults are reported in."""
    try:
        data = yaml.load(text, Loader=_StrictLoader)
        _check_depth(data, 0, set())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        fix = "Mend the line; nothing was written. Text that looks like a number or a date needs quotes."
        raise UserError(f"not valid YAML: {error.problem or error.context}", where=where, fix=fix) from None
    except yaml.YAMLError as error:
        raise UserError(f"not valid YAML: {error}", where=name, fix="Mend it; nothing was written.") from None
    except RecursionError:
        raise UserError(
            f"is nested more than {_DEEPEST} levels deep, or an anchor holds itself",
            where=name,
            fix="Write it flatter, without an alias (*) inside of its own anchor (&).",
        ) from None
    return data


# More than any file here needs, and few enough for everything that walks what was read.
_DEEPEST = 50


def _check_depth(data: Any, depth: int, seen: set[int]) -> None:
    """Raise RecursionError where data is nested too deeply, endlessly above all. `seen`: what was walked already."""
    if not isinstance(data, (dict, list, set, tuple)) or id(data) in seen:
        return
    if depth > _DEEPEST:
        raise RecursionError
    for below in data.values() if isinstance(data, dict) else data:
        _check_depth(below, depth + 1, seen)
    seen.add(id(data))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return f"'{text}'" if len(text) <= 60 else f"'{text[:57]}...'"


def parse_text(text: str, name: str, model: type[ModelT]) -> ModelT:
    """Read YAML text as `model`. Every fault is reported at once, each with its line in the file `name`."""
    return parse_data(load_text(text, name), text, name, model)


def parse_data(data: Any, text: str, name: str, model: type[ModelT]) -> ModelT:
    """The same of what was read from the text already."""
    if not isinstance(data, dict):
        raise UserError("is empty or no mapping", where=name, fix=f"Keys: {', '.join(model.model_fields)}.")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = [_explain(model, item, text) for item in error.errors(include_url=False)]
        raise UserErrors(
            [UserError(what, where=place(text, name, location), fix=fix) for what, location, fix in found]
        ) from None


def _explain(model: type[BaseModel], item: Any, text: str) -> tuple[str, Location, str]:
    """Say one pydantic fault in words: what, where in the document, what to do."""
    location = [part for part in item["loc"] if part != "[key]"]
    key = str(location[-1]) if location else ""
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key '{key}'", location, did_you_mean(key, _fields_at(model, location[:-1]))
    if kind == "missing":
        return f"'{key}' is missing", location[:-1], f"Add `{key}:` here."
    if kind == "invalid_key" or (kind == "string_type" and item["loc"][-1] == "[key]"):
        key = str(item["input"]) if item["loc"][-1] == "[key]" else key
        location = [*location[:-1], key]
        return f"the key {key} is no text", location, f'Quote it: "{key}".'
    if item["input"] is None:
        return f"'{key}' is empty", location, _give(model, location, kind)
    if kind in _MAPPING_KINDS or kind == "list_type":
        wanted = "list" if kind == "list_type" else "mapping"
        return f"'{key}' should be a {wanted} (it is {_brief(item['input'])})", location, _give(model, location, kind)
    if kind == "string_type" and not isinstance(item["input"], (dict, list)):
        word = written(text, location) or str(item["input"])
        known = _known(key)
        fix = f"Quote it; {did_you_mean(word, known)}" if known else f'Quote it: `{key}: "{word}"`.'
        return f"'{key}' should be text, and YAML reads {word} as a {_yaml_type(item['input'])}", location, fix
    if kind == "too_short":
        return f"'{key}' needs at least one entry", location, _give(model, location, kind)
    if kind == "literal_error":
        return f"'{key}' is {item['input']!r}", location, f"accepted: {context['expected']}"
    if kind == "string_pattern_mismatch":
        subject = "name" if item["loc"][-1] == "[key]" else f"'{key}'"
        return (
            f"{subject} {str(item['input'])!r} has characters or a length that is not accepted",
            location,
            (f"It must match {context['pattern']}."),
        )
    message = item["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    given = "" if isinstance(item["input"], (dict, list)) else f" (it is {item['input']!r})"
    return f"'{key}' {message}{given}" if key else message, location, _number_fix(kind, context)


_MAPPING_KINDS = ("model_type", "model_attributes_type", "dict_type", "dataclass_type", "mapping_type")


def _give(model: type[BaseModel], location: Location, kind: str) -> str:
    """What to write where nothing, too little or another kind of thing stands."""
    if kind == "list_type":
        return "Give a list: one `- …` for each entry."
    if kind in _MAPPING_KINDS or kind == "too_short":
        named = _is_dict(_annotation_at(model, location))
        fields = ", ".join(_fields_at(model, location))
        if named:
            return "Give at least one name" + (f", and below it: {fields}." if fields else " with its value.")
        return f"Give a mapping of: {fields}."
    return "Give it a value, or remove the key if you do not need it."


def _number_fix(kind: str, context: Mapping[str, Any]) -> str:
    bounds = {"ge": "{} or more", "gt": "more than {}", "le": "{} or less", "lt": "less than {}"}
    for name, words in bounds.items():
        if name in context:
            return f"Give {words.format(context[name])}."
    if kind.startswith("int_"):
        return "Give a whole number, without quotes."
    if kind.startswith("float_"):
        return "Give a number, without quotes."
    if kind.startswith("bool_"):
        return "Give true or false, without quotes."
    return "Give text." if kind == "string_type" else "Mend it; nothing was written."


def _known(key: str) -> Iterable[str]:
    """The words of a closed list that the key's value is one of."""
    from generator.facts.gpus import gpus
    from generator.facts.releases import releases

    return {"ray": releases, "gpu": gpus}.get(key, dict)()


def _yaml_type(value: Any) -> str:
    names = {bool: "truth value", int: "number", float: "number"}
    return names.get(type(value)) or ("date" if isinstance(value, datetime.date) else type(value).__name__)


def _brief(value: Any) -> str:
    return {dict: "a mapping", list: "a list"}.get(type(value)) or (
        _short(value) if isinstance(value, str) else repr(value)
    )


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that `model` knows at `location`, through mappings and optionals."""
    found = _model_in(_annotation_at(model, location))
    return [field.alias or name for name, field in found.model_fields.items()] if found else []


def _annotation_at(model: type[BaseModel], location: Location) -> Any:
    annotation: Any = model
    for part in location:
        annotation = _below(annotation, part)
    return annotation


def _is_dict(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    return origin is dict or (origin is not list and any(map(_is_dict, typing.get_args(annotation))))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in typing.get_args(annotation):
        found = _model_in(inner)
        if found:
            return found
    return None


def _below(annotation: Any, part: str | int) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return field.annotation if field else None
    if typing.get_origin(annotation) in (dict, list):
        return typing.get_args(annotation)[-1]
    for inner in typing.get_args(annotation):
        found = _below(inner, part)
        if found is not None:
            return found
    return None


def place(text: str, name: str, location: Location) -> str:
    """`file:line: a.b.c` of a location in a YAML text; as much of it as the text holds."""
    line = 0
    for key, _ in _path(text, location):
        line = key.start_mark.line + 1
    dotted = ".".join(str(part) for part in location)
    return f"{name}:{line}: {dotted}" if line else (f"{name}: {dotted}" if dotted else name)


def written(text: str, location: Location) -> str | None:
    """The word at a location as the YAML text has it (`2.60`, not the number 2.6); None where there is none."""
    nodes = list(_path(text, location))
    if location and len(nodes) == len(location) and isinstance(nodes[-1][1], yaml.ScalarNode):
        return nodes[-1][1].value
    return None


def _path(text: str, location: Location) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """The key and the value of every part of a location, as far as the text holds it."""
    node = _composed(text)
    for part in location:
        below = _below_node(node, part)
        if below is None:
            return
        yield below
        node = below[1]


@lru_cache(maxsize=1)
def _composed(text: str) -> yaml.Node | None:
    """The text's nodes, kept while the faults of one file are placed in it."""
    return yaml.compose(text, Loader=SAFE_LOADER)


def _below_node(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def dump_yaml(data: Any, *, header: str = "") -> str:
    """Return YAML text: keys in the order given, no anchors, the same bytes for the same data."""
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return comment + yaml.dump(data, Dumper=_IndentedDumper, sort_keys=False, allow_unicode=True, width=120)


def write_files(texts: Mapping[Path, str], *, remove: Iterable[Path] = ()) -> None:
    """Write every text beside its file and then rename: a reader never sees half a file, a fault leaves all as it was.

    All temporaries are on disk before the first rename, so a full disk or a forbidden folder changes nothing. What is
    to `remove` goes last; that it is gone already is no fault.
    """
    temporaries: list[tuple[str, Path]] = []
    path, verb = Path(), "written"
    try:
        for path, text in texts.items():
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "a folder has its name")
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            temporaries.append((temporary, path))
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            Path(temporary).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        while temporaries:
            temporary, path = temporaries[0]
            Path(temporary).replace(path)
            temporaries.pop(0)
        verb = "removed"
        for path in remove:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot be {verb}: {error.strerror}", where=str(path), fix=_file_fix(error)) from None
    finally:
        for temporary, _ in temporaries:
            with suppress(OSError):
                Path(temporary).unlink(missing_ok=True)


def _file_fix(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Make room on the disk, then run it again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "See that you may write its folder, then run it again."
    if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
        return "A file lies where a folder should be, or a folder where a file should: move it, then run it again."
    return "Mend that, then run it again."
