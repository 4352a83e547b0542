"""The CPU image: built from images/cpu/Containerfile by docker, podman or buildah, kept as an archive in the cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from generator.cache import cache_folder
from generator.errors import UserError
from generator.units import GIB

from . import packages
from .machine import unmount_below
from .settings import ROOT, run, say

NAME = "localhost/ray-serve-llm-cpu:2.60.0"
CONTAINERFILE = "images/cpu/Containerfile"
INPUTS = (CONTAINERFILE, "requirements/bootstrap.txt", "requirements/engine.txt", "tools/tiny_checkpoints.py")
SUITE = "bookworm"
DISK_GIB = 25
"""Free space that a build needs at its peak: unpacked packages, the committed layer and the archive."""


def archive() -> Path:
    """The image as a docker archive for `ctr`, `kind` or `docker load`; it is built unless its inputs are unchanged."""
    digest = hashlib.sha256()
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes())
    target = cache_folder() / "images" / f"cpu-{digest.hexdigest()[:12]}.tar"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free / GIB
        if free < DISK_GIB:
            raise UserError(
                f"{free:.0f} GiB free, and building the CPU image needs {DISK_GIB} GiB",
                where=str(target.parent),
                fix="Free some space, or put the cache elsewhere: RAY_SERVE_LLM_CACHE=/other/disk make image",
            )
        for old in target.parent.glob("cpu-*.tar*"):
            old.unlink()
        unfinished = target.with_suffix(".tar.new")
        _build(unfinished)
        unfinished.rename(target)
    return target


def load(import_archive: Callable[[Path], None], folder: Path, *, present: list[str]) -> None:
    """Bring the image to a cluster's node unless it has this build of it; `folder` remembers which one it has."""
    file, stamp = archive(), folder / "cpu-image"
    if NAME in present and stamp.exists() and stamp.read_text() == file.name:
        return
    say(f"loading {NAME} (minutes)")
    import_archive(file)
    stamp.write_text(file.name)


def docker_answers() -> bool:
    """Whether Docker's daemon answers, and not its command alone."""
    return bool(shutil.which("docker")) and subprocess.run(["docker", "info"], capture_output=True).returncode == 0


def builder() -> str:
    """Which program builds: docker where its daemon answers, else podman, else buildah."""
    if docker_answers():
        return "docker"
    for name in ("podman", "buildah"):
        if shutil.which(name):
            return name
    packages.require("buildah")
    return "buildah"


BUILDAH_MAKES = [Path("/etc/cni/net.d/cni.lock"), Path("/etc/cni/net.d"), Path("/etc/cni")]
"""For networks, of which no build of ours has any, wherever its storage is."""


def _build(target: Path) -> None:
    name = builder()
    say(f"building the CPU image with {name} (about 6 GiB; minutes, once)")
    # Storage of our own, so that a build leaves nothing on the machine but the archive. Docker has but its own.
    storage = Path(tempfile.mkdtemp(prefix="image-build-", dir=target.parent))
    made = [] if name != "buildah" or os.geteuid() else [path for path in BUILDAH_MAKES if not path.exists()]
    program = [name]
    if name != "docker":
        program += ["--root", str(storage / "root"), "--runroot", str(storage / "run")]
    try:
        _stream([*program, "build", *_build_options(program, storage), str(ROOT)])
        say("writing the archive")
        _export(program, target)
    finally:
        unmount_below(storage)
        shutil.rmtree(storage, ignore_errors=True)
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()


def _build_options(program: list[str], storage: Path) -> list[str]:
    options = ["--file", CONTAINERFILE, "--tag", NAME, "--network", "host"]
    if program[0] == "buildah":
        # Without systemd or user namespaces there is nothing to isolate with but chroot.
        options += ["--isolation", "chroot"]
    authorities = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    if Path(authorities).exists():
        options += ["--secret", f"id=ca,src={authorities}"]
    base = _base(program, storage)
    if base:
        options += ["--build-arg", f"BASE={base}"]
    return options


def _export(program: list[str], target: Path) -> None:
    """Write the image as an archive, and leave it nowhere else."""
    if program[0] == "docker":
        _stream(["docker", "save", "--output", str(target), NAME])
        _stream(["docker", "image", "rm", NAME])
    else:
        _stream([*program, "push", "--quiet", NAME, f"docker-archive:{target}:{NAME}"])


def _base(program: list[str], storage: Path) -> str:
    """The base image's name where it cannot be pulled and was made here by debootstrap, else nothing."""
    pulled = subprocess.run([*program, "pull", "--quiet", f"debian:{SUITE}-slim"], capture_output=True)
    if pulled.returncode == 0:
        return ""
    if os.geteuid():
        raise UserError("the base image cannot be pulled, and making it by debootstrap needs root", fix="Run as root.")
    say("the base image cannot be pulled: making it with debootstrap")
    packages.require("debootstrap")
    root = storage / "base"
    _stream([packages.path("debootstrap"), "--variant=minbase", SUITE, str(root)])
    name = f"localhost/debian:{SUITE}"
    if program[0] == "buildah":
        container = run(*program, "from", "scratch").strip()
        run(*program, "copy", "--quiet", container, str(root), "/")
        run(*program, "commit", "--quiet", "--rm", container, name)
    else:
        packed = storage / "base.tar"
        _stream(["tar", "-C", str(root), "-c", "-f", str(packed), "."])
        _stream([*program, "import", str(packed), name])
        packed.unlink()
    shutil.rmtree(root)
    return name


def _stream(command: list[str]) -> None:
    """Run a long command with its output on stderr. Raises UserError when it fails."""
    if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=2).returncode:
        raise UserError(f"`{' '.join(command[:6])} …` failed", fix="See its output above.")
