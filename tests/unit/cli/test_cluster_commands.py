"""Bad input of the commands that ask a cluster: one clear message, exit code 2, no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from tests.support.command_line import generator
from tests.support.paths import ROOT


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, since the client reads the environment when it is imported."""
    return subprocess.run(
        [sys.executable, "-m", "generator", *arguments],
        cwd=ROOT,
        env={**os.environ, "KUBECONFIG": "", "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Of a cluster where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return write_kubeconfig(tmp_path / "kubeconfig", f"http://127.0.0.1:{probe.getsockname()[1]}")


def write_kubeconfig(path: Path, server: str) -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "staging", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "staging",
            }
        )
    )
    return path


def test_nobody_answers(kubeconfig: Path) -> None:
    done = generator("status", "falcon3", "--kubeconfig", str(kubeconfig))
    assert done.returncode == 2
    assert "the API server does not answer: " in done.stderr
    assert "onnection refused" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_web_server_answers(tmp_path: Path) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        path = write_kubeconfig(tmp_path / "kubeconfig", f"http://127.0.0.1:{server.server_port}")
        done = generator("status", "falcon3", "--kubeconfig", str(path))
        server.shutdown()
    assert done.returncode == 2
    assert "what answers there is not a Kubernetes API: '<html>Welcome</html>'" in done.stderr


def test_a_misspelt_context(kubeconfig: Path) -> None:
    done = generator("status", "falcon3", "--kubeconfig", str(kubeconfig), "--context", "stagin")
    assert done.returncode == 2
    assert "no context 'stagin'" in done.stderr
    assert "did you mean 'staging'?" in done.stderr


def test_no_such_kubeconfig(tmp_path: Path) -> None:
    done = generator("status", "falcon3", "--kubeconfig", str(tmp_path / "nowhere"))
    assert (done.returncode, "no such file" in done.stderr) == (2, True)


@pytest.mark.parametrize("text", ["", "- a", "apiVersion: v1\nkind: Config\n", ": :"])
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    done = generator("status", "falcon3", "--kubeconfig", str(tmp_path / "kubeconfig"))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "kubectl config get-contexts" in done.stderr


def test_without_any_kubeconfig(tmp_path: Path) -> None:
    done = run("status", "falcon3", HOME=str(tmp_path))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "~/.kube/config" in done.stderr


def test_without_the_client_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "kubernetes.py").write_text("raise ImportError('no such package')\n")
    done = run("status", "falcon3", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "pip install 'ray-serve-llm[cluster]'" in done.stderr


def test_a_misspelt_environment() -> None:
    done = generator("preflight", "--environment", "prodd")
    assert done.returncode == 2
    assert "did you mean 'prod'?" in done.stderr


def test_a_misspelt_family_is_told_as_serve_tells_it() -> None:
    done = generator("preflight", "--environment", "dev", "--family", "falcon4")
    assert done.returncode == 2
    assert "did you mean 'falcon3'?" in done.stderr
    assert done.stderr == generator("serve", "falcon4", "--environment", "dev").stderr
