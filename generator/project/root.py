"""Where a project is. Apart from what it holds, since every command asks it and few read a catalog."""

from __future__ import annotations

import os
from pathlib import Path


def root_around(folder: Path) -> Path | None:
    """The folder of the project that a folder is, or lies in; None outside of one."""
    for candidate in (folder, *folder.absolute().parents):
        if all((candidate / name).is_dir() for name in ("catalog", "environments")):
            return folder if candidate == folder else Path(os.path.relpath(candidate, folder))
    return None
