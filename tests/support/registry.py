"""A real OCI registry on loopback, with nothing in it: the reference registry, on a folder that goes with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from generator.local.http import free_port
from tests.support.waiting import HANGS_S


@contextmanager
def registry(folder: Path, *, login: str = "") -> Iterator[str]:
    """Run one on a folder of its own; gives its host and port. It speaks plain HTTP: helm wants --plain-http.

    `login`, a line of an htpasswd file (bcrypt), lets nobody in without it.
    """
    program = shutil.which(os.environ.get("REGISTRY") or "registry")
    if program is None:
        pytest.fail("no registry is there: run `make chart`, or set REGISTRY to its path", pytrace=False)
    host = f"127.0.0.1:{free_port()}"
    settings: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "content")}},
        "http": {"addr": host},
    }
    folder.mkdir(parents=True, exist_ok=True)
    if login:
        (folder / "htpasswd").write_text(f"{login}\n", encoding="utf-8")
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    file = folder / "registry.yaml"
    file.write_text(json.dumps(settings), encoding="utf-8")
    with (folder / "registry.log").open("w") as log:
        # It reports to nobody; by default it would look for a collector of traces.
        quiet = os.environ | {"OTEL_TRACES_EXPORTER": "none"}
        process = subprocess.Popen([program, "serve", str(file)], stdout=log, stderr=log, env=quiet)
    try:
        _wait_until_up(host, process, folder / "registry.log")
        yield host
    finally:
        process.terminate()
        process.wait(timeout=HANGS_S)


def pushed(helm: str, archive: Path, host: str) -> tuple[str, ...]:
    """Push a packaged chart; returns the words by which helm takes it from there."""
    name, _, version = archive.name.removesuffix(".tgz").rpartition("-")
    command = [helm, "push", str(archive), f"oci://{host}/charts", "--plain-http"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return f"oci://{host}/charts/{name}", "--version", version, "--plain-http"


def _wait_until_up(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + HANGS_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{host}/v2/", timeout=5):
                return
        except urllib.error.HTTPError:  # asks for a login
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    pytest.fail(f"the registry does not answer at {host}:\n{log.read_text()}", pytrace=False)
