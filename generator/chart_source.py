"""Where a chart is taken from, as a folder or an archive on this machine; helm pulls what lies elsewhere, once."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from generator import __version__
from generator.cache import cache_folder
from generator.documents.files import holds
from generator.errors import UserError
from generator.facts.files import DATA
from generator.helm import clean_message, run_helm
from generator.progress import Report

FORMS = "a folder, a .tgz, oci://<registry>/<chart>, https://<repository>/<chart> or <repository>/<chart>"
_OF_A_REPOSITORY = re.compile(r"[\w-]+/[\w.-]+(:[\w.+-]+)?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def packaged_chart() -> Path:
    """The chart that came with this package; in a clone, the clone's."""
    for folder in (DATA / "chart", DATA.parents[1] / "chart"):
        if (folder / "Chart.yaml").is_file():
            return folder
    raise UserError("this installation has no chart", where=str(DATA), fix="Install the package again.")


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A chart in a registry, in a repository or at an address, as helm is told of it."""

    arguments: tuple[str, ...]
    """With the version, where one is chosen."""
    host: str
    """With its port; of a repository that helm knows by a name, that name."""
    key: str
    """What tells it from others in the cache: its name, and a hash of everything."""


def chart_at(reference: str, *, root: Path, where: str, report: Report) -> Path:
    """The folder or archive of a chart. A relative path begins at `root`, `where` is who names it.

    Without a version behind it, what is pulled is this package's own: its values are for that one. It is taken once, so
    a version that is published again under its number is not seen. Raises UserError for what is not there, and for
    whatever helm answers.
    """
    path = root / Path(reference).expanduser()
    if holds(path.exists):
        return _checked(path, where)
    remote = remote_chart(reference, where=where)
    if remote is None:
        raise UserError(f"no chart at '{path}'", where=where, fix=f"Name a chart: {FORMS}.")
    folder = cache_folder() / "charts" / remote.key
    archives = sorted(folder.glob("*.tgz"))
    return archives[0] if archives else _pulled(remote, folder, reference, where, report)


def _checked(path: Path, where: str) -> Path:
    if path.is_dir() and not (path / "Chart.yaml").is_file():
        raise UserError(f"'{path}' has no Chart.yaml", where=where, fix=f"Name a chart: {FORMS}.")
    if not path.is_dir() and not _is_archive(path, where):
        raise UserError(f"'{path}' is no archive of a chart", where=where, fix=f"Name a chart: {FORMS}.")
    return path


def _is_archive(path: Path, where: str) -> bool:
    """Whether it is a .tgz with `<chart>/Chart.yaml` in it, as `helm package` makes it; no member is unpacked."""
    try:
        if not path.is_file():  # a device or a pipe, whose reading may never end
            return False
        with tarfile.open(path, "r:gz") as archive:
            return any(name.count("/") == 1 and name.endswith("/Chart.yaml") for name in archive.getnames())
    except (tarfile.TarError, EOFError, zlib.error):
        return False
    except OSError as error:
        if error.errno is None:  # what gzip says of another kind of file
            return False
        fix = "Check that you may read it."
        raise UserError(f"'{path}' cannot be read: {error.strerror}", where=where, fix=fix) from None


def remote_chart(reference: str, *, where: str) -> Remote | None:
    """The chart that helm would pull; None where the reference is a path of this machine."""
    scheme, separator, _ = reference.partition("://")
    if not separator and (reference.endswith(".tgz") or not _OF_A_REPOSITORY.fullmatch(reference)):
        return None
    address = urlsplit(reference if separator else f"//{reference}")
    if separator and scheme not in ("oci", "https", "http"):
        raise UserError(f"'{scheme}://' is no place of charts", where=where, fix=f"Name a chart: {FORMS}.")
    if "@" in address.netloc:
        raise UserError(
            "the chart's address has a login in it",
            where=where,
            fix="Take it out, and give it to helm: `helm registry login`, or `helm repo add NAME URL --username …`.",
        )
    if reference.rpartition("/")[2].startswith("-") or reference.startswith("-"):
        raise UserError(f"'{reference}' is no name of a chart", where=where, fix=f"Name a chart: {FORMS}.")
    arguments = _arguments(reference, scheme if separator else "")
    if scheme == "oci" and address.hostname in _LOOPBACK:
        arguments += ["--plain-http"]  # as containerd and docker do: nobody has a certificate for it
    digest = hashlib.sha256(" ".join(arguments).encode()).hexdigest()[:12]
    name = re.split("[:@]", reference.rpartition("/")[2])[0]
    return Remote(arguments=tuple(arguments), host=address.netloc, key=f"{name}-{digest}")


def _arguments(reference: str, scheme: str) -> list[str]:
    """What `helm pull` is told: the chart, and its version where the reference itself is not that of one."""
    if "@sha256:" in reference or (scheme in ("https", "http") and reference.endswith(".tgz")):
        return [reference]
    base, version = _version_behind(reference)
    if scheme in ("https", "http"):
        repository, _, name = base.rpartition("/")
        return [name, "--repo", repository, "--version", version]
    return [base, "--version", version]


def _version_behind(reference: str) -> tuple[str, str]:
    """The reference without its version, and the version; this package's own where it says none."""
    found = re.search(r":([\w.+-]+)$", reference.rpartition("/")[2])
    if found is None:
        return reference, __version__
    return reference[: -len(found[0])], found[1]


def _pulled(remote: Remote, folder: Path, reference: str, where: str, report: Report) -> Path:
    report(f"pulling {' '.join(remote.arguments)}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
            done = run_helm(["pull", *remote.arguments, "--destination", fresh], where=where)
            if done.returncode:
                raise _refused(clean_message(done.stderr), remote, reference, where)
            archive = next(Path(fresh).glob("*.tgz"))
            folder.mkdir(exist_ok=True)
            return archive.replace(folder / archive.name)
    except OSError as error:
        fix = "Make room, or name another folder with RAY_SERVE_LLM_CACHE."
        raise UserError(f"cannot be written: {error.strerror}", where=str(folder), fix=fix) from None


_ANSWERS: Mapping[str, tuple[str, str]] = {
    r"\b401\b|\b403\b|unauthorized|denied|authentication required|basic credential": (
        "{host} lets nobody have it without a login",
        "Log in with `helm registry login {host}`; to a repository with `helm repo add NAME URL --username …`.",
    ),
    r"no such host|connection refused|dial tcp|timeout|deadline|unreachable|certificate|TLS|HTTPS client|EOF$": (
        "{host} cannot be reached: {said}",
        "Check the address and the network, or fetch the chart elsewhere with `helm pull` and name the .tgz.",
    ),
    r"repo \S+ not found|no repositories|no cached repo": (
        "helm knows no repository '{host}'",
        "Name it with `helm repo add {host} URL`, or write https://<repository>/<chart>.",
    ),
    r"not found|\b404\b|no chart (version|name)|improper constraint": (
        "no such chart, or not of this version: {said}",
        "Check the name, and the version behind it (:1.2.3); without one it is {version}, as that of this command.",
    ),
}
"""By what helm says, in this order: what is wrong and what to do."""


def _refused(said: str, remote: Remote, reference: str, where: str) -> UserError:
    for pattern, (what, fix) in _ANSWERS.items():
        if re.search(pattern, said, re.IGNORECASE):
            words = {"host": remote.host, "said": said, "version": __version__}
            return UserError(f"{reference}: {what.format(**words)}", where=where, fix=fix.format(**words))
    return UserError(f"{reference}: {said}", where=where, fix=f"Name a chart: {FORMS}.")


def helm_words(reference: str, *, root: Path, where: str) -> str:
    """How the chart of a reference is named on helm's own command line, run in this folder."""
    path = root / Path(reference).expanduser()
    remote = None if holds(path.exists) else remote_chart(reference, where=where)
    return shlex.join(remote.arguments) if remote else shlex.quote(os.path.relpath(path))
