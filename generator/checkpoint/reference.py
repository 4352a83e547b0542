"""What people type to name a checkpoint: a folder, a configuration file, or a hub id. Takes the words, opens nothing.

A folder or file that exists wins over a hub id, and needs no network.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from generator.errors import UserError, did_you_mean

CONFIG = "config.json"
GIVE = "Give a hub id such as tiiuae/Falcon3-7B-Instruct, a folder with config.json, or a config.json."


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One of the three is set."""

    text: str
    """As it was typed."""
    folder: Path | None = None
    config: Path | None = None
    """A configuration file, whatever its name."""
    repository: str = ""
    """Of the hub."""
    revision: str | None = None
    """Of the repository, where the address of its page says one."""


def reference_of(text: str) -> Reference:
    """Return what `text` names. Raises UserError where that is nothing that can be read."""
    text = text.strip()
    try:
        path = Path(text).expanduser()
        mode = path.stat().st_mode if text else 0
    except PermissionError as error:
        fix = "Check that you may read it."
        raise UserError(f"cannot be read: {error.strerror}", where=text, fix=fix) from None
    except (OSError, ValueError, RuntimeError):  # not there, or no path: too long, a NUL, an unknown user's home
        mode = 0
        if os.path.lexists(text):
            raise UserError("is a link that leads nowhere", where=text, fix="Fix the link, or remove it.") from None
    if stat.S_ISDIR(mode):
        return Reference(text=text, folder=path)
    if stat.S_ISREG(mode):
        return Reference(text=text, config=path)
    if mode:
        raise UserError("is neither a folder nor a file", where=text, fix=GIVE)
    return _repository(text)


def _repository(text: str) -> Reference:
    """A hub id: as given, or from the address of the repository's page."""
    address = re.fullmatch(r"https?://(?:huggingface\.co|hf\.co)/([^/]+/[^/?#]+)(?:/tree/([^/?#]+))?/?", text)
    name = address[1] if address else text
    if not address and (re.match(r"[./~]|[A-Za-z]:\\", text) or text.endswith(".json") or text.count("/") > 1):
        raise UserError("no such folder or file", where=text, fix=_near(text) or f"Check the path. {GIVE}")
    # The hub's own rule (huggingface_hub's validate_repo_id), which must hold before that package is asked for.
    part = r"[A-Za-z0-9_](?:[\w.-]{0,94}\w)?"
    if not re.fullmatch(f"{part}/{part}", name, re.ASCII) or re.search(r"--|\.\.|\.git$", name):
        raise UserError("is no hub id, and no folder or file here", where=f"'{text}'", fix=GIVE)
    return Reference(text=text, repository=name, revision=address[2] if address else None)


def _near(text: str) -> str:
    """The name beside a missing one that is much like it, as a question."""
    path = Path(text)
    try:
        near = did_you_mean(path.name, [other.name for other in path.parent.iterdir()])
    except (OSError, ValueError):
        return ""
    return near if near.startswith("did you") else ""
