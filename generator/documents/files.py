"""Files of text: read with clear faults, written all or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from generator.errors import UserError, did_you_mean

MOST_BYTES = 100_000_000
"""More than any text that is read here has; the longest are the indexes of checkpoints, some 20 MB."""


def holds(question: Callable[[], bool]) -> bool:
    """The answer to `path.is_file` or its like; no where the system gives none (too long a name, no right to look)."""
    try:
        return question()
    except OSError:
        return False


def read_text(path: Path) -> str:
    """Return a file's text, line ends as they are, or raise a UserError that says why it cannot be read."""
    try:
        _check_ends(path)
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            what = f"is longer than {MOST_BYTES // 1_000_000} MB"
            raise UserError(what, where=str(path), fix="Give a file of YAML or JSON.")
        return data.decode()
    except FileNotFoundError:
        if path.is_symlink():
            fix = "Fix the link, or remove it."
            raise UserError(f"is a link to {path.readlink()}, which is not there", where=str(path), fix=fix) from None
        near = did_you_mean(path.name, _beside(path)) if path.suffix else ""
        raise UserError("no such file", where=str(path), fix=near or "Check the path.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8 text (byte {error.start})", where=str(path), fix="Save it as UTF-8.") from None
    except OSError as error:
        fix = _READ_FIXES.get(error.errno or 0, "Check that you may read it.")
        raise UserError(f"cannot be read: {error.strerror}", where=str(path), fix=fix) from None


_READ_FIXES = {
    errno.EISDIR: "Give a file.",
    errno.ENAMETOOLONG: "Check the path: no file has such a long name.",
    errno.ELOOP: "Fix the link, or remove it: it leads to itself.",
}


def _beside(path: Path) -> list[str]:
    """The files of the same kind in its folder; none where that cannot be listed."""
    with suppress(OSError):
        return [other.name for other in path.parent.iterdir() if other.suffix == path.suffix]
    return []


def _check_ends(path: Path) -> None:
    """Raise UserError for what never ends or is never written: devices, and pipes that lie in a folder.

    A pipe of the shell's, `<(…)` or /dev/stdin, is somebody's text. The path may be none at all (a NUL in it).
    """
    if "\0" in str(path):
        raise UserError("holds a NUL character, so it is no path", where=str(path), fix="Check the path.")
    mode = path.stat().st_mode
    from_shell = stat.S_ISFIFO(mode) and path.is_relative_to("/dev")
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode) and not from_shell:
        raise UserError("is a device, a socket or a pipe", where=str(path), fix="Give a file.")


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
