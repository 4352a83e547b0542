"""Files of text: read with clear faults, written all or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from generator.errors import UserError, did_you_mean


def read_text(path: Path) -> str:
    """Return a file's text, line ends as they are, or raise a UserError that says why it cannot be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        if path.is_symlink():
            fix = "Fix the link, or remove it."
            raise UserError(f"is a link to {path.readlink()}, which is not there", where=str(path), fix=fix) from None
        near = did_you_mean(path.name, (p.name for p in path.parent.glob(f"*{path.suffix}"))) if path.suffix else ""
        raise UserError("no such file", where=str(path), fix=near or "Check the path.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8 text (byte {error.start})", where=str(path), fix="Save it as UTF-8.") from None
    except OSError as error:
        fix = "Give a file." if isinstance(error, IsADirectoryError) else "Check that you may read it."
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


def write_files(texts: Mapping[Path, str], *, remove: Iterable[Path] = ()) -> None:
    """Write every text beside its file and then rename: a reader never sees half a file, a fault leaves all as it was.

    All temporaries are on disk before the first rename, so a full disk or a forbidden folder changes nothing. What is
    to `remove` goes last; that it is gone already is no fault.
    """
    import tempfile  # late: commands that only read start without it

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
        return "Check that you may write its folder, then run it again."
    if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
        return "A file lies where a folder should be, or a folder where a file should: move it, then run it again."
    return "Fix that, then run it again."
