"""Manifests as data: every object of files, folders and standard input, each with its place in words."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.documents.files import MOST_BYTES, holds, read_text
from generator.documents.json import load_json
from generator.documents.load import load_documents
from generator.documents.merge import JsonObject
from generator.errors import UserError, cut
from generator.formats.explain import not_json
from generator.formats.pod_rules import mapping, mappings

STDIN = "-"
_STANDARD_INPUT = "standard input"
_SUFFIXES = (".yaml", ".yml", ".json")
_ARCHIVES = (".tgz", ".gz", ".tar", ".zip")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One object of Kubernetes, or the values of a Helm chart."""

    data: JsonObject
    file: str

    @property
    def kind(self) -> str:
        return text_of(self.data.get("kind"))

    @property
    def name(self) -> str:
        return text_of(mapping(self.data.get("metadata")).get("name"))

    @property
    def where(self) -> str:
        """`llm.yaml: RayService/llm`."""
        said = f"{self.kind}/{self.name}".strip("/")
        file = Path(self.file).name
        return f"{file}: {cut(said)}" if said else file


def text_of(value: Any) -> str:
    """The value where it is text, else nothing."""
    return value if isinstance(value, str) else ""


def whole_of(value: Any) -> int | None:
    """The value where it is a whole number, also in quotes; charts quote many."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def plain_name(name: str, otherwise: str) -> str:
    """The name as pools and apps may have it: small letters, digits and -, a letter first, at most 40 characters."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].rstrip("-")
    plain = plain if plain[:1].isalpha() else f"{otherwise}-{plain}"[:40]
    return plain.strip("-")


def read_manifests(references: Sequence[str]) -> list[Manifest]:
    """Every object of these files, of the *.yaml, *.yml and *.json of these folders, and of standard input (`-`).

    Lists (`kind: List`) are taken apart. Raises UserError for what cannot be read, and where there is none at all.
    """
    texts = [text for reference in references for text in _texts(reference)]
    manifests = [each for file, text in texts for each in _manifests(text, file)]
    if not manifests:
        names = ", ".join(map(source_name, references))
        raise UserError("holds no object", where=cut(names, 200), fix="Give manifests, or values of a chart.")
    return manifests


def source_name(reference: str) -> str:
    """What manifests were read from, in words: a path, or standard input."""
    return _STANDARD_INPUT if reference == STDIN else reference


def _texts(reference: str) -> Iterator[tuple[str, str]]:
    """Name and text of every file."""
    path = Path(reference)
    if reference == STDIN:
        yield _STANDARD_INPUT, _standard_input()
    elif holds(path.is_dir):
        try:
            files = sorted(each for each in path.rglob("*") if each.suffix in _SUFFIXES and each.is_file())
        except OSError as error:
            raise UserError(f"cannot be listed: {error.strerror}", where=reference, fix="Check its rights.") from None
        if not files:
            raise UserError("holds no *.yaml, *.yml or *.json", where=reference, fix="Give the folder of manifests.")
        for file in files:
            yield str(file), read_text(file)
    elif path.suffix in _ARCHIVES:
        fix = "Unpack it, and give the manifests or values in it; of a chart also what `helm template` prints."
        raise UserError("is an archive", where=reference, fix=fix)
    else:
        yield reference, read_text(path)


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read(MOST_BYTES).decode()
    except UnicodeDecodeError:
        raise UserError("is not UTF-8 text", where=_STANDARD_INPUT, fix="Pipe YAML or JSON into it.") from None


def _manifests(text: str, file: str) -> Iterator[Manifest]:
    for document in _documents(text, file):
        if not isinstance(document, dict):
            raise UserError("holds a document that is no mapping", where=file, fix="Give manifests of Kubernetes.")
        if fault := next(not_json(document), None):
            raise UserError(fault.what, where=file, fix=fault.fix)
        if text_of(document.get("kind")).endswith("List") and isinstance(document.get("items"), list):
            yield from (Manifest(data=dict(item), file=file) for _, item in mappings(document["items"]))
        else:
            yield Manifest(data=document, file=file)


def _documents(text: str, file: str) -> list[Any]:
    """JSON is YAML but for its tabs, which YAML refuses."""
    try:
        return load_documents(text, file)
    except UserError:
        if not text.lstrip("\ufeff \t\r\n").startswith("{") or "\t" not in text:
            raise
        return load_documents(json.dumps(load_json(text, file)), file)
