"""Programs that the operating system brings, installed from Debian's packages where that can be done."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from generator.errors import UserError

from .settings import say

PACKAGES = {
    "buildah": "buildah",
    "containerd": "containerd",
    "ctr": "containerd",
    "debootstrap": "debootstrap",
    "host-local": "containernetworking-plugins",
    "ip": "iproute2",
    "nft": "nftables",
    "ptp": "containernetworking-plugins",
    "runc": "runc",
}
FOLDERS = "/usr/sbin:/sbin:/usr/lib/cni:/opt/cni/bin"
"""Where some of them lie, beside PATH."""


def find(name: str) -> str | None:
    """Path of a program, or None."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{FOLDERS}")


def require(*names: str) -> None:
    """Install the Debian packages of what is missing, as root; raise UserError where that cannot be done."""
    packages = sorted({PACKAGES[name] for name in names if not find(name)})
    if not packages:
        return
    command = ("apt-get", "install", "--yes", "--no-install-recommends", *packages)
    if os.geteuid() or not shutil.which("apt-get"):
        raise UserError(f"missing: {', '.join(packages)}", fix=f"Install them (Debian, Ubuntu: {' '.join(command)}).")
    say(f"installing Debian's packages {', '.join(packages)}")
    _unattended("apt-get", "update")
    done = _unattended(*command)
    if done.returncode:
        raise UserError(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()[-300:]}")
    if "containerd" in packages and Path("/run/systemd/system").exists():
        # Its package starts a containerd for everyone, which nobody has asked for.
        subprocess.run(["systemctl", "disable", "--now", "containerd"], capture_output=True)


def path(name: str) -> str:
    """Path of a program that `require` has seen to."""
    found = find(name)
    if not found:
        raise UserError(f"no {name} on PATH", fix=f"Install the package {PACKAGES[name]}.")
    return found


def _unattended(*command: str) -> subprocess.CompletedProcess[str]:
    """Run one of Debian's commands that would ask for answers."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, capture_output=True, text=True)
