"""Documents as a stranger could have written them: real ones, a few changes away. For tests/fuzz.

`mutated(seeds)` is a hypothesis strategy of data (what JSON or YAML hold), `damaged(seeds)` one of text. Both shrink
to few and simple changes. A seed is never changed itself.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2, 3, 0.5, -0.5, 1.5, True, False, 10**4, 2**31, 2**63, 2**64, 10**20, 10**58, 10**400, -(10**400),
    1e-300, 1e300, math.inf, -math.inf, math.nan,
)  # fmt: skip
TEXTS: tuple[str, ...] = (
    "", " ", "0", "-1", "1e999", "null", "true", "2024-99-99", "0b_", "*", "&a", "{{ .Values }}", "$(id)", "../../etc",
    "a\nb", "a\0b", "\x1b[31mred\x1b]0;title\a", "\u202e\u2028", "\x9b1m", "ä日本😀", "\ud800", "'\"`\\", "x" * 300,
    "[" * 3000, "x" * 100_000,
)  # fmt: skip
EMPTY: tuple[Any, ...] = (None, [], {}, [[]], [None], {"": None}, [{}], {"a": {"b": {"c": [1]}}})
STRANGE_KEYS: tuple[Any, ...] = (1, -1, 1.5, True, None, "", "a b", "a.b", "a\nb", "\x1b[31m", "x" * 300, "ä日本😀")
"""The first five are YAML's alone; JSON makes text of them."""

_Place = tuple[Any, Any]  # a container, and the key or index in it


def mutated(seeds: Sequence[Any], *, most: int = 4) -> st.SearchStrategy[Any]:
    """One of the seeds with 1 to `most` changes, each anywhere in it.

    A change drops, renames, moves or inserts an entry, or puts in its place another type, an extreme number, odd text,
    nothing, or what stands elsewhere in the document.
    """
    return _mutated(tuple(seeds), most)


@st.composite
def _mutated(draw: st.DrawFn, seeds: tuple[Any, ...], most: int) -> Any:
    document = [copy.deepcopy(draw(st.sampled_from(seeds)))]  # in a list, so that the whole can be replaced as well
    for _ in range(draw(st.integers(1, most))):
        if places := _places(document):
            change = draw(st.sampled_from(CHANGES))
            change(draw, draw(st.sampled_from(places)), places)
    return document[0] if document else None


def _places(document: Any) -> list[_Place]:
    """Every entry of every mapping and list, the outermost first."""
    found: list[_Place] = []
    waiting = [document]
    while waiting:
        container = waiting.pop()
        for key in container if isinstance(container, dict) else range(len(container)):
            found.append((container, key))
            if isinstance(container[key], (dict, list)):
                waiting.append(container[key])
    return found


def _drop(draw: st.DrawFn, place: _Place, places: list[_Place]) -> None:
    container, key = place
    del container[key]


def _rename(draw: st.DrawFn, place: _Place, places: list[_Place]) -> None:
    """Another name for the entry: an odd one, one that another entry has, or its own with a letter more or less."""
    container, key = place
    if isinstance(container, list):
        container.insert(draw(st.integers(0, len(container))), container.pop(key))
        return
    others = [other for _, other in places if isinstance(other, str)] or ["x"]
    own = [key + "x", key[1:]] if isinstance(key, str) else ["x"]
    container[draw(st.sampled_from([*STRANGE_KEYS, *others, *own]))] = container.pop(key)


def _copy(draw: st.DrawFn, place: _Place, places: list[_Place]) -> None:
    """What stands elsewhere stands here as well."""
    source, of = draw(st.sampled_from(places))
    _put(place, copy.deepcopy(source[of]))


def _insert(draw: st.DrawFn, place: _Place, places: list[_Place]) -> None:
    """An entry more, beside this one."""
    container, _ = place
    value = draw(VALUES)
    if isinstance(container, list):
        container.insert(draw(st.integers(0, len(container))), value)
    else:
        others = [other for _, other in places if isinstance(other, str)] or ["x"]
        container[draw(st.sampled_from([*STRANGE_KEYS, *others]))] = value


def _replace(draw: st.DrawFn, place: _Place, places: list[_Place]) -> None:
    _put(place, draw(VALUES))


def _retype(draw: st.DrawFn, place: _Place, places: list[_Place]) -> None:
    """The same in another type: a number as text, text as a list, a list as a mapping, and so on."""
    container, key = place
    value = container[key]
    others: list[Any] = [[value], {"a": value}, bool(value), None]
    if isinstance(value, (int, float, str)):
        others += [str(value), [value, [value]], {str(value): value}]
    if isinstance(value, list):
        others += [dict(enumerate(value)), value * 2, value[::-1], *value[:1]]
    if isinstance(value, dict):
        others += [list(value), list(value.values())]
    _put(place, draw(st.sampled_from(others)))


def _extreme(draw: st.DrawFn, place: _Place, places: list[_Place]) -> None:
    """An extreme number in the place of a number, where there is one."""
    numbers = [p for p in places if isinstance(p[0][p[1]], (int, float))] or [place]
    _put(draw(st.sampled_from(numbers)), draw(st.sampled_from(NUMBERS)))


def _put(place: _Place, value: Any) -> None:
    container, key = place
    container[key] = value


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(EMPTY).map(copy.deepcopy),
    st.sampled_from(TEXTS),
    st.integers(),
    st.text(max_size=8),
)
CHANGES: tuple[Callable[[st.DrawFn, _Place, list[_Place]], None], ...] = (
    _drop, _rename, _insert, _copy, _retype, _replace, _extreme,
)  # fmt: skip


def damaged(seeds: Sequence[str], *, most: int = 4) -> st.SearchStrategy[str]:
    """One of the texts with 1 to `most` changes: a part cut out or doubled, or odd text put in."""
    return _damaged(tuple(seeds), most)


@st.composite
def _damaged(draw: st.DrawFn, seeds: tuple[str, ...], most: int) -> str:
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        part = draw(
            st.sampled_from(
                ["", text[start:end] * 2, *TEXTS, "\t", "- ", ": ", "? ", "!!python/name:os.system ", "<<: *a", "---\n"]
            )
        )
        text = text[:start] + part + text[end:]
    return text
