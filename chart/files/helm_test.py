"""`helm test`: every model of the release answers, every application of one's own runs; else which does not, why.

Runs in a pod of the release's image, so with Python's standard library alone. Arguments: a JSON object (below), then
the models' ids. Prints a line when something answers, or when the reason why it does not changes, and a last line with
the verdict. The exit code is 0 when all is well.

    url             where Serve answers
    route           what stands between `url` and a question's path; {model} is the model's id
    names           what clients name a model, by its id, where that is another
    asked           which of the questions a model is asked, by its id; `models`: none, it only has to be listed
    questions       what others are asked, until one is of what their engine offers: `asks` (its word), `path`, `body`,
                    `form` (with a sound file), `gives` (places in the answer: one of them must hold something, or, with
                    `empty`, be there). One with `tried: false` is asked only by its word
    application     the Serve application of a model, in the same way
    applications    Serve applications of one's own, which have to be RUNNING
    rayService      the path of the RayService in Kubernetes' API
    pod             the path of this pod there
    serviceAccount  the folder with the pod's token; empty: the status of the RayService is not read
    asksForKey      whether models ask for a key (VLLM_API_KEY in the environment): without it they may not answer
    timeoutSeconds, pauseSeconds    for all of it, and between two rounds
    graceSeconds    how long a failure has to last to be one: right after an upgrade the status still tells of before
    hidden          what secrets look like, as regular expressions; the first group of one is what stays

Answers are anyone's: each is read up to MOST_BYTES and within a time, and is no reason to ask the others any less.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

AT_ONCE = 8
REQUEST_SECONDS = 120
"""A request to a sleeping model is held while it wakes; one that is given up is sent again in the next round."""
KUBERNETES_SECONDS = 10
MOST_BYTES = 4 * 2**20
"""More than a list of a thousand models, or a RayService with all of its status, has."""
LEAST_SECONDS = 5
"""For an answer, also when the time is nearly up."""
BOUNDARY = b"a-line-that-no-sound-has"
REASON_CHARACTERS = 400
LONGEST_MESSAGE = 100_000
"""Characters of a message that are looked at: the last ones of a traceback say what is wrong."""

# A traceback's last line, and those that only say that another one, above, ended it.
_EXCEPTION = re.compile(r"(\([^)]*\) )?[\w.]*(Error|Exception|Interrupt|Exit)\b")
_WRAPPING = re.compile(r"root cause above|RayTaskError|ActorDiedError|EngineDeadError|initialization failed")
# What an engine says of a question that is not for its kind of model: Ray 2.60's ingress and 2.49's, vLLM itself, which
# has no such route then.
_NOT_OFFERED = re.compile(r"does not support the '|must have a create_|\"(detail|message)\": ?\"Not Found\"")
_hidden: list[re.Pattern[str]] = []


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is sent elsewhere is no answer, and a token goes nowhere else."""

    def redirect_request(self, *_: object) -> None:
        return None


_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


class NotWell(Exception):
    """Why something does not answer, in one line."""


class NotOffered(NotWell):
    """The engine says that it is no model of this kind."""


class Unauthorized(NotWell):
    """The model asks for a key, or for another one."""


@dataclass
class Status:
    """What KubeRay says of the applications on the newest cluster of the RayService."""

    error: str = ""
    """Why it cannot be read; empty: it can."""
    upgrading: bool = False
    """The newest cluster does not take the requests yet."""
    applications: dict = field(default_factory=dict)
    identity: dict = field(default_factory=dict)
    """The RayService's metadata; empty: not read."""

    def of(self, name: str) -> str:
        return text_in(mapping(self.applications.get(name)), "status")

    def require_running(self, name: str) -> None:
        """Raise unless the application runs where requests go; a status that cannot be read says nothing."""
        if self.error:
            return
        application = mapping(self.applications.get(name))
        if self.of(name) != "RUNNING":
            deployments = mappings(list(mapping(application.get("serveDeploymentStatuses")).values()))
            told = [text_in(each, "message") for each in deployments if each.get("status") != "HEALTHY"]
            cause = next((root_cause(text) for text in (*told, text_in(application, "message")) if text), "")
            state = f"is {one_line(self.of(name))}" if self.of(name) else "is not there yet"
            raise NotWell(f"application {name} {state}{f': {cause}' if cause else ''}")
        if self.upgrading:
            raise NotWell(f"application {name} is RUNNING on a new cluster that does not take requests yet")


def mapping(value: Any) -> dict:
    """The value, or an empty mapping where it is none."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict]:
    """The mappings of a list; none where it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text_in(node: dict, key: str) -> str:
    value = node.get(key)
    return value if isinstance(value, str) else ""


def hide(text: str) -> str:
    """The text without what looks like a secret."""
    for pattern in _hidden:
        text = pattern.sub(lambda found: ((found[1] or "") if found.re.groups else "") + "***", text)
    return text


def root_cause(message: str) -> str:
    """Return the last exception of a message that says what is wrong, or the whole message, as one line."""
    text = hide(re.sub(r"\x1b\[[0-9;]*m", "", message[-LONGEST_MESSAGE:]))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    raised = [i for i, line in enumerate(lines) if _EXCEPTION.match(line)]
    telling = [i for i in raised if not _WRAPPING.search(lines[i])] or raised
    if not telling:
        return one_line(" ".join(lines))
    cause, *more = lines[telling[-1] : telling[-1] + 4]
    end = takewhile(lambda line: not _EXCEPTION.match(line) and not line.startswith(("File ", "Traceback")), more)
    return one_line(" ".join([cause, *end]))


def one_line(text: str) -> str:
    """The beginning of a text that others wrote, as one line of what prints, without what looks like a secret."""
    text = " ".join(hide(text[:LONGEST_MESSAGE]).split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= REASON_CHARACTERS else text[: REASON_CHARACTERS - 1] + "…"


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """What the call returns or raises, or OSError when it takes longer: its thread is left to itself then.

    A timeout of the socket alone would not do, since every byte of an answer that trickles starts it anew.
    """
    result: Future[Any] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return result.result(seconds)
    except StillRunning:
        if result.done():
            return result.result()  # it came in this moment, or the time that was up is the call's own
        raise OSError(f"no whole answer within {seconds:.0f} s") from None


def fetch(opener: urllib.request.OpenerDirector, request: urllib.request.Request, seconds: float) -> tuple[int, bytes]:
    """The status and the body of an answer, whatever the status. Raises OSError, ValueError or HTTPException."""

    def call() -> tuple[int, bytes]:
        try:
            response = opener.open(request, timeout=seconds)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            body = response.read(MOST_BYTES + 1)
            if len(body) > MOST_BYTES:
                raise ValueError(f"the answer has more than {MOST_BYTES // 2**20} MiB")
            return response.status, body

    return within(seconds, call)


def parsed(body: bytes) -> dict:
    """The JSON object of an answer. Raises ValueError."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError(f"the answer is not JSON: {body[:200].decode(errors='replace')!r}") from None
    if not isinstance(answer, dict):
        raise ValueError("the answer is not a JSON object")
    return answer


def kubernetes(config: dict, method: str, path: str, patch: dict | None = None) -> dict:
    """Return what Kubernetes' API answers to this pod's token. Raises OSError, ValueError or HTTPException."""
    if not config["serviceAccount"]:
        raise OSError("this pod has no token of the Kubernetes API")
    folder = Path(config["serviceAccount"])
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    url = f"https://{f'[{host}]' if ':' in host else host}:{port}{path}"
    token = (folder / "token").read_text(encoding="utf-8").strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"}
    body = None if patch is None else json.dumps(patch).encode()
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    trusted = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(folder / "ca.crt")))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect, trusted)
    code, answer = fetch(opener, request, KUBERNETES_SECONDS)
    if code >= 300:
        raise OSError(f"HTTP Error {code}: {answer[:LONGEST_MESSAGE].decode(errors='replace')}")
    return parsed(answer)


def read_status(config: dict) -> Status:
    """Ask Kubernetes for the RayService's status."""
    try:
        service = kubernetes(config, "GET", config["rayService"])
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Status(error=one_line(str(error)))
    status = mapping(service.get("status"))
    pending = mapping(status.get("pendingServiceStatus"))
    upgrading = bool(pending.get("rayClusterName"))
    newest = pending if upgrading else mapping(status.get("activeServiceStatus"))
    return Status(
        upgrading=upgrading,
        applications=mapping(newest.get("applicationStatuses")),
        identity=mapping(service.get("metadata")),
    )


def belong_to(service: dict, config: dict) -> None:
    """Make this pod the RayService's own, to go with it: Helm does not uninstall what a test has left."""
    owner = {"apiVersion": "ray.io/v1", "kind": "RayService", "name": service.get("name"), "uid": service.get("uid")}
    try:
        kubernetes(config, "PATCH", config["pod"], {"metadata": {"ownerReferences": [owner]}})
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"This pod stays until it is deleted: {one_line(str(error))}")


def ask(
    method: str, url: str, deadline: float, body: dict | None = None, form: dict | None = None, key: str = ""
) -> dict:
    """Return the JSON object that `url` answers with, or raise NotWell."""
    what = f"{method} {url}"
    data, kind = None if body is None else json.dumps(body).encode(), "application/json"
    if form is not None:
        data, kind = form_data(form, silence())
    headers = {"Content-Type": kind}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        code, answer = fetch(_direct, request, min(REQUEST_SECONDS, max(LEAST_SECONDS, deadline - time.monotonic())))
        if code >= 300:
            text = answer[:LONGEST_MESSAGE].decode(errors="replace")
            problem = Unauthorized if code == 401 else NotOffered if _NOT_OFFERED.search(text) else NotWell
            raise problem(one_line(f"{what}: HTTP {code}: {text}"))
        return parsed(answer)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NotWell(one_line(f"{what}: {error}")) from None


def require_answer(model: str, config: dict, deadline: float) -> None:
    """Raise unless the model is listed at its route and answers a question."""
    url, name = config["url"] + config["route"].format(model=model), config["names"].get(model, model)
    key = api_key()
    if config.get("asksForKey"):
        require_key(url, key, deadline)
    listed = [text_in(each, "id") for each in mappings(ask("GET", f"{url}/v1/models", deadline, key=key).get("data"))]
    if name not in listed:
        raise NotWell(one_line(f"GET {url}/v1/models lists {', '.join(listed) or 'no model'}"))
    said = config["asked"].get(model)
    if said == "models":
        return
    for question in config["questions"]:
        if said == question["asks"] or (not said and question.get("tried", True)):
            try:
                return require_given(question, url, name, deadline)
            except NotOffered:
                if said:
                    raise
    # Its engine has refused each by itself, so it runs.


def api_key() -> str:
    """The key that models ask for; empty: they ask for none."""
    return os.environ.get("VLLM_API_KEY", "")


def require_key(url: str, key: str, deadline: float) -> None:
    """Raise unless the model asks for a key, and the key is one that a client can send."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        state = "has other characters than a header can have, such as a line break at its end" if key else "is empty"
        raise NotWell(f"the key in the Secret of auth.apiKey {state}: make the Secret anew, and then new pods")
    try:
        ask("GET", f"{url}/v1/models", deadline)
    except Unauthorized:
        return
    raise NotWell(f"GET {url}/v1/models is answered without a key")


def require_given(question: dict, url: str, name: str, deadline: float) -> None:
    """Raise unless the model gives what the question asks for."""
    url += question["path"]
    sent = {"model": name, **question["body"]}
    answer = ask("POST", url, deadline, key=api_key(), **{"form" if question.get("form") else "body": sent})
    values = [value for place in question["gives"] for value in found(answer, place.split("."))]
    # A score may be 0.0; an answer of 0 tokens is none.
    given = values if question.get("empty") else [value for value in values if value or isinstance(value, float)]
    if not given:
        raise NotWell(f"POST {url} gives no {question['gives'][0].rpartition('.')[2]}")


def found(node: Any, steps: list[str]) -> list:
    """What an answer holds at a place, whose steps are keys, or * for each of a list."""
    if not steps:
        return [node]
    if steps[0] == "*":
        return [value for each in mappings(node) for value in found(each, steps[1:])]
    return found(node[steps[0]], steps[1:]) if steps[0] in mapping(node) else []


def silence() -> bytes:
    """A second without a sound, as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(bytes(2 * 16000))
    return file.getvalue()


def form_data(fields: dict, file: bytes) -> tuple[bytes, str]:
    """The body and the content type of a form with these fields and a sound file."""
    line = b"--" + BOUNDARY
    parts = [(f'name="{name}"', str(value).encode()) for name, value in fields.items()]
    parts.append(('name="file"; filename="silence.wav"\r\nContent-Type: audio/wav', file))
    head = b"\r\nContent-Disposition: form-data; "
    body = b"".join(line + head + name.encode() + b"\r\n\r\n" + value + b"\r\n" for name, value in parts)
    return body + line + b"--\r\n", f"multipart/form-data; boundary={BOUNDARY.decode()}"


class Run:
    """Rounds over what is not well yet, until all is, or has failed, or the time is up."""

    def __init__(self, config: dict, models: list[str]) -> None:
        self.config = config
        self.deadline = time.monotonic() + config["timeoutSeconds"]
        self.applications = {model: config["application"].format(model=model) for model in models}
        self.applications |= {name: name for name in config["applications"]}
        self.own = set(config["applications"])
        self.left = dict.fromkeys(self.applications)
        self.reasons: dict[str, str] = {}
        self.failed_since: dict[str, float] = {}
        self.status = Status()
        self.belongs = False

    def until_settled(self) -> dict[str, str]:
        """Return what is not well: its name and why."""
        failed: dict[str, str] = {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while self.left:
                self._read_status()
                attempts = {pool.submit(self._attempt, name): name for name in self.left}
                for attempt in as_completed(attempts):
                    name = attempts[attempt]
                    reason, seconds = attempt.result()
                    if reason is None:
                        print(f"{name}: runs" if name in self.own else f"{name}: answers ({seconds:.1f} s)")
                        del self.left[name]
                    elif self._is_final(name):
                        print(f"{name}: FAILED: {reason}")
                        failed[name] = reason
                        del self.left[name]
                    elif self.reasons.get(name) != reason:
                        self.reasons[name] = reason
                        print(f"{name}: waiting: {reason}")
                if time.monotonic() >= self.deadline:
                    break
                if self.left:
                    time.sleep(self.config["pauseSeconds"])
        return failed | {name: f"time is up: {self.reasons[name]}" for name in self.left}

    def _read_status(self) -> None:
        before, self.status = self.status, read_status(self.config)
        if self.status.identity and not self.belongs:
            belong_to(self.status.identity, self.config)
            self.belongs = True
        if self.status.error and self.status.error != before.error:
            print(f"The RayService's status cannot be read, so only answers count: {self.status.error}")
        for name in self.left:
            unread = name in self.own and self.status.error
            if unread or self.status.of(self.applications[name]) == "DEPLOY_FAILED":
                self.failed_since.setdefault(name, time.monotonic())
            else:
                self.failed_since.pop(name, None)

    def _is_final(self, name: str) -> bool:
        since = self.failed_since.get(name)
        return since is not None and time.monotonic() - since >= self.config["graceSeconds"]

    def _attempt(self, name: str) -> tuple[str | None, float]:
        """Return why it is not well, None when it is, and how long that took."""
        began = time.monotonic()
        if began >= self.deadline:
            return self.reasons.get(name, "it was not asked yet"), 0
        try:
            self._require_well(name)
        except NotWell as problem:
            return str(problem), time.monotonic() - began
        except Exception as error:  # whatever one answer does: the others are asked all the same
            return one_line(f"{type(error).__name__}: {error}"), time.monotonic() - began
        return None, time.monotonic() - began

    def _require_well(self, name: str) -> None:
        application = self.applications[name]
        if name in self.own:
            if self.status.error:
                raise NotWell(f"its status cannot be read: {self.status.error}")
        # What has failed is not asked: nobody would answer, and an old version's answer would not count.
        elif self.status.of(application) != "DEPLOY_FAILED":
            try:
                require_answer(name, self.config, self.deadline)
            except NotWell:
                self.status.require_running(application)
                raise
        self.status.require_running(application)


def main(arguments: list[str]) -> int:
    config, models = json.loads(arguments[0]), arguments[1:]
    _hidden[:] = map(re.compile, config["hidden"])
    if api_key().strip():
        _hidden.append(re.compile(re.escape(api_key().strip())))
    failed = Run(config, models).until_settled()
    verdict = []
    for names, singular, plural in (
        (models, "model answers", "models answer"),
        (config["applications"], "application runs", "applications run"),
    ):
        if names:
            well = len(names) - len(failed.keys() & set(names))
            verdict.append(f"{well} of {len(names)} {singular if well == len(names) == 1 else plural}")
    line = ", ".join(verdict)
    if failed:
        line += "; not: " + "; ".join(f"{name} ({reason})" for name, reason in sorted(failed.items()))
    print(line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
