"""`helm test`: what its pod is and may do, and what its script says, run as the pod runs it.

Serve and the Kubernetes API are stand-ins here: two HTTP servers on this machine that answer what a test gives them.
`ct install` runs the same pod on a real cluster.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import ssl
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.chart.rendering import CHART, GROUP, MODEL, POLICY, Render, model, parse
from tests.support.secrets import SHAPED
from tests.support.waiting import HANGS_S

OTHER = "falcon-h1-0.5b-instruct"
TOKEN = "stand-in-token"
RAY_SERVICE = "/apis/ray.io/v1/namespaces/ai/rayservices/falcon3"
POD = "/api/v1/namespaces/ai/pods/falcon3-helm-test"
RUNNING = {"status": "RUNNING", "message": ""}
FAILED = {
    "status": "DEPLOY_FAILED",
    "message": "Failed to update the deployments ['LLMServer:falcon3-1b-instruct'].",
    "serveDeploymentStatuses": {
        "OpenAiIngress": {"status": "HEALTHY", "message": ""},
        f"LLMServer:{MODEL}": {
            "status": "DEPLOY_FAILED",
            "message": "The deployment failed to start 3 times in a row. Error:\n\x1b[36mray::ServeReplica\x1b[39m\n"
            '  File "/usr/lib/x.py", line 1, in f\nValueError: Unknown engine argument: max_model_length\n'
            "RuntimeError: Engine core initialization failed. See root cause above.\n",
        },
    },
}


def status(active: dict[str, Any] | None = None, pending: dict[str, Any] | None = None) -> dict[str, Any]:
    """The status of a RayService whose clusters have these applications."""

    def cluster(name: str, applications: dict[str, Any] | None) -> dict[str, Any]:
        return {} if applications is None else {"rayClusterName": name, "applicationStatuses": applications}

    return {"activeServiceStatus": cluster("old", active), "pendingServiceStatus": cluster("new", pending)}


class StandIn:
    """An HTTP server that answers `METHOD path` with the next of the answers given for it; the last one repeats.

    What is given for `METHOD path KEY` goes to who sends that key.
    """

    def __init__(self, answers: dict[str, Any], authority: trustme.CA | None = None) -> None:
        self.answers = {key: value if isinstance(value, list) else [value] for key, value in answers.items()}
        self.asked: list[tuple[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                key = f"{self.command} {self.path}"
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                sent = json.loads(body) if body[:1] == b"{" else body
                outer.asked.append((key, sent or self.headers.get("Authorization")))
                keyed = f"{key} {(self.headers.get('Authorization') or '').removeprefix('Bearer ')}"
                left = outer.answers.get(keyed) or outer.answers.get(
                    key, [(404, {"error": {"message": "no such route"}})]
                )
                code, answer = left.pop(0) if len(left) > 1 else left[0]
                data = json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self) -> None:
                self.do_GET()

            def do_PATCH(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if authority is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(context)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)

    @contextlib.contextmanager
    def serving(self) -> Iterator[int]:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        try:
            yield self.server.server_port
        finally:
            self.server.shutdown()
            self.server.server_close()


def answers(*models: str, route: str = "/inference/{}") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in models:
        url = route.format(each) + "/v1"
        found[f"GET {url}/models"] = (200, {"object": "list", "data": [{"id": each} for each in models]})
        found[f"POST {url}/completions"] = (200, {"choices": [{"text": " there"}], "usage": {"completion_tokens": 4}})
    return found


@pytest.fixture
def helm_test(render_with: Render, tmp_path: Path):
    """Run the command of the rendered pod against stand-ins; only addresses and times are others."""
    authority = trustme.CA()
    folder = tmp_path / "service-account"
    folder.mkdir()
    (folder / "token").write_text(TOKEN, encoding="utf-8")
    authority.cert_pem.write_to_path(folder / "ca.crt")

    def run(
        serve: dict[str, Any],
        kubernetes: Any = None,
        *,
        values: dict[str, Any] | None = None,
        key: str | None = None,
        **changes: Any,
    ):
        container = pod(render_with(values))["containers"][0]
        python, *options = container["command"]
        script, config, *models = container["args"]
        assert python == "python3"
        read = kubernetes or (403, {"message": "forbidden"})
        api = StandIn({f"GET {RAY_SERVICE}": read, f"PATCH {POD}": (200, {})}, authority)
        service = StandIn(serve)
        with service.serving() as port, api.serving() as api_port:
            config = json.loads(config) | {"pauseSeconds": 0.01, "graceSeconds": 0, "timeoutSeconds": 20}
            config["url"] = config["url"].replace("http://falcon3-serve-svc.ai:8000", f"http://127.0.0.1:{port}")
            config["serviceAccount"] = config["serviceAccount"] and str(folder)
            done = subprocess.run(
                [sys.executable, *options, script, json.dumps(config | changes), *models],
                env={
                    "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                    "KUBERNETES_SERVICE_PORT": str(api_port),
                    "HTTP_PROXY": "http://127.0.0.1:9",
                    "HTTPS_PROXY": "http://127.0.0.1:9",
                    "PATH": os.environ["PATH"],
                }
                | ({} if key is None else {"VLLM_API_KEY": key}),
                capture_output=True,
                text=True,
                timeout=HANGS_S,
                check=False,
            )
        assert done.stderr == ""
        assert TOKEN not in done.stdout
        done.asked, done.api_asked = service.asked, api.asked  # type: ignore[attr-defined]
        return done

    return run


def pod(rendered: Any) -> dict[str, Any]:
    return rendered.test_pod["spec"]


def test_a_model_that_answers(helm_test) -> None:
    done = helm_test(answers(MODEL), (200, {"status": status({MODEL: RUNNING})}))
    *lines, verdict = done.stdout.splitlines()
    assert done.returncode == 0
    assert verdict == "1 of 1 model answers"
    assert len(lines) == 1
    assert lines[0].startswith(f"{MODEL}: answers (")
    asked = dict(done.asked)
    assert asked[f"POST /inference/{MODEL}/v1/completions"]["model"] == MODEL
    assert 1 <= asked[f"POST /inference/{MODEL}/v1/completions"]["max_tokens"] <= 8
    assert done.api_asked == [(f"GET {RAY_SERVICE}", f"Bearer {TOKEN}")]


def test_its_pod_goes_with_the_ray_service(helm_test) -> None:
    service = {"metadata": {"name": "falcon3", "uid": "1-2"}, "status": status({MODEL: RUNNING})}
    done = helm_test(answers(MODEL), (200, service))
    assert done.returncode == 0
    (patch,) = [body for asked, body in done.api_asked if asked == f"PATCH {POD}"]
    owner = {"apiVersion": "ray.io/v1", "kind": "RayService", "name": "falcon3", "uid": "1-2"}
    assert patch == {"metadata": {"ownerReferences": [owner]}}


def test_the_model_that_does_not_answer_is_named_with_its_root_cause(helm_test) -> None:
    done = helm_test(
        answers(OTHER),
        (200, {"status": status(pending={MODEL: FAILED, OTHER: RUNNING})} | {}),
        values={"models": {OTHER: model("falcon-h1")}},
        timeoutSeconds=2,
    )
    assert done.returncode == 1
    assert f"{MODEL}: FAILED: application {MODEL} is DEPLOY_FAILED: ValueError: Unknown engine argument" in done.stdout
    verdict = done.stdout.splitlines()[-1]
    assert verdict.startswith("0 of 2 models answer; not: ")
    assert f"{OTHER} (time is up: application {OTHER} is RUNNING on a new cluster that does not take" in verdict
    assert f"{MODEL} (application {MODEL} is DEPLOY_FAILED: ValueError: Unknown engine argument" in verdict
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("Deploying\napp failed.", "Deploying app failed."),
        (
            "Traceback\n  File x\n  f()\npkg.errors.LoadError: no such\n  model\n\n",
            "pkg.errors.LoadError: no such model",
        ),
        ("OSError: no space\n  File y\nRuntimeError: WorkerProc initialization failed due to it", "OSError: no space"),
        ("ValueError: a\n\nTraceback\n  File z\nTypeError: b", "TypeError: b"),
        ("ray.exceptions.ActorDiedError: it died", "ray.exceptions.ActorDiedError: it died"),
        (f"OSError: http://me:secret@proxy {SHAPED['hub']} Bearer abc", "OSError: http://***@proxy *** Bearer ***"),
        ("OSError: password='a b' hf_overrides max_tokens=4", "OSError: password=*** hf_overrides max_tokens=4"),
        ("OSError: GET https://hub/x?token=abc&y=1", "OSError: GET https://hub/x?token=***&y=1"),
    ],
)
def test_the_root_cause_of_a_message(helm_test, message: str, cause: str) -> None:
    failed = status({MODEL: {"status": "DEPLOY_FAILED", "message": message}})
    done = helm_test({}, (200, {"status": failed}))
    assert done.stdout.splitlines()[-1].endswith(f"(application {MODEL} is DEPLOY_FAILED: {cause})")


def test_others_answer_beside_a_bad_model(helm_test) -> None:
    done = helm_test(
        answers(OTHER),
        (200, {"status": status({MODEL: FAILED, OTHER: RUNNING})}),
        values={"models": {OTHER: model("falcon-h1")}},
    )
    assert done.returncode == 1
    assert f"{OTHER}: answers" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(f"1 of 2 models answer; not: {MODEL} (application {MODEL} is DEPLOY")


def test_a_sleeping_model_is_asked_until_it_answers(helm_test) -> None:
    serve = answers(MODEL)
    serve[f"POST /inference/{MODEL}/v1/completions"] = [
        (503, {"error": {"message": "waking"}}),
        serve[f"POST /inference/{MODEL}/v1/completions"],
    ]
    done = helm_test(serve, (200, {"status": status({MODEL: RUNNING})}))
    assert done.returncode == 0
    waiting, answered, verdict = done.stdout.splitlines()
    assert waiting.startswith(f"{MODEL}: waiting: POST http://127.0.0.1:")
    assert 'HTTP 503: {"error": {"message": "waking"}}' in waiting
    assert answered.startswith(f"{MODEL}: answers")
    assert verdict == "1 of 1 model answers"


def test_an_upgrade_is_waited_for(helm_test) -> None:
    done = helm_test(
        answers(MODEL),
        [
            (200, {}),
            (200, {"status": status({MODEL: RUNNING}, {})}),
            (200, {"status": status({MODEL: RUNNING}, {MODEL: {"status": "DEPLOYING", "message": ""}})}),
            (200, {"status": status({MODEL: RUNNING}, {MODEL: RUNNING})}),
            (200, {"status": status({MODEL: RUNNING})}),
        ],
    )
    assert done.returncode == 0
    assert [line.partition(": ")[2] for line in done.stdout.splitlines()[:3]] == [
        f"waiting: application {MODEL} is not there yet",
        f"waiting: application {MODEL} is DEPLOYING",
        f"waiting: application {MODEL} is RUNNING on a new cluster that does not take requests yet",
    ]


def test_where_the_api_cannot_be_read_answers_count_and_it_is_said(helm_test) -> None:
    done = helm_test(answers(MODEL), (403, {"message": "forbidden"}))
    assert done.returncode == 0
    assert "status cannot be read, so only answers count: HTTP Error 403" in done.stdout.splitlines()[0]
    done = helm_test(answers(MODEL), values={"serviceAccount": {"create": False}})
    assert done.returncode == 0
    assert "only answers count: this pod has no token of the Kubernetes API" in done.stdout
    assert done.api_asked == []


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        ({}, "HTTP 404"),
        ({"GET": (200, {"data": []})}, "lists no model"),
        ({"GET": (200, {"data": [{"id": "another"}]})}, "lists another"),
        ({"GET": (200, ["models"])}, "the answer is not a JSON object"),
        ({"GET": (200, {"data": [{"id": MODEL}]}), "POST": (500, {"error": "no\nmemory"})}, 'HTTP 500: {"error": "no'),
        ({"GET": (200, {"data": [{"id": MODEL}]}), "POST": (200, {"choices": []})}, "gives no text"),
    ],
)
def test_what_is_no_answer(helm_test, serve: dict[str, Any], reason: str) -> None:
    paths = {"GET": f"GET /inference/{MODEL}/v1/models", "POST": f"POST /inference/{MODEL}/v1/completions"}
    given = {paths[key]: value for key, value in serve.items()}
    done = helm_test(given, (200, {"status": status({MODEL: RUNNING})}), timeoutSeconds=1)
    assert done.returncode == 1
    verdict = done.stdout.splitlines()[-1]
    assert verdict.startswith(f"0 of 1 models answer; not: {MODEL} (time is up: ")
    assert reason in verdict


KEYED = {"serving": {"path": "throughput"}, "auth": {"apiKey": {"existingSecret": "clients", "key": "key"}}}
KEY = "a-key-of-clients"
UNAUTHORIZED = (401, {"error": "Unauthorized"})


def test_a_model_that_asks_for_a_key_is_asked_with_it(helm_test, render_with: Render) -> None:
    (variable,) = pod(render_with(KEYED))["containers"][0]["env"]
    assert variable == {
        "name": "VLLM_API_KEY",
        "valueFrom": {"secretKeyRef": {"name": "clients", "key": "key"}},
    }
    guarded = {f"{asked} {KEY}": answer for asked, answer in answers(MODEL).items()}
    unkeyed = dict.fromkeys(answers(MODEL), UNAUTHORIZED)
    done = helm_test(unkeyed | guarded, values=KEYED, key=KEY)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 of 1 model answers")


@pytest.mark.parametrize(
    ("key", "asks", "told"),
    [
        (KEY, False, "is answered without a key"),
        ("another", True, 'HTTP 401: {"error": "Unauthorized"}'),
        ("", True, "the key in the Secret of auth.apiKey is empty"),
        (f"{KEY}\n", True, "the key in the Secret of auth.apiKey has other characters than a header can have"),
    ],
)
def test_a_key_that_does_not_keep_anybody_out_or_lets_nobody_in(helm_test, key: str, asks: bool, told: str) -> None:
    found = answers(MODEL)
    if asks:
        found = {f"{asked} {KEY}": answer for asked, answer in found.items()} | dict.fromkeys(found, UNAUTHORIZED)
    done = helm_test(found, values=KEYED, key=key, timeoutSeconds=0.2)
    assert done.returncode == 1
    assert told in done.stdout
    assert not key.strip() or key.strip() not in done.stdout


def test_what_is_not_asked_in_time_is_named_too(helm_test) -> None:
    done = helm_test(answers(MODEL), (200, {"status": status({MODEL: RUNNING})}), timeoutSeconds=0)
    assert done.returncode == 1
    assert done.asked == []
    assert done.stdout.splitlines()[-1] == f"0 of 1 models answer; not: {MODEL} (time is up: it was not asked yet)"


def test_nobody_listening_is_a_reason(helm_test) -> None:
    done = helm_test({}, url="http://127.0.0.1:9", timeoutSeconds=1)
    assert done.returncode == 1
    assert "Connection refused" in done.stdout.splitlines()[-1]


NOT_OFFERED = {
    "Ray 2.60's ingress": (400, {"error": {"message": "This model does not support the 'generate' task. The …"}}),
    "Ray 2.49's ingress": (
        500,
        {"error": {"message": "oai_serving_completion must have a create_completion attribute"}},
    ),
    "vLLM": (404, {"error": {"message": "Not Found", "type": "Not Found", "code": 404}}),
    "FastAPI": (404, {"detail": "Not Found"}),
}
GIVEN = {
    "embeddings": ("v1/embeddings", {"data": [{"embedding": [0.5]}]}),
    "score": ("v1/score", {"data": [{"score": 0.0}]}),
    "classify": ("classify", {"data": [{"probs": [0.5, 0.5]}]}),
    "transcriptions": ("v1/audio/transcriptions", {"text": ""}),
    "pooling": ("pooling", {"data": [{"data": [[0.5]]}]}),
}


@pytest.mark.parametrize(("kind", "refusal"), [*zip(GIVEN, cycle(NOT_OFFERED), strict=False)])
def test_a_model_is_asked_what_its_engine_offers_without_a_word_of_the_values(
    helm_test, kind: str, refusal: str
) -> None:
    path, answer = GIVEN[kind]
    route = f"POST /inference/{MODEL}/"
    serve = answers(MODEL) | {f"{route}{other}": NOT_OFFERED[refusal] for other, _ in GIVEN.values()}
    serve |= {f"{route}v1/completions": NOT_OFFERED[refusal], route + path: (200, answer)}
    done = helm_test(serve, (200, {"status": status({MODEL: RUNNING})}))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 of 1 model answers")
    posted = [key for key, _ in done.asked if key.startswith("POST")]
    assert posted[0] == f"{route}v1/completions"
    assert posted[-1] == route + path


def test_a_model_of_another_kind_has_only_to_be_listed(helm_test) -> None:
    paths = ["v1/completions", *(path for path, _ in GIVEN.values())]
    serve = answers(MODEL) | {f"POST /inference/{MODEL}/{path}": NOT_OFFERED["FastAPI"] for path in paths}
    assert helm_test(serve, (200, {"status": status({MODEL: RUNNING})})).returncode == 0
    # Serve's own words, while nothing is behind a route: the engine has not been asked.
    nowhere = (404, {"error": "Path '/inference' not found. Ping /-/routes for available routes."})
    serve[f"POST /inference/{MODEL}/v1/completions"] = nowhere
    assert helm_test(serve, (200, {"status": status({MODEL: RUNNING})}), timeoutSeconds=1).returncode == 1


def test_what_a_model_is_asked_can_be_said(helm_test) -> None:
    values = {"models": {MODEL: {"test": "chat"}, "quiet": {**model(), "test": "models"}}}
    serve = answers(MODEL, "quiet")
    serve[f"POST /inference/{MODEL}/v1/chat/completions"] = (200, {"choices": [{"message": {"content": "Hi"}}]})
    running = (200, {"status": status({MODEL: RUNNING, "quiet": RUNNING})})
    done = helm_test(serve, running, values=values)
    assert done.returncode == 0, done.stdout
    assert [key for key, _ in done.asked if key.startswith("POST")] == [f"POST /inference/{MODEL}/v1/chat/completions"]
    values["models"][MODEL]["test"] = "score"
    serve[f"POST /inference/{MODEL}/v1/score"] = NOT_OFFERED["vLLM"]
    done = helm_test(serve, running, values=values, timeoutSeconds=1)
    assert done.returncode == 1
    assert "/v1/score: HTTP 404" in done.stdout


def test_a_transcription_is_asked_with_a_sound_file(helm_test) -> None:
    serve = answers(MODEL)
    serve[f"POST /inference/{MODEL}/v1/audio/transcriptions"] = (200, {"text": "."})
    values = {"models": {MODEL: {"test": "transcriptions"}}}
    done = helm_test(serve, (200, {"status": status({MODEL: RUNNING})}), values=values)
    assert done.returncode == 0, done.stdout
    sent = dict(done.asked)[f"POST /inference/{MODEL}/v1/audio/transcriptions"]
    head = b"Content-Type: multipart/form-data; boundary=" + sent[2 : sent.index(b"\r\n")] + b"\r\n\r\n"
    parts = {
        each.get_param("name", header="content-disposition"): each for each in message_from_bytes(head + sent).walk()
    }
    assert parts["model"].get_payload(decode=True) == MODEL.encode()
    with wave.open(io.BytesIO(parts["file"].get_payload(decode=True))) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (16000, 16000)


def test_a_model_is_asked_by_the_name_that_clients_use(helm_test, render_with: Render) -> None:
    name = "tiiuae/Falcon3-1B-Instruct"
    values = {"models": {MODEL: {"llmConfig": {"model_loading_config": {"model_id": name}}}}}
    serve = answers(MODEL)
    serve[f"GET /inference/{MODEL}/v1/models"] = (200, {"data": [{"id": name}]})
    done = helm_test(serve, (200, {"status": status({MODEL: RUNNING})}), values=values)
    assert done.returncode == 0, done.stdout
    assert dict(done.asked)[f"POST /inference/{MODEL}/v1/completions"]["model"] == name


def test_behind_one_route_the_application_is_the_one_of_all_models(helm_test) -> None:
    values = {"models": {OTHER: model("falcon-h1")}, "serving": {"routing": "unified"}}
    serve = answers(MODEL, OTHER, route="")
    done = helm_test(serve, (200, {"status": status({"models": RUNNING})}), values=values)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "2 of 2 models answer"
    done = helm_test(serve, (200, {"status": status({"models": FAILED})}), values=values)
    assert done.returncode == 1
    assert "0 of 2 models answer; not: " in done.stdout.splitlines()[-1]


def test_applications_of_ones_own_have_to_run(helm_test) -> None:
    applications = ["echo"]
    running = status({MODEL: RUNNING, "echo": RUNNING})
    done = helm_test(answers(MODEL), (200, {"status": running}), applications=applications)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 of 1 model answers, 1 of 1 application runs")
    failed = status({MODEL: RUNNING, "echo": {"status": "DEPLOY_FAILED", "message": "ImportError: no module echo"}})
    done = helm_test(answers(MODEL), (200, {"status": failed}), applications=applications)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == (
        "1 of 1 model answers, 0 of 1 applications run; "
        "not: echo (application echo is DEPLOY_FAILED: ImportError: no module echo)"
    )
    done = helm_test(answers(MODEL), (403, {}), applications=applications)
    assert done.returncode == 1
    assert "not: echo (its status cannot be read: HTTP Error 403" in done.stdout.splitlines()[-1]


def test_hundreds_of_models_are_asked_a_few_at_a_time(helm_test) -> None:
    names = [f"model-{number:03}" for number in range(200)]
    running = dict.fromkeys((MODEL, *names), RUNNING)
    values = {"models": {name: model() for name in names}, "workerGroups": {GROUP: {"maxReplicas": 201}}}
    done = helm_test(answers(MODEL, *names), (200, {"status": status(running)}), values=values)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "201 of 201 models answer"


def test_the_pod_is_a_hook_that_stays_for_its_logs(render_with: Render) -> None:
    annotations = render_with().test_pod["metadata"]["annotations"]
    assert annotations == {
        "helm.sh/hook": "test",
        "helm.sh/hook-delete-policy": "before-hook-creation",
        "helm.sh/hook-output-log-policy": "hook-succeeded,hook-failed",
    }
    assert render_with().of("Pod") == []


def test_the_pod_runs_the_file_as_it_is(render_with: Render) -> None:
    script = pod(render_with())["containers"][0]["args"][0]
    assert script == (CHART / "files" / "helm_test.py").read_text(encoding="utf-8")
    # Kubernetes would put in a variable's value.
    assert "$(" not in script


def test_the_pod_is_as_safe_as_the_head_and_runs_where_it_may(render_with: Render) -> None:
    rendered = render_with(
        {
            "image": {"pullPolicy": "Always", "pullSecrets": ["registry"]},
            "head": {"nodeSelector": {"pool": "cpu"}, "tolerations": [{"key": "cpu", "operator": "Exists"}]},
        }
    )
    ours, head = pod(rendered), rendered.pod("head")
    for key in ("securityContext", "imagePullSecrets", "nodeSelector", "tolerations"):
        assert ours[key] == head[key]
    for key in ("image", "imagePullPolicy"):
        assert ours["containers"][0][key] == head["containers"][0][key]
    heads = head["containers"][0]["securityContext"]
    assert ours["containers"][0]["securityContext"] == heads | {"readOnlyRootFilesystem": True}
    assert "volumes" not in ours


def test_only_the_tests_pod_may_read_and_only_this_ray_service(render_with: Render) -> None:
    rendered = render_with(release="r" * 47)
    name = "r" * 47 + "-helm-test"
    assert len(name) <= 63
    assert rendered.test_pod["metadata"]["name"] == name
    assert rendered.one("Role")["rules"] == [
        {"apiGroups": ["ray.io"], "resources": ["rayservices"], "resourceNames": ["r" * 47], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "resourceNames": ["r" * 47 + "-helm-test"], "verbs": ["patch"]},
    ]
    assert rendered.one("RoleBinding")["subjects"] == [{"kind": "ServiceAccount", "name": name, "namespace": "ai"}]
    assert rendered.one("RoleBinding")["roleRef"]["name"] == rendered.one("Role")["metadata"]["name"] == name
    assert pod(rendered)["serviceAccountName"] == name
    users = [template["spec"].get("serviceAccountName") for template in rendered.templates.values()]
    assert name not in users


def test_without_a_service_account_the_pod_has_no_token(render_with: Render) -> None:
    rendered = render_with({"serviceAccount": {"create": False}})
    assert not {"ServiceAccount", "Role", "RoleBinding"} & {each["kind"] for each in rendered.objects}
    assert pod(rendered)["automountServiceAccountToken"] is False
    assert json.loads(pod(rendered)["containers"][0]["args"][1])["serviceAccount"] == ""


def test_the_network_policy_lets_the_pod_in(render_with: Render) -> None:
    rendered = render_with({"networkPolicy": POLICY | {"clients": [{"podSelector": {"matchLabels": {"a": "b"}}}]}})
    within, *_ = rendered.one("NetworkPolicy")["spec"]["ingress"]
    (peer,) = within["from"]
    assert "ports" not in within
    labels = rendered.test_pod["metadata"]["labels"]
    assert peer["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_pod_follows_port_and_routes_and_asks_serve_itself_without_its_root_path(render_with: Render) -> None:
    serving = {"config": {"http_options": {"port": 9000, "root_path": "/base"}}, "routePrefix": "/llm"}
    config = parse(pod(render_with({"serving": serving}))["containers"][0]["args"][1])
    assert config["url"] + config["route"].format(model=MODEL) == f"http://falcon3-serve-svc.ai:9000/llm/{MODEL}"
    serving = {"routing": "unified", "routePrefix": "/llm"}
    assert parse(pod(render_with({"serving": serving}))["containers"][0]["args"][1])["route"] == "/llm"
