"""A repository of the Hugging Face hub, at one commit. Takes its id and, maybe, a branch, tag or commit.

Small files go to a temporary folder; of the weights only the headers are asked for. `huggingface_hub` is imported when
the hub is needed: folders are read without it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from generator.checkpoint.safetensors import Tensor
from generator.documents.json import load_json
from generator.errors import UserError

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True, kw_only=True)
class Hub:
    """What `source.Folder` says of a folder, of a repository."""

    only_config = False

    api: HfApi
    folder: str
    """Where small files are kept."""
    source: str
    revision: str | None
    """The commit."""
    names: frozenset[str]
    gated: bool
    card: dict[str, Any]

    @property
    def name(self) -> str:
        return self.source

    def where(self, name: str) -> str:
        return f"{self.source}/{name}"

    def text(self, name: str) -> str:
        path = self.api.hf_hub_download(self.source, name, revision=self.revision, local_dir=self.folder)
        return Path(path).read_text(encoding="utf-8", errors="replace")

    def json(self, name: str) -> dict[str, Any]:
        return load_json(self.text(name), self.where(name))

    def header(self, name: str) -> dict[str, Tensor]:
        header = self.api.parse_safetensors_file_metadata(self.source, name, revision=self.revision)
        return {key: Tensor.of(item.dtype, item.shape, item.data_offsets) for key, item in header.tensors.items()}


@contextmanager
def open_hub(repository: str, revision: str | None, tell: Callable[[str], None]) -> Iterator[Hub]:
    """Ask the hub for a repository. Whatever it or the way to it does wrong in this block becomes a UserError."""
    try:
        from huggingface_hub import HfApi, errors
        from huggingface_hub.utils import disable_progress_bars
    except ImportError:
        raise UserError(
            "reading the hub needs the Python package huggingface_hub, which is not installed here",
            where=repository,
            fix="Run: pip install huggingface_hub, or give a folder or its config.json.",
        ) from None
    # The library reads HF_TOKEN itself; the endpoint it would read only once, when it is imported.
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    # The library's errors derive from its HTTP client's, whichever that is in this release, and from OSError.
    transport = cast(tuple[type[Exception], ...], errors.HfHubHTTPError.__bases__)
    told: tuple[type[Exception], ...] = (*transport, OSError, errors.SafetensorsParsingError)
    disable_progress_bars()
    tell(f"asking the hub for {repository}" + (f" at {revision}" if revision else ""))
    with tempfile.TemporaryDirectory(prefix="checkpoint-") as folder:
        try:
            info = api.model_info(repository, revision=revision, timeout=30)
            card: Any = info.card_data
            yield Hub(
                api=api,
                folder=folder,
                source=repository,
                revision=info.sha,
                names=frozenset(sibling.rfilename for sibling in info.siblings or []),
                gated=bool(info.gated),
                card=card.to_dict() if card else {},
            )
        except told as error:
            what, fix = _explained(error, errors, f"{api.endpoint}/{repository}", revision)
            raise UserError(what, where=repository, fix=fix) from None


def _explained(error: Exception, errors: Any, page: str, revision: str | None) -> tuple[str, str]:
    """A fault in words, and what to do. `errors` is the library's module of that name; the first that fits counts."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    token = bool(os.environ.get("HF_TOKEN"))
    if isinstance(error, errors.GatedRepoError):
        first = "HF_TOKEN's account may not read it yet" if token else "no token was given"
        return (
            f"a gated model, and {first}",
            f"Accept the license at {page}, then set HF_TOKEN to a token of that account.",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return (
            f"the repository has no revision '{revision}'",
            f"Give a branch, tag or commit of {page}/commits/main, or leave --revision out.",
        )
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403, 404):
        secret = "HF_TOKEN may not read it" if token else "for a private one, set HF_TOKEN"
        return (
            "the hub has no such model, or shows it only to its owners",
            f"Check the spelling (upper and lower case count); {secret}.",
        )
    if isinstance(error, errors.SafetensorsParsingError):
        return (
            f"a safetensors header cannot be read: {error}",
            "Check the files at the hub, or give a folder with them.",
        )
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so the hub is not asked", "Unset it, or give a folder or its config.json."
    if status:
        reason = "too many requests" if status == 429 else f"status {status}"
        return (
            f"the hub does not answer as it should ({reason})",
            "Try again later, or give a folder or its config.json.",
        )
    if isinstance(error, OSError) and error.filename:
        return (
            f"{error.filename} cannot be written: {error.strerror}",
            "Make room there, or set TMPDIR to another folder.",
        )
    why = next(iter(str(error).splitlines()), type(error).__name__)
    return f"the hub cannot be reached ({why})", "Give a folder or its config.json: both work without network."
