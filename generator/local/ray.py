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

import importlib.util
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from generator.chart import Manifest, ray_service
from generator.errors import RunFailed, UserError
from generator.local.haproxy import find_haproxy, loopback_haproxy
from generator.local.http import free_ports, request
from generator.local.pods import literal_environment, resources, write_files
from generator.process import supervised
from generator.process.signals import stopped_by_sigterm, undisturbed
from generator.progress import Progress, Report
from generator.ray_messages import root_cause

POLL_S = 0.5
LOG_LINES = 6
"""How many of a failed replica's logged exceptions are shown."""
# vLLM's log lines: `(EngineCore pid=1) ERROR 01-01 00:00:00 [core.py:1] ValueError: what`, a traceback's own indented.
_LOGGED_EXCEPTION = re.compile(r"ERROR [\d: -]+\[[\w.]+:\d+\] ((?:[\w.]*(?:Error|Exception))\b: .*)")
OBJECT_STORE_BYTES = 256 * 2**20
"""Requests and answers are text; Ray would take a third of the memory for objects that nobody makes."""


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
    """The chart's values that say where this machine has what a pod mounts, and Serve's port."""
    values: dict[str, Any] = {
        "serving": {
            "modelsPath": str(folder / "models"),
            "appsPath": str(folder / "apps"),
            "config": {"http_options": {"port": port}},
        }
    }
    cache = str(Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser().absolute())
    if not re.search(r"\s", cache):
        values["modelCache"] = {"mountPath": cache}
    return values


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
            fix="Install Ray and vLLM for this machine's GPUs: pip install 'ray-serve-llm[serve]'.",
        )
    service = ray_service(manifests)
    config = yaml.safe_load(service["spec"]["serveConfigV2"])
    # A pod answers on every address; on a machine that would be to everyone in its network.
    config["http_options"] |= {"host": "127.0.0.1"}
    cluster = service["spec"]["rayClusterConfig"]
    progress = Progress(report)
    with stopped_by_sigterm():
        write_files(manifests, cluster, folder)
        ray = _LocalRay(folder=folder, workdir=workdir, cluster=cluster)
        try:
            deadline = time.monotonic() + timeout_s
            ray.start()
            ray.wait_until_up(deadline, progress)
            ray.deploy(config, deadline, progress)
            ray.wait_until_running(config, deadline, progress)
            yield _answering(config, deadline, progress)
        finally:
            with undisturbed():
                ray.stop()


@dataclass(kw_only=True)
class _LocalRay:
    folder: Path
    workdir: Path
    cluster: Mapping[str, Any]
    token: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    dashboard: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        ports = free_ports(8)
        self.dashboard = f"http://127.0.0.1:{ports[0]}"
        logical = resources(self.cluster)
        command = [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats",
            "--no-monitor", "--include-log-monitor=false",
            "--node-ip-address=127.0.0.1", f"--temp-dir={self.folder / 'ray'}",
            "--dashboard-host=127.0.0.1", f"--dashboard-port={ports[0]}", f"--dashboard-agent-listen-port={ports[1]}",
            f"--port={ports[2]}", f"--ray-client-server-port={ports[3]}", "--min-worker-port=0", "--max-worker-port=0",
            f"--num-cpus={logical.cpus}", f"--num-gpus={logical.gpus}",
            f"--resources={json.dumps(logical.custom)}", f"--object-store-memory={OBJECT_STORE_BYTES}",
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
        rendered = literal_environment(self.cluster)
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return {
            **inherited,
            **rendered,
            **self._haproxy(rendered.get("RAY_SERVE_HAPROXY_BINARY_PATH") or find_haproxy()),
            "TMPDIR": str(temporary),
            # Everything asks for the run's own token and listens on the loopback address only, but for the gRPC servers
            # of Serve's replicas: Ray binds them to every interface (`[::]:0`, ray/serve/_private/replica.py).
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

    def _haproxy(self, program: str | None) -> dict[str, str]:
        """The variable that has HAProxy listen on the loopback address only; none where there is no HAProxy."""
        if program is None:
            return {}
        return {"RAY_SERVE_HAPROXY_BINARY_PATH": str(loopback_haproxy(self.folder / "haproxy", program))}

    def stop(self) -> None:
        """End every process of this Ray."""
        if self.process is not None:
            supervised.end(self.process)

    def wait_until_up(self, deadline: float, progress: Progress) -> None:
        progress.say("starting Ray")
        while True:
            self._check(deadline, "Ray did not start", progress)
            with suppress(OSError):
                if self._ask("GET", "/api/version")[0] == 200:
                    progress.say("Ray is up")
                    return
            time.sleep(0.1)

    def deploy(self, config: Mapping[str, Any], deadline: float, progress: Progress) -> None:
        """Hand over serveConfigV2. On a busy machine Ray may drop the connection; KubeRay then asks again as well."""
        while True:
            self._check(deadline, "Ray took no configuration", progress)
            with suppress(OSError):
                status, answer = self._ask("PUT", "/api/serve/applications/", body=config, timeout_s=120)
                if status != 200:
                    raise RunFailed(f"Ray Serve refuses the configuration: {answer.strip()}", where="serveConfigV2")
                return
            time.sleep(POLL_S)

    def wait_until_running(self, config: Mapping[str, Any], deadline: float, progress: Progress) -> None:
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
                messages = [message for message in [*broken, application["message"]] if message]
                logged = [f"logged: {line}" for line in self._logged_exceptions(name)]
                raise RunFailed("\n".join([application["status"], *map(root_cause, messages[:1]), *logged]), where=name)

    def _check(self, deadline: float, what: str, progress: Progress) -> None:
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
            exceptions = [match[1].strip() for text in texts for match in _LOGGED_EXCEPTION.finditer(text)]
            if exceptions:
                return list(dict.fromkeys(exceptions))[:LOG_LINES]
        return []

    def _ask(self, method: str, path: str, *, body: Any = None, timeout_s: float = 30) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self.token}"}
        return request(method, self.dashboard + path, body=body, headers=headers, timeout_s=timeout_s)


def _answering(config: Mapping[str, Any], deadline: float, progress: Progress) -> Running:
    """Wait until every application of models lists them and the proxy knows every app's route; say where each is."""
    options = config.get("http_options", {})
    base_url = f"http://127.0.0.1:{options.get('port', 8000)}"
    routes: dict[str, str] = {}
    apps: dict[str, str] = {}
    for application in config["applications"]:
        name, prefix = application["name"], application.get("route_prefix", "/")
        url = base_url + prefix.rstrip("/")
        if application["import_path"].startswith("ray.serve.llm:"):
            models = _answer_of(f"{url}/v1/models", name, deadline, progress)
            routes.update({model["id"]: f"{url}/v1" for model in models["data"]})
        else:
            # An app's API is its own, so only Serve can be asked whether requests reach it.
            _answer_of(f"{base_url}/-/routes", name, deadline, progress, holding=prefix)
            apps[name] = url
    progress.say(f"ready: {', '.join([*routes, *apps])}")
    return Running(base_url=base_url, routes=routes, apps=apps)


def _answer_of(url: str, name: str, deadline: float, progress: Progress, *, holding: str | None = None) -> Any:
    """Ask until there is an answer in JSON, one that has the key `holding` where that is given, and return it."""
    progress.waits = {name: f"{url} does not answer"}
    while True:
        with suppress(OSError, ValueError):
            status, answer = request("GET", url, timeout_s=10)
            if status == 200:
                data = json.loads(answer)
                if holding is None or holding in data:
                    return data
        if time.monotonic() > deadline:
            raise RunFailed(f"{url} does not answer", where=name)
        progress.heartbeat()
        time.sleep(0.1)


def _tail(path: Path, lines: int = 20) -> str:
    with suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return ""
