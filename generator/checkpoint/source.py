"""Where a checkpoint is: a folder, one configuration file, or a hub repository. Takes the reference to it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from generator.checkpoint.hub import Hub, open_hub
from generator.checkpoint.reference import CONFIG, GIVE, Reference
from generator.checkpoint.safetensors import Tensor, read_header
from generator.documents.files import read_text
from generator.documents.json import load_json
from generator.documents.load import load_text
from generator.errors import UserError

_CARD = "README.md"


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
            if self._config != CONFIG:  # several lie in one folder
                return Path(self._config).stem
        return self.source

    @cached_property
    def names(self) -> frozenset[str]:
        try:
            return frozenset(CONFIG if p.name == self._config else p.name for p in self._path.iterdir())
        except OSError as error:
            fix = "Check that you may read it."
            raise UserError(f"cannot be read: {error.strerror}", where=str(self._path), fix=fix) from None

    @property
    def card(self) -> dict[str, Any]:
        """The facts at the top of the model card; none where there is no card, or none that can be read."""
        if _CARD not in self.names:
            return {}
        try:
            front = re.match(r"\ufeff?---\s*\n(.*?)\n---", self.text(_CARD), re.DOTALL)
            card = load_text(front[1], self.where(_CARD)) if front else None
        except UserError:
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
def open_source(reference: Reference, revision: str | None, tell: Callable[[str], None]) -> Iterator[CheckpointSource]:
    """Open the checkpoint, and keep what was fetched of it until the end of the block.

    Raises UserError where it is a file of another kind, or where the hub does not give the repository.
    """
    if reference.repository:
        with open_hub(reference.repository, revision or reference.revision, tell) as hub:
            yield hub
    elif revision:
        raise UserError("a folder has no revisions", where=reference.text, fix="Leave --revision out.")
    elif reference.folder is not None:
        yield Folder(reference.folder)
    elif reference.config is not None and reference.config.suffix == ".json":
        yield Folder(reference.config.parent, config=reference.config.name)
    else:
        raise UserError("is neither a folder nor a config.json", where=reference.text, fix=GIVE)
