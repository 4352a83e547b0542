"""Where a checkpoint is: a folder, one configuration file, or a hub repository. Takes what people typed.

A folder or file that exists wins over a hub id, and needs no network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from generator.checkpoint.hub import Hub, open_hub
from generator.checkpoint.safetensors import Tensor, read_header
from generator.documents.files import read_text
from generator.documents.json import load_json
from generator.errors import UserError, did_you_mean

CONFIG = "config.json"
_CARD = "README.md"
_GIVE = "Give a hub id such as tiiuae/Falcon3-7B-Instruct, a folder with config.json, or a config.json."


class Folder:
    """A folder, or one configuration file of it, whichever the file's own name is."""

    gated = False

    def __init__(self, path: Path, *, config: str | None = None) -> None:
        self._path = Path(os.path.normpath(path.absolute()))  # links stay: a hub snapshot is a folder of links
        self._config = config or CONFIG
        self.only_config = config is not None
        self.source, self.revision = str(self._path), None
        # The hub's own cache keeps repository and commit in the path: …/models--org--name/snapshots/<commit>.
        cached = re.search(r"/models--([^/]+?)--([^/]+)/snapshots/([0-9a-f]{40})$", self._path.as_posix())
        if cached:
            self.source, self.revision = f"{cached[1]}/{cached[2]}", cached[3]

    @property
    def name(self) -> str:
        """What the model is called: a configuration alone may say it, for its folder's name says nothing."""
        if self.only_config and self.revision is None:
            named = self.json(CONFIG).get("_name_or_path")
            if isinstance(named, str) and re.fullmatch(r"[\w.-]+/[\w.-]+", named):
                return named
        return self.source

    @cached_property
    def names(self) -> frozenset[str]:
        try:
            return frozenset(CONFIG if p.name == self._config else p.name for p in self._path.iterdir())
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", where=str(self._path)) from None

    @property
    def card(self) -> dict[str, Any]:
        """The facts at the top of the model card; none where there is no card, or none that can be read."""
        front = re.match(r"\ufeff?---\s*\n(.*?)\n---", self.text(_CARD), re.DOTALL) if _CARD in self.names else None
        try:
            card = yaml.safe_load(front[1]) if front else None
        except yaml.YAMLError:
            card = None
        return card if isinstance(card, dict) else {}

    def where(self, name: str) -> str:
        return str(self._path / (self._config if name == CONFIG else name))

    def text(self, name: str) -> str:
        return read_text(Path(self.where(name)))

    def json(self, name: str) -> dict[str, Any]:
        """The JSON object in one of its files. Raises UserError where that holds none."""
        return load_json(self.text(name), self.where(name))

    def header(self, name: str) -> dict[str, Tensor]:
        return read_header(Path(self.where(name)))


CheckpointSource = Folder | Hub


@contextmanager
def open_source(reference: str, revision: str | None, tell: Callable[[str], None]) -> Iterator[CheckpointSource]:
    """Find the checkpoint, and keep what was fetched of it until the end of the block.

    Raises UserError where `reference` is none of the three, or where the hub does not give the repository.
    """
    path = Path(reference).expanduser()
    if reference and path.exists():
        yield _folder(path, reference, revision)
        return
    repository, revision = _repository(reference, path, revision)
    with open_hub(repository, revision, tell) as hub:
        yield hub


def _folder(path: Path, reference: str, revision: str | None) -> Folder:
    if revision:
        raise UserError("a folder has no revisions", where=reference, fix="Leave --revision out.")
    if path.is_dir():
        return Folder(path)
    if path.suffix == ".json":
        return Folder(path.parent, config=path.name)
    raise UserError("is neither a folder nor a config.json", where=reference, fix=_GIVE)


def _repository(reference: str, path: Path, revision: str | None) -> tuple[str, str | None]:
    """The hub id, and the revision that was asked for: as given, or from the address of the repository's page."""
    address = re.fullmatch(r"https?://(?:huggingface\.co|hf\.co)/([^/]+/[^/?#]+)(?:/tree/([^/?#]+))?/?", reference)
    if address:
        reference, revision = address[1], revision or address[2]
    elif re.match(r"[./~]|[A-Za-z]:\\", reference) or reference.endswith(".json") or reference.count("/") > 1:
        near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        fix = near if near.startswith("did you") else f"Check the path. {_GIVE}"
        raise UserError("no such folder or file", where=reference, fix=fix)
    # The hub's own rule (huggingface_hub's validate_repo_id), which must hold before that package is asked for.
    part = r"[A-Za-z0-9_](?:[\w.-]{0,94}\w)?"
    if not re.fullmatch(f"{part}/{part}", reference, re.ASCII) or re.search(r"--|\.\.|\.git$", reference):
        raise UserError(f"'{reference}' is no hub id, and no folder or file here", where="add", fix=_GIVE)
    return reference, revision
