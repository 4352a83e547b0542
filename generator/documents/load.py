"""YAML text as data with line numbers, and data as the same bytes again; knows no format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from generator.documents.files import read_text
from generator.errors import UserError, cut, printable

SAFE_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""YAML's safe loader; the one in C where PyYAML was built with it."""
_Dumper: type = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

KeyPath = Sequence[str | int]


class _StrictLoader(SAFE_LOADER):  # type: ignore[misc]
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
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, TypeError, AttributeError):
            # What looks like a date or a number to YAML and is none: Python's own fault, without a line.
            problem = f"{short(getattr(node, 'value', ''))} is no valid {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


class _IndentedDumper(_Dumper):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.Node:
        """Text of several lines as lines, where YAML can: a file of code stays readable, and so does its diff."""
        style = "|" if "\n" in text else None
        node: yaml.Node = self.represent_scalar("tag:yaml.org,2002:str", text, style=style)
        return node


_IndentedDumper.add_representer(str, _IndentedDumper.represent_text)


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds. A syntax fault or a key given twice is a UserError with its line."""
    return load_text(read_text(path), str(path))


def load_text(text: str, name: str) -> Any:
    """Return what YAML text holds; `name` is the file that faults are reported in."""
    with _yaml_faults(name):
        _check_length(text, name)
        _check_depth(text)
        loader = _StrictLoader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _check_bounds(root, name)
            return loader.construct_document(root)
        finally:
            loader.dispose()


def load_documents(text: str, name: str) -> list[Any]:
    """Return what each document of YAML text holds, empty ones left out; for streams such as kubectl and helm print."""
    with _yaml_faults(name):
        _check_length(text, name)
        _check_depth(text)
        loader = _StrictLoader(text)
        values, documents = 0, []
        try:
            while loader.check_node():
                root = loader.get_node()
                values += _check_bounds(root, name, before=values)
                documents.append(loader.construct_document(root))
        finally:
            loader.dispose()
    return [document for document in documents if document is not None]


def check_bounds(text: str, name: str) -> None:
    """Raise UserError where YAML text is none, or is more than what walks it should meet; for those who load it."""
    with _yaml_faults(name):
        _check_length(text, name)
        _check_depth(text)
        root = yaml.compose(text, Loader=SAFE_LOADER)
        if root is not None:
            _check_bounds(root, name)


@contextmanager
def _yaml_faults(name: str) -> Iterator[None]:
    """What the parser raises, as a UserError in the file `name`."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        fix = "Fix the line. Text that looks like a number or a date needs quotes."
        raise UserError(f"not valid YAML: {error.problem or error.context}", where=where, fix=fix) from None
    except UnicodeEncodeError:
        raise UserError("holds half of a character (a lone surrogate)", where=name, fix="Remove it.") from None
    except yaml.YAMLError as error:
        raise UserError(f"not valid YAML: {error}", where=name, fix="Fix it.") from None
    except RecursionError:
        raise UserError(
            f"is nested more than {_DEEPEST} levels deep, or an anchor holds itself",
            where=name,
            fix="Write it flatter, without an alias (*) inside of its own anchor (&).",
        ) from None


# More than any file here needs, and few enough for everything that walks what was read.
_DEEPEST = 50
_SURELY_PARSED = 5_000
# Aliases (*) that stand for each other are a few lines of text and billions of values. Helm bounds them as well.
_MOST_REPEATED = 100_000
# Some 19,000 models of a few keys each; and text that is refused before it is parsed.
_MOST_VALUES = 500_000
_MOST_CHARACTERS = 10_000_000
# An int64, which is all that Helm and Kubernetes can hold, has no more digits.
_MOST_DIGITS = 19


def _check_length(text: str, name: str) -> None:
    if len(text) > _MOST_CHARACTERS:
        raise _too_much(f"has {len(text):,} characters, and at most {_MOST_CHARACTERS:,} are read", name)


def _too_much(what: str, name: str) -> UserError:
    return UserError(what, where=name, fix="Split it into several files; a release of Helm holds much less.")


def _check_depth(text: str) -> None:
    """Raise RecursionError where text is nested deeper than the parser in C can go without ending the process.

    A level takes a bracket or a column, so nearly every text is known to be flat without being parsed.
    """
    brackets = text.count("[") + text.count("{")
    if brackets + max(map(len, text.splitlines()), default=0) < _SURELY_PARSED:
        return
    depth = 0
    for event in yaml.parse(text, Loader=SAFE_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise RecursionError


def _check_bounds(root: yaml.Node, name: str, before: int = 0) -> int:
    """Return how many keys and values there are, written out.

    Raises RecursionError where the nodes are too deep, UserError where they, with those `before` them, or what aliases
    repeat, are too many. It is done before values are made of the nodes: already a merge (<<) writes them out.
    """
    whole: dict[int, int] = {}  # by node, how many it is with all that it repeats
    values = _whole_size(root, 0, whole)
    repeated = values - len(whole)
    if repeated > _MOST_REPEATED:
        raise UserError(
            f"its aliases (*) repeat more than {_MOST_REPEATED:,} values",
            where=name,
            fix="Write out what is meant; an alias of aliases of aliases grows tenfold with each step.",
        )
    if before + values > _MOST_VALUES:
        raise _too_much(f"has {before + values:,} keys and values, and at most {_MOST_VALUES:,} are read", name)
    return values


def _whole_size(node: yaml.Node, depth: int, whole: dict[int, int]) -> int:
    if id(node) in whole:
        return whole[id(node)]
    if depth > _DEEPEST:
        raise RecursionError
    size = 1
    if isinstance(node, yaml.MappingNode):
        size += sum(_whole_size(part, depth + 1, whole) for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_whole_size(part, depth + 1, whole) for part in node.value)
    else:
        _check_scalar(node)
    whole[id(node)] = size
    return size


def _check_scalar(node: yaml.Node) -> None:
    """Raise YAMLError at a number that a file can say and nobody who reads it can hold."""
    text = str(node.value)
    if node.tag == "tag:yaml.org,2002:int" and len(text) > _MOST_DIGITS:
        problem = f"{short(text)} is a number of more than {_MOST_DIGITS} digits"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def short(value: Any) -> str:
    """A value in quotes for a message, cut to a length that people read."""
    return f"'{cut(value if isinstance(value, str) else repr(value))}'"


class Origin(NamedTuple):
    """Where a document was written: the name of its file, its text, and the origin of what it is written over."""

    name: str
    text: str | None = None
    """None where it was made and not read."""
    under: Origin | None = None
    below: tuple[str, ...] = ()
    """The keys below which the document is written, where it is a part of one."""

    def location(self, path: KeyPath) -> str:
        """`file:line: a.b.c`, of the file that says the path."""
        path = (*self.below, *path)
        origin = self.of(path)
        return location(origin.text or "", origin.name, path)

    def written(self, path: KeyPath) -> str | None:
        """The word at a path as it is written; None where there is none."""
        path = (*self.below, *path)
        return written(self.of(path).text or "", path)

    def of(self, path: KeyPath) -> Origin:
        """The one that says most of the path; of several the narrowest."""
        return max(self._all(), key=lambda origin: len(list(_nodes(origin.text, path))) if origin.text else 0)

    def _all(self) -> Iterator[Origin]:
        yield self
        if self.under:
            yield from self.under._all()


def location(text: str, name: str, path: KeyPath) -> str:
    """`file:line: a.b.c` of a path in a YAML text; as much of it as the text holds."""
    line = 0
    for key, _ in _nodes(text, path):
        line = key.start_mark.line + 1
    dotted = dotted_path(path)
    return f"{name}:{line}: {dotted}" if line else (f"{name}: {dotted}" if dotted else name)


def dotted_path(path: KeyPath) -> str:
    """`models.m.llmConfig`."""
    return ".".join(cut(str(part)) for part in path)


def written(text: str, path: KeyPath) -> str | None:
    """The word at a path as the YAML text has it (`2.60`, not the number 2.6); None where there is none."""
    nodes = list(_nodes(text, path))
    if path and len(nodes) == len(path) and isinstance(nodes[-1][1], yaml.ScalarNode):
        return str(nodes[-1][1].value)
    return None


def _nodes(text: str, path: KeyPath) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """The key and the value of every part of a path, as far as the text holds it."""
    composed = _composed(text)
    node = composed.root
    for part in path:
        below = composed.below(node, part)
        if below is None:
            return
        yield below
        node = below[1]


class _Composed:
    """The nodes of a text. Those of a mapping are found by their keys: it may have thousands, and a fault in each."""

    def __init__(self, text: str) -> None:
        self.root: yaml.Node | None = yaml.compose(text, Loader=SAFE_LOADER)
        self._entries: dict[int, dict[Any, tuple[yaml.Node, yaml.Node]]] = {}

    def below(self, node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
        if isinstance(node, yaml.MappingNode):
            return self._entries_of(node).get(str(part))
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            return node.value[part], node.value[part]
        return None

    def _entries_of(self, node: yaml.MappingNode) -> dict[Any, tuple[yaml.Node, yaml.Node]]:
        if id(node) not in self._entries:
            scalars = [pair for pair in node.value if isinstance(pair[0], yaml.ScalarNode)]
            self._entries[id(node)] = {pair[0].value: pair for pair in reversed(scalars)}  # of equal ones the first
        return self._entries[id(node)]


@lru_cache(maxsize=1)
def _composed(text: str) -> _Composed:
    """Kept while the faults of one file are placed in it."""
    return _Composed(text)


def dump_yaml(data: Any, *, header: str = "") -> str:
    """Return YAML text: keys in the order given, no anchors, the same bytes for the same data.

    The header's lines are comments, in which YAML has no control characters.
    """
    comment = "".join(f"# {printable(line)}\n" for line in header.splitlines())
    return comment + yaml.dump(data, Dumper=_IndentedDumper, sort_keys=False, allow_unicode=True, width=120)
