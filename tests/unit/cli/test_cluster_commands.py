"""Bad input of the commands that ask a cluster: one clear message, exit code 2, no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.cluster import api
from generator.cluster import kubeconfig as reading
from tests.support.command_line import generator
from tests.support.paths import ROOT
from tests.support.waiting import HANGS_S


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, since the client reads the environment when it is imported."""
    return subprocess.run(
        [sys.executable, "-m", "generator", *arguments],
        cwd=ROOT,
        env={**os.environ, "KUBECONFIG": "", "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS_S,
    )


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Of a cluster where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return write_kubeconfig(tmp_path / "kubeconfig", f"http://127.0.0.1:{probe.getsockname()[1]}")


def write_kubeconfig(path: Path, server: str, user: Any = None, **others: Any) -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": user or {}}],
                "contexts": [{"name": "staging", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "staging",
            }
            | others
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


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[list[str]]:
    """The tokens with which a server was asked that has no release; `server` in tmp_path is where it listens."""
    tokens: list[str] = []

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers.get("Authorization", ""))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"items": []}')

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Api) as server:
        (tmp_path / "server").write_text(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tokens
        server.shutdown()


def status_with(tmp_path: Path, user: Any, *options: str, **others: Any) -> subprocess.CompletedProcess[str]:
    server = tmp_path / "server"
    address = server.read_text() if server.exists() else "http://127.0.0.1:9"
    path = write_kubeconfig(tmp_path / "kubeconfig", address, user, **others)
    return generator("status", "falcon3", "--kubeconfig", str(path), *options)


def login(*command: str) -> dict[str, Any]:
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": command[0], "args": list(command[1:])}}


@pytest.mark.parametrize("user", [{"tokenFile": "token"}, {"token": "SECRET-123\n"}])
def test_a_token_with_a_line_end_is_sent_without_it(tmp_path: Path, seen: list[str], user: dict[str, str]) -> None:
    (tmp_path / "token").write_text("SECRET-123\n")
    assert "no release 'falcon3'" in status_with(tmp_path, user).stderr
    assert set(seen) == {"Bearer SECRET-123"}


@pytest.mark.parametrize("token", ["SECRET-123\nSECRET-456", "SECRET-ä日", "SECRET\x1b[31m"])
def test_a_token_that_cannot_be_sent_is_not_printed(tmp_path: Path, token: str) -> None:
    done = status_with(tmp_path, {"token": token})
    assert (done.returncode, "SECRET" in done.stdout + done.stderr) == (2, False)
    assert "the token has line breaks or characters in it that cannot be sent" in done.stderr


def test_an_entry_that_is_wrong_is_told_without_its_secret(tmp_path: Path) -> None:
    done = status_with(tmp_path, None, users=[{"name": "u", "token": "SECRET-123"}])
    assert (done.returncode, "SECRET" in done.stderr) == (2, False)
    assert "Expected key user in" in done.stderr


LOGINS = {
    "sleeps": (login("sleep", "20"), "the login program does not end within 1 s"),
    "is not there": (login("no-such-program"), "No such file or directory: 'no-such-program'"),
    "says no": (login("sh", "-c", "echo please log in first >&2; exit 3"), "process returned 3. please log in first"),
    "prints no JSON": (login("echo", "SECRET-123"), "the login program fails: exec: failed to decode process output"),
    "prints other JSON": (login("echo", "[]"), "the login program fails: exec: malformed response"),
}


@pytest.mark.parametrize(("user", "message"), LOGINS.values(), ids=LOGINS)
def test_a_login_program_that_fails_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr(reading, "LOGIN_S", 1.0)
    done = status_with(tmp_path, user)
    assert (done.returncode, "SECRET" in done.stderr) == (2, False)
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "kubectl version" in done.stderr


LEFTOVERS = {
    "itself": ("exec sleep {seconds}", "does not end within 1 s"),
    "its child": ("sleep {seconds}; true", "does not end within 1 s"),
    "in the background": ("sleep {seconds} & exec true", "does not end within 1 s"),
    "in a session of its own": ("setsid sleep {seconds} & wait", "does not end within 1 s"),
    "after it failed": ("sleep {seconds} >/dev/null 2>&1 & exit 3", "process returned 3"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
@pytest.mark.parametrize(("script", "message"), LEFTOVERS.values(), ids=LEFTOVERS)
def test_a_login_program_that_is_refused_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    monkeypatch.setattr(reading, "LOGIN_S", 1.0)
    seconds = f"30.{time.monotonic_ns()}"  # a word that tells it from every other process
    done = status_with(tmp_path, login("sh", "-c", script.format(seconds=seconds)))
    assert message in done.stderr
    deadline = time.monotonic() + 5  # a killed process needs a moment to go
    while (left := processes_with(seconds)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def processes_with(word: str) -> list[str]:
    """Command lines of the processes that have the word in them."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(path.read_text(errors="replace"))
    return [line for line in lines if word in line]


def test_a_context_that_is_named_needs_no_current_one(tmp_path: Path, seen: list[str]) -> None:
    done = status_with(tmp_path, None, **{"current-context": ""})
    assert "names no current context" in done.stderr
    assert "--context: staging" in done.stderr
    assert not seen
    done = status_with(tmp_path, None, "--context", "staging", **{"current-context": ""})
    assert "no release 'falcon3'" in done.stderr


def test_a_server_that_takes_the_connection_and_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "FIRST_ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "server").write_text(f"http://127.0.0.1:{server.getsockname()[1]}")
        began = time.monotonic()
        done = status_with(tmp_path, None)
    assert (done.returncode, time.monotonic() - began < 5) == (2, True)
    assert "does not answer: " in done.stderr
    assert "timed out" in done.stderr


def test_a_misspelt_context(kubeconfig: Path) -> None:
    done = generator("status", "falcon3", "--kubeconfig", str(kubeconfig), "--context", "stagin")
    assert done.returncode == 2
    assert "no context 'stagin'" in done.stderr
    assert "did you mean 'staging'?" in done.stderr


def test_no_such_kubeconfig(tmp_path: Path) -> None:
    done = generator("status", "falcon3", "--kubeconfig", str(tmp_path / "nowhere"))
    assert (done.returncode, "no such file" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "text", ["", "- a", "apiVersion: v1\nkind: Config\n", "contexts: 5", "contexts: [5]", "users: 2020-99-99"]
)
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    done = generator("status", "falcon3", "--kubeconfig", str(tmp_path / "kubeconfig"))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "kubectl config get-contexts" in done.stderr


@pytest.mark.parametrize("text", [": :", "[" * 5000 + "]" * 5000, "a: &a [*a]"])
def test_a_kubeconfig_that_is_no_yaml_or_endless(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    done = generator("status", "falcon3", "--kubeconfig", str(tmp_path / "kubeconfig"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 2


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


def test_an_environment_names_its_context(kubeconfig: Path, tmp_path: Path) -> None:
    generator("init", "fleet", "--gpu", "L4-24GB", "--nodes", "1", folder=tmp_path)
    file = tmp_path / "fleet" / "environments" / "dev.yaml"
    generator("add", "qwen3-0.6b", "-e", "dev", folder=tmp_path / "fleet")
    words = ("status", "llm", "-e", "dev", "--kubeconfig", str(kubeconfig))

    unnamed = generator(*words, folder=tmp_path / "fleet")
    file.write_text("kubeContext: prod-eu\n" + file.read_text())
    named = generator(*words, folder=tmp_path / "fleet")
    overruled = generator(*words, "--context", "elsewhere", folder=tmp_path / "fleet")

    assert "environments/dev.yaml names no kubeContext: the kubeconfig's current one is asked" in unnamed.stderr
    assert "no context 'prod-eu'" in named.stderr and "names no kubeContext" not in named.stderr
    assert "kubeContext prod-eu of environments/dev.yaml" in named.stderr and "staging" in named.stderr
    assert "no context 'elsewhere'" in overruled.stderr and "prod-eu" not in overruled.stderr


def test_without_any_kubeconfig_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    done = generator("status", "falcon3")
    assert (done.returncode, f"{tmp_path / 'nowhere'}: there is no kubeconfig" in done.stderr) == (2, True)
