"""Where each key and value of a YAML text stands. Takes the text; gives positions, in characters from its beginning.

YAML libraries that write a document back re-wrap, re-quote or re-indent some of it. With the positions only those
characters are replaced that are meant, and every other byte stays as people wrote it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import yaml

from generator.documents.load import SAFE_LOADER


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One key of a mapping."""

    value: yaml.Node
    """The node of the value; of an alias, the one that was written above."""
    aliased: bool
    key_start: int
    column: int
    """Of the key, from 0."""
    colon: int
    """Behind the colon."""
    start: int
    """Of the value as it is written here; behind the colon where nothing is."""
    end: int
    """Behind the last character, comments not included."""
    comma: int | None
    """The comma that parts it from the next one, in a flow mapping."""


class Edit(NamedTuple):
    """Put `new` in place of text[start:end]."""

    start: int
    end: int
    new: str


class YamlDocument:
    """Raises yaml.YAMLError where the text is no YAML."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root: yaml.Node | None = yaml.compose(text, Loader=SAFE_LOADER)
        self._starts: list[int] = []  # of every token with characters of its own; what parts entries is apart
        self._ends: list[int] = []
        self._commas: list[int] = []
        for token in yaml.scan(text, Loader=SAFE_LOADER):
            start, end = token.start_mark.index, token.end_mark.index
            if isinstance(token, yaml.FlowEntryToken):
                self._commas.append(start)
            elif start < end and not isinstance(token, yaml.KeyToken):
                block_text = isinstance(token, yaml.ScalarToken) and token.style in ("|", ">")
                self._starts.append(start)
                self._ends.append(len(text[:end].rstrip()) if block_text else end)

    def entries(self, node: yaml.Node | None) -> dict[str, Entry]:
        """Return a mapping's entries by key, in their order; none for any other node."""
        if not isinstance(node, yaml.MappingNode):
            return {}
        limits = [key.start_mark.index for key, _ in node.value[1:]] + [node.end_mark.index - bool(node.flow_style)]
        pairs = zip(node.value, limits, strict=False)  # an empty mapping has a limit, too
        return {key.value: self._entry(key, value, limit) for (key, value), limit in pairs}

    def _entry(self, key: yaml.Node, value: yaml.Node, limit: int) -> Entry:
        """`limit` is where the next key begins, or the mapping's end. The parser ends a block only there, too late."""
        last = bisect_right(self._ends, limit) - 1
        colon = min(bisect_left(self._starts, key.end_mark.index), last)
        end = self._ends[last]
        comma = bisect_left(self._commas, end)
        return Entry(
            value=value,
            aliased=value.start_mark.index < key.start_mark.index,
            key_start=key.start_mark.index,
            column=key.start_mark.column,
            colon=self._ends[colon],
            start=self._starts[colon + 1] if colon < last else self._ends[colon],
            end=end,
            comma=self._commas[comma] if comma < len(self._commas) and self._commas[comma] < limit else None,
        )

    def line_end(self, position: int) -> int:
        """The end of the line, its line break not included."""
        line_break = re.compile(r"\r?\n").search(self.text, position)
        return line_break.start() if line_break else len(self.text)

    @property
    def line_break(self) -> str:
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    def indentation(self, entries: Iterable[Entry]) -> int:
        """By how much people indent, as the first entry that is a block shows."""
        for entry in entries:
            block = isinstance(entry.value, yaml.MappingNode) and entry.value.value and not entry.value.flow_style
            if block and not entry.aliased:
                return int(entry.value.value[0][0].start_mark.column - entry.column)
        return 2

    def apart(self, entries: Iterable[Entry]) -> bool:
        """Do people leave an empty line between entries? Where there is no saying yet, they do."""
        gaps = (self.text[self.line_end(before.end) : after.key_start] for before, after in pairwise(entries))
        return all(re.search(r"\n[ \t]*\r?\n", gap) for gap in gaps)

    def after_own_comments(self, entry: Entry) -> int:
        """Behind an entry's line, and the comments below that are indented deeper than its key: they are about it."""
        deeper = re.compile(rf"(?:\r?\n[ \t]*)*\r?\n {{{entry.column + 1},}}#[^\r\n]*")
        position = self.line_end(entry.end)
        while comment := deeper.match(self.text, position):
            position = comment.end()
        return position

    def after(self, entry: Entry, lines: Iterable[str], *, blank: bool = False) -> Edit:
        """Put lines behind an entry and what belongs to it; `blank`: behind an empty line."""
        position = self.after_own_comments(entry)
        added = "".join(self.line_break + line for line in lines)
        return Edit(position, position, self.line_break * blank + added)

    def at_the_end(self, place: Entry, lines: Callable[[int], Iterable[str]], *, apart: bool = False) -> Edit:
        """Put lines at the end of the block mapping at `place`; in an empty one in the place of `{}` or nothing.

        `lines` gives them for the column at which they begin. `apart`: behind an empty line, where people leave one
        between entries.
        """
        present = list(self.entries(place.value).values())
        if present:
            last = present[-1]
            return self.after(last, lines(last.column), blank=apart and self.apart(present))
        line_end = self.line_end(place.end)
        comment = self.text[place.end : line_end]  # people's
        return Edit(place.colon, line_end, self.line_break.join([comment, *lines(place.column + 2)]))

    def removal(self, node: Any, entry: Entry, before: Entry | None) -> Iterator[Edit]:
        """Take a key out, and leave people's comments on it where they are. Another key must stay.

        `before` is the key before it where no key after it stays, else None: in a flow mapping its comma goes too.
        """
        text, start, end = self.text, entry.key_start, entry.end
        if node.flow_style:
            comma = before.comma if before else entry.comma
            assert comma is not None, "something stays, so a comma parts the two"
            between = text[comma + 1 : start] if before else text[end:comma]
            if between.strip():  # a comment
                yield Edit(comma, comma + 1, "")
                yield Edit(start, end, "")
            elif before:
                yield Edit(comma, end, "")
            else:
                rest = text[comma + 1 :]
                yield Edit(start, comma + 1 + len(rest) - len(rest.lstrip(" \t")), "")
            return
        line_start, line_end = text.rfind("\n", 0, start) + 1, self.line_end(end)
        if text[line_start:start].strip():
            yield Edit(start, end, "")
        elif text[end:line_end].strip():  # a comment stays, on a line of its own
            yield Edit(start, line_end - len(text[end:line_end].lstrip()), "")
        else:
            yield Edit(line_start, text.find("\n", end) + 1 or len(text), "")

    def without(self, node: Any, key: str) -> str:
        """The text without a key of a mapping that keeps others, and without what is said of it alone.

        That is what is below it, the comment on its line, those that are indented deeper, and one of two empty lines.
        """
        entries = self.entries(node)
        entry = entries[key]
        if node.flow_style:
            present = list(entries)
            before = entries[present[-2]] if present[-1] == key else None
            return self.edited(self.removal(node, entry, before))
        head = self.text[: self.text.rfind("\n", 0, entry.key_start) + 1]
        rest = self.text[self.text.find("\n", self.after_own_comments(entry)) + 1 or len(self.text) :]
        if re.search(r"\n[ \t]*\r?\n\Z", head):
            rest = re.sub(r"\A(?:[ \t]*\r?\n)+", "", rest)
            head = head if rest else head.rstrip() + self.line_break
        return head + rest

    def edited(self, edits: Iterable[Edit]) -> str:
        """Return the text with the edits, which must not overlap."""
        text = self.text
        for edit in sorted(edits, reverse=True):
            text = text[: edit.start] + edit.new + text[edit.end :]
        return text


def loads_as(text: str, value: Any) -> bool:
    """Does this YAML text say this value?"""
    try:
        return bool(yaml.load(text, Loader=SAFE_LOADER) == value)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False  # also what looks like a date or a number and is none
