"""Runs the chart's rendered objects on this machine: what runs is what is rendered.

The machine stands in for the pods: every ConfigMap is written where the pods would mount it, one local Ray has the
logical CPUs and custom resources of all worker pods together, and serveConfigV2 goes to Ray by the request that KubeRay
makes (`PUT /api/serve/applications/`). Nothing is changed on the way, so what the machine decides is decided before
rendering: `machine_values` says where the pods' paths lie here.

    with run_folder() as folder:
        manifests = render(chart, files, overrides=machine_values(folder, port=free_port()))
        with running(manifests, folder=folder, workdir=Path.cwd(), report=print) as serving:
            complete_chat(serving.routes[model], model, "Say hello.", max_tokens=32)
"""

from __future__ import annotations

import base64
import importlib.util
import json
import math
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from . import supervised
from .errors import UserError
from .helm import Manifest

Report = Callable[[str], None]

POLL_S = 0.5
QUIET_S = 15.0
"""After so long without news, a line says what is waited for."""
LOG_LINES = 6
"""How many of a failed replica's logged exceptions are shown."""
# vLLM's log lines: `(EngineCore pid=1) ERROR 01-01 00:00:00 [core.py:1] ValueError: what`, a traceback's own indented.
_LOGGED_EXCEPTION = re.compile(r"ERROR [\d: -]+\[[\w.]+:\d+\] ((?:[\w.]*(?:Error|Exception))\b: .*)")
OBJECT_STORE_BYTES = 256 * 2**20
"""Requests and answers are text; Ray would take a third of the memory for objects that nobody makes."""


class RunFailed(UserError):
    """The rendered objects are good input, and yet they do not run. Exit code 1."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True)
class Running:
    base_url: str
    """Where Serve answers, without a path: `http://127.0.0.1:<port>`."""
    routes: dict[str, str]
    """By model id, the URL that an OpenAI client takes as its base; it ends in /v1."""
    apps: dict[str, str]
    """By app, the URL of its route; what is below is its own affair."""


@contextmanager
def run_folder() -> Iterator[Path]:
    """A private folder for one run, removed afterwards. Its path is short: Unix sockets below it take 107 bytes."""
    base = tempfile.gettempdir()
    if len(base) > 24 and os.access("/tmp", os.W_OK):
        base = "/tmp"
    folder = Path(tempfile.mkdtemp(prefix="rsl-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def machine_values(folder: Path, *, port: int) -> dict[str, Any]:
    """The chart's values that say where this machine has what a pod mounts, and that Serve answers here only."""
    values: dict[str, Any] = {
        "serving": {
            "modelsPath": str(folder / "models"),
            "appsPath": str(folder / "apps"),
            "config": {"http_options": {"host": "127.0.0.1", "port": port}},
        }
    }
    cache = str(Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser().absolute())
    if not re.search(r"\s", cache):
        values["modelCache"] = {"mountPath": cache}
    return values


def free_port(preferred: int | None = None) -> int:
    """Return `preferred` when nothing listens there, else any free TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred or 0))
        except OSError:
            return free_port()
        return probe.getsockname()[1]


@contextmanager
def running(
    manifests: Sequence[Manifest],
    *,
    folder: Path,
    workdir: Path,
    report: Report,
    timeout_s: float = 600,
) -> Iterator[Running]:
    """Serve the objects of a release, rendered with `machine_values(folder)`, until the block ends.

    Yields when every application runs, every model's /v1/models answers and every app has its route. `workdir` is where
    relative model sources begin. `report` is told every change of state. However the block ends (an exception, Ctrl-C,
    SIGTERM, this very process killed), nothing is left running. Raises RunFailed with Ray's own message when something
    does not start.
    """
    if importlib.util.find_spec("ray") is None:
        raise UserError(
            f"ray is not installed for {sys.executable}",
            fix="Run `make demo` or `make serve`, which set it up; or: pip install 'ray-serve-llm[serve]'.",
        )
    service = _ray_service(manifests)
    config = yaml.safe_load(service["spec"]["serveConfigV2"])
    cluster = service["spec"]["rayClusterConfig"]
    progress = _Progress(report)
    with _stopped_by_sigterm():
        _write_files(manifests, cluster, folder)
        ray = _LocalRay(folder=folder, workdir=workdir, cluster=cluster)
        try:
            deadline = time.monotonic() + timeout_s
            ray.start()
            ray.wait_until_up(deadline, progress)
            ray.deploy(config, deadline, progress)
            ray.wait_until_running(config, deadline, progress)
            yield _answering(config, deadline, progress)
        finally:
            with _undisturbed():
                ray.stop()


def complete_chat(url: str, model: str, prompt: str, max_tokens: int, *, timeout_s: float = 120) -> str:
    """Ask one question of the OpenAI API at `url` (ending in /v1) and return the answer's text."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
    }
    status, answer = _request("POST", f"{url}/chat/completions", body=body, timeout_s=timeout_s)
    if status != 200:
        raise RunFailed(f"{model} answered with status {status}: {answer[:500]}", where=url)
    return json.loads(answer)["choices"][0]["message"]["content"]


# What the pods would be


def _ray_service(manifests: Sequence[Manifest]) -> Manifest:
    found = [manifest for manifest in manifests if manifest.get("kind") == "RayService"]
    if len(found) != 1:
        raise UserError(f"{len(found)} RayServices are rendered", fix="Serve exactly one release at a time.")
    return found[0]


def _pod_templates(cluster: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def _write_files(manifests: Sequence[Manifest], cluster: Mapping[str, Any], folder: Path) -> None:
    """Write every ConfigMap that a pod mounts to the mount's path, byte for byte."""
    contents: dict[str, dict[str, bytes]] = {}
    for manifest in manifests:
        if manifest.get("kind") == "ConfigMap":
            files = {name: text.encode() for name, text in (manifest.get("data") or {}).items()}
            files |= {name: base64.b64decode(text) for name, text in (manifest.get("binaryData") or {}).items()}
            contents[manifest["metadata"]["name"]] = files
    for pod in _pod_templates(cluster):
        names = {v["name"]: v["configMap"]["name"] for v in pod.get("volumes", []) if "configMap" in v}
        for mount in (m for c in pod["containers"] for m in c.get("volumeMounts", []) if m["name"] in names):
            path = Path(mount["mountPath"])
            if folder not in path.parents:
                raise UserError(
                    f"ConfigMap '{names[mount['name']]}' is mounted at {path}, which is not ours to write",
                    fix=f"Mount it below {folder}, as machine_values() does with serving.modelsPath and appsPath.",
                )
            if names[mount["name"]] not in contents:
                raise UserError(
                    f"ConfigMap '{names[mount['name']]}' is in a cluster, and this is none",
                    fix="Name the files themselves in the environment (`apps.<name>.files`).",
                )
            path.mkdir(parents=True, exist_ok=True)
            for name, data in contents[names[mount["name"]]].items():
                (path / name).write_bytes(data)


def _literal_environment(cluster: Mapping[str, Any]) -> dict[str, str]:
    """The variables of every Ray container that have a value of their own; those of Secrets stay this machine's."""
    found: dict[str, str] = {}
    for pod in _pod_templates(cluster):
        for variable in pod["containers"][0].get("env", []):
            name, value = variable["name"], variable.get("value")
            if value is not None and found.setdefault(name, value) != value:
                raise UserError(
                    f"the pods differ in {name} ('{found[name]}' and '{value}'), and one machine has one environment",
                    fix="Set it in `pods.env`, the same for all.",
                )
    return found


@dataclass(frozen=True, kw_only=True)
class _Resources:
    """Logical resources: what Ray counts. The machine has what it has."""

    cpus: int
    gpus: int
    custom: dict[str, float]


def _resources(cluster: Mapping[str, Any]) -> _Resources:
    """All worker pods at their most, as one node."""
    cpus = gpus = 0.0
    custom: dict[str, float] = {}
    for group in cluster["workerGroupSpecs"]:
        pods = group["maxReplicas"]
        parameters = group.get("rayStartParams") or {}
        limits = group["template"]["spec"]["containers"][0].get("resources", {}).get("limits", {})
        # KubeRay rounds a pod's CPU limit up to whole CPUs.
        cpus += pods * float(parameters.get("num-cpus") or math.ceil(_cpus(limits.get("cpu", 0))))
        gpus += pods * float(parameters.get("num-gpus") or 0)
        # A JSON object in the quotes that keep it one word in the shell line that KubeRay makes.
        text = parameters.get("resources", "{}").strip("'\"").replace('\\"', '"')
        for name, amount in {**json.loads(text), **(group.get("resources") or {})}.items():
            custom[name] = custom.get(name, 0.0) + pods * float(amount)
    return _Resources(cpus=math.ceil(cpus), gpus=math.ceil(gpus), custom=custom)


def _cpus(quantity: str | float) -> float:
    text = str(quantity)
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


# The local Ray


@dataclass(kw_only=True)
class _LocalRay:
    folder: Path
    workdir: Path
    cluster: Mapping[str, Any]
    token: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    dashboard: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        ports = _free_ports(8)
        self.dashboard = f"http://127.0.0.1:{ports[0]}"
        resources = _resources(self.cluster)
        command = [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats",
            "--no-monitor", "--include-log-monitor=false",
            "--node-ip-address=127.0.0.1", f"--temp-dir={self.folder / 'ray'}",
            "--dashboard-host=127.0.0.1", f"--dashboard-port={ports[0]}", f"--dashboard-agent-listen-port={ports[1]}",
            f"--port={ports[2]}", f"--ray-client-server-port={ports[3]}", "--min-worker-port=0", "--max-worker-port=0",
            f"--num-cpus={resources.cpus}", f"--num-gpus={resources.gpus}",
            f"--resources={json.dumps(resources.custom)}", f"--object-store-memory={OBJECT_STORE_BYTES}",
        ]  # fmt: skip
        environment = self._environment(ports[4:])
        self.process = supervised.start(command, log=self._log, folder=self.workdir, environment=environment)

    @property
    def _log(self) -> Path:
        return self.folder / "ray-start.log"

    def _environment(self, ports: Sequence[int]) -> dict[str, str]:
        # Ray settings of the person's own shell are not rendered, so they have no say.
        ours = supervised.engine_environment().items()
        inherited = {name: value for name, value in ours if not name.startswith("RAY")}
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return {
            **inherited,
            **_literal_environment(self.cluster),
            "TMPDIR": str(temporary),
            # Everything listens on the loopback address only, and asks for the run's own token.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
            # Ray would start a spare Python worker for each logical CPU, and keep those that have done their task.
            "RAY_prestart_worker_first_driver": "0",
            "RAY_enable_worker_prestart": "0",
            "RAY_num_workers_soft_limit": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            # HAProxy's files and ports are fixed by default, so that two runs on a machine would meet.
            "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(self.folder / "haproxy" / "haproxy.cfg"),
            "RAY_SERVE_HAPROXY_SOCKET_PATH": str(self.folder / "haproxy" / "admin.sock"),
            "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(self.folder / "haproxy" / "metrics.sock"),
            "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(self.folder / "haproxy"),
            "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(self.folder / "haproxy" / "server-state"),
            "RAY_SERVE_HAPROXY_METRICS_PORT": str(ports[0]),
            "RAY_SERVE_HAPROXY_STATS_PORT": str(ports[1]),
            "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports[2]),
            "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(ports[3]),
        }

    def stop(self) -> None:
        """End every process of this Ray."""
        if self.process is not None:
            supervised.end(self.process)

    def wait_until_up(self, deadline: float, progress: _Progress) -> None:
        progress.say("starting Ray")
        while True:
            self._check(deadline, "Ray did not start", progress)
            with suppress(OSError):
                if self._ask("GET", "/api/version")[0] == 200:
                    progress.say("Ray is up")
                    return
            time.sleep(0.1)

    def deploy(self, config: Mapping[str, Any], deadline: float, progress: _Progress) -> None:
        """Hand over serveConfigV2. On a busy machine Ray may drop the connection; KubeRay then asks again as well."""
        while True:
            self._check(deadline, "Ray took no configuration", progress)
            with suppress(OSError):
                status, answer = self._ask("PUT", "/api/serve/applications/", body=config, timeout_s=120)
                if status != 200:
                    raise RunFailed(f"Ray Serve refuses the configuration: {answer.strip()}", where="serveConfigV2")
                return
            time.sleep(POLL_S)

    def wait_until_running(self, config: Mapping[str, Any], deadline: float, progress: _Progress) -> None:
        names = [application["name"] for application in config["applications"]]
        while True:
            self._check(deadline, "not every application runs", progress)
            with suppress(OSError):
                status, answer = self._ask("GET", "/api/serve/applications/")
                if status == 200:
                    applications = json.loads(answer)["applications"]
                    progress.follow(applications, self._logged_exceptions)
                    self._raise_failure(applications)
                    if all(applications.get(name, {}).get("status") == "RUNNING" for name in names):
                        return
            time.sleep(POLL_S)

    def _raise_failure(self, applications: Mapping[str, Any]) -> None:
        for name, application in applications.items():
            if application["status"] in ("DEPLOY_FAILED", "UNHEALTHY"):
                broken = [d["message"] for d in application["deployments"].values() if d["status"] != "HEALTHY"]
                said = dict.fromkeys(_fault(message) for message in [*broken, application["message"]] if message)
                logged = [f"logged: {line}" for line in self._logged_exceptions(name)]
                raise RunFailed("\n".join([application["status"], *list(said)[:1], *logged]), where=name)

    def _check(self, deadline: float, what: str, progress: _Progress) -> None:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RunFailed(f"Ray ended with code {self.process.returncode}:\n{_tail(self._log)}", where="ray start")
        if time.monotonic() > deadline:
            raise RunFailed(
                f"{what} within the time limit\n{progress.reasons()}", fix="Give it more time with --timeout."
            )
        progress.heartbeat()

    def _logged_exceptions(self, application: str) -> list[str]:
        """What the engine of the application's newest failed replica has logged, without the tracebacks: cause first.

        Ray itself knows only that the engine has ended; why is in the log of the process that had it.
        """
        logs = self.folder / "ray" / "session_latest" / "logs"
        replicas = sorted(logs.glob(f"serve/replica_{application}_*"), key=lambda path: path.stat().st_mtime)
        for replica in reversed(replicas):
            worker = re.search(r'"worker_id": "(\w+)"', replica.read_text(errors="replace"))
            texts = [path.read_text(errors="replace") for path in logs.glob(f"worker-{worker[1]}-*")] if worker else []
            found = [match[1].strip() for text in texts for match in _LOGGED_EXCEPTION.finditer(text)]
            if found:
                return list(dict.fromkeys(found))[:LOG_LINES]
        return []

    def _ask(self, method: str, path: str, *, body: Any = None, timeout_s: float = 30) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self.token}"}
        return _request(method, self.dashboard + path, body=body, headers=headers, timeout_s=timeout_s)


def _answering(config: Mapping[str, Any], deadline: float, progress: _Progress) -> Running:
    """Wait until every application of models lists them and the proxy knows every app's route; say where each is."""
    options = config.get("http_options", {})
    base_url = f"http://127.0.0.1:{options.get('port', 8000)}"
    routes: dict[str, str] = {}
    apps: dict[str, str] = {}
    for application in config["applications"]:
        name, prefix = application["name"], application.get("route_prefix", "/")
        url = base_url + prefix.rstrip("/")
        if application["import_path"].startswith("ray.serve.llm:"):
            models = _answer_of(f"{url}/v1/models", lambda _: True, name, deadline, progress)
            routes.update({model["id"]: f"{url}/v1" for model in models["data"]})
        else:
            # An app's API is its own, so only Serve can be asked whether requests reach it.
            _answer_of(f"{base_url}/-/routes", lambda known, prefix=prefix: prefix in known, name, deadline, progress)
            apps[name] = url
    progress.say(f"ready: {', '.join([*routes, *apps])}")
    return Running(base_url=base_url, routes=routes, apps=apps)


def _answer_of(url: str, wanted: Callable[[Any], bool], name: str, deadline: float, progress: _Progress) -> Any:
    """Ask until there is an answer in JSON that is `wanted`, and return it."""
    progress.waits = {name: f"{url} does not answer"}
    while True:
        with suppress(OSError, ValueError):
            status, answer = _request("GET", url, timeout_s=10)
            if status == 200 and wanted(found := json.loads(answer)):
                return found
        if time.monotonic() > deadline:
            raise RunFailed(f"{url} does not answer", where=name)
        progress.heartbeat()
        time.sleep(0.1)


@dataclass
class _Progress:
    """Says what has changed, with the seconds since the start."""

    report: Report
    started: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    states: dict[str, str] = field(default_factory=dict)
    waits: dict[str, str] = field(default_factory=dict)

    def say(self, text: str) -> None:
        self.last = time.monotonic()
        self.report(f"{self.last - self.started:6.1f} s  {text}")

    def follow(self, applications: Mapping[str, Any], logged: Callable[[str], list[str]]) -> None:
        self.waits = {}
        for name, application in applications.items():
            self._changed(name, application["status"])
            if application["status"] != "RUNNING" and not application["deployments"]:
                self.waits[name] = application["status"]
            for deployment, details in application["deployments"].items():
                # LLMServer:<model> is in the application <model>, so that its first word says it all.
                where = f"{name} / {deployment.split(':')[0]}"
                replicas = ", ".join(sorted({replica["state"] for replica in details["replicas"]}))
                self._changed(where, f"{details['status']}{f', replica {replicas}' if replicas else ''}")
                if details["status"] != "HEALTHY":
                    self.waits[where] = details["message"].strip() or details["status"]
                if "Error" in details["message"]:
                    why = [*logged(name), *_fault(details["message"]).splitlines()]
                    self._changed(f"{where}: a replica failed, Ray may try again", why[0])

    def _changed(self, name: str, state: str) -> None:
        if self.states.get(name) != state:
            self.states[name] = state
            self.say(f"{name}: {state}")

    def reasons(self) -> str:
        """What is waited for and why, a line each."""
        return "\n".join(f"{name}: {reason}" for name, reason in self.waits.items())

    def heartbeat(self) -> None:
        if time.monotonic() - self.last > QUIET_S:
            self.say(f"waiting for {', '.join(self.waits) or 'Ray'}")


# Small tools

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _request(
    method: str, url: str, *, body: Any = None, headers: Mapping[str, str] | None = None, timeout_s: float
) -> tuple[int, str]:
    """Return status and text of an answer, whatever the status. No proxy is asked. Raises OSError without an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    try:
        with _direct.open(request, timeout=timeout_s) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def _free_ports(count: int) -> list[int]:
    """Distinct free ports: all are held until the last one is found."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _tail(path: Path, lines: int = 20) -> str:
    with suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return ""


def _fault(message: str) -> str:
    """The exception at the end of a traceback, without the way there; the whole message where there is none."""
    lines = message.strip().splitlines()
    starts = [i for i, line in enumerate(lines) if re.match(r"[\w.]*(Error|Exception|Interrupt|Exit)\b", line)]
    return "\n".join(lines[starts[-1] :] if starts else lines)


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that what was started is stopped."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore a second Ctrl-C or SIGTERM during the seconds that stopping takes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
