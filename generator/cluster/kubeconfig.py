"""The client's settings of a cluster: read of a kubeconfig, or of a pod's service account, as kubectl reads them.

The only module that imports `kubernetes`. Its client does what a kubeconfig says of certificates, tokens and login
programs; what goes wrong there is told here, in one message and without a secret.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml

from generator.documents.files import holds, read_text
from generator.documents.load import SAFE_LOADER, check_bounds
from generator.documents.merge import JsonObject
from generator.errors import UserError, did_you_mean
from generator.process.leftovers import none_left_on_error
from generator.ray_messages import shortened

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
LOGIN_S = 8.0
"""For a login program that nobody watches; where a terminal is, somebody may be typing a password into it."""
WATCHED_LOGIN_S = 300.0
_FILES = ("tokenFile", "client-certificate", "client-key", "certificate-authority")
_LARGEST_FILE = 2**20
# Of `users` what may be shown; everything else there is, or may be, a secret.
_SHOWN = ("name", "command", "client-certificate", "client-key", "tokenFile", "apiVersion", "username")
_FIX = "Name a kubeconfig with --kubeconfig or KUBECONFIG; `kubectl config get-contexts` shows what is there."

T = TypeVar("T")


class Connection(NamedTuple):
    """How to reach a cluster."""

    api: Any
    """The client's ApiClient: its pool of connections, and its configuration with the credentials."""
    namespace: str
    """The one that the context names."""


def connection(*, context: str | None, kubeconfig: Path | None) -> Connection:
    """Read `kubeconfig`, else KUBECONFIG, else ~/.kube/config, else the pod's service account.

    Raises UserError when there is no such configuration or context, or its login program does not log in.
    """
    client, config = _kubernetes()
    if kubeconfig is not None and not holds(kubeconfig.is_file):
        raise UserError("no such file", where=str(kubeconfig), fix="Name the cluster's kubeconfig with --kubeconfig.")
    stated = str(kubeconfig or os.environ.get("KUBECONFIG") or "")
    settings = client.Configuration()
    secrets: set[str] = set()
    if not stated and context is None and SERVICE_ACCOUNT.exists():
        where = "the pod's service account"
        with _reading(where, secrets):
            config.load_incluster_config(client_configuration=settings)
            namespace = SERVICE_ACCOUNT.with_name("namespace").read_text()
    else:
        where = stated or "~/.kube/config"
        files = [path for path in map(_expanded, where.split(os.pathsep)) if holds(path.exists)]
        if not files:
            raise UserError("there is no kubeconfig", where=where, fix=_FIX)
        with _reading(where, secrets):
            documents = [_read(path) for path in files]
        secrets |= {secret for document in documents for secret in _secrets_of(document)}
        with _reading(where, secrets):
            chosen, namespace = _chosen(documents, context, where)
            load = config.load_kube_config
            files_of_client = os.pathsep.join(map(str, files))
            bounded(where, lambda: load(config_file=files_of_client, context=chosen, client_configuration=settings))
    settings.retries = 1
    with _reading(where, secrets):  # the certificates too
        return Connection(client.ApiClient(settings), namespace)


def bounded(where: str, log_in: Callable[[], T]) -> T:
    """Call what may start a login program or ask a login server, which the client waits for without end.

    Raises UserError when it takes too long, and when the client only logs that it failed; what was started is
    ended then.
    """
    seconds = WATCHED_LOGIN_S if sys.stdout.isatty() else LOGIN_S
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(log_in())
        except BaseException as error:  # raised where it is waited for
            failed.append(error)

    with none_left_on_error():
        with _logged() as remarks:
            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            thread.join(seconds)
        if thread.is_alive():
            raise _no_login(f"does not end within {seconds:g} s", where)
        if failed:
            raise failed[0]
        if remarks:
            raise _no_login(f"fails: {' '.join(remarks)}", where)
    return done[0]


def _no_login(what: str, where: str) -> UserError:
    fix = "Try it with kubectl and the same kubeconfig: `kubectl version`. It is what `users` says below `exec`."
    return UserError(f"the login program {what}", where=where, fix=fix)


@contextmanager
def _logged() -> Iterator[list[str]]:
    """What is logged as an error meanwhile. The client logs why a login program failed, and goes on without."""
    remarks: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            remarks.append(record.getMessage())

    handler = Keep(logging.ERROR)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield remarks
    finally:
        root.removeHandler(handler)


def _kubernetes() -> tuple[Any, Any]:
    """`kubernetes.client` and `kubernetes.config`. They are typed in part only, so here they are not at all."""
    try:
        from kubernetes import client, config
    except ImportError:
        raise UserError(
            "the kubernetes client is not installed", fix="Run: pip install 'ray-serve-llm[cluster]'"
        ) from None
    return client, config


@contextmanager
def _reading(where: str, secrets: set[str]) -> Iterator[None]:
    """A call of the client that reads a configuration. Where one is malformed it raises any of Python's exceptions.

    Their texts repeat the entry that is wrong, with the `secrets` in it.
    """
    _, config = _kubernetes()
    try:
        yield
    except UserError as error:
        what = _shown(error.what, secrets)
        raise UserError(what, where=error.where, fix=_without(error.fix, secrets)) from None
    except (
        config.ConfigException,
        yaml.YAMLError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        OSError,
    ) as error:
        raise UserError(
            f"no cluster can be read from it: {_shown(str(error), secrets)}", where=where, fix=_FIX
        ) from None


def _shown(text: str, secrets: set[str]) -> str:
    return shortened(" ".join(_without(text, secrets).split()))


def _without(text: str, secrets: set[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _expanded(path: str) -> Path:
    return Path(path).expanduser() if path else Path(os.devnull, "none")


def _read(path: Path) -> Any:
    """What a kubeconfig holds. The client reads it again, without a bound on what aliases repeat."""
    text = read_text(path)
    check_bounds(text, str(path))
    document = yaml.load(text, Loader=SAFE_LOADER)
    for name in _files_named(document):
        _check_file(path.parent / Path(name).expanduser())
    return document


def _files_named(document: Any) -> Iterator[str]:
    """The files of which a kubeconfig says that a token, a key or a certificate is in them."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key in _FILES and isinstance(value, str) and value:
                yield value
            else:
                yield from _files_named(value)
    elif isinstance(document, list):
        for value in document:
            yield from _files_named(value)


def _check_file(path: Path) -> None:
    """Refuse what the client would read without end. That there is none is the client's to say."""
    if path.exists() and (not path.is_file() or path.stat().st_size > _LARGEST_FILE):
        what = f"is more than {_LARGEST_FILE // 2**20} MiB" if path.is_file() else "is no regular file"
        raise UserError(what, where=str(path), fix="Name a file with a token, a key or a certificate.")


def _secrets_of(document: Any) -> Iterator[str]:
    """Every word of `users` that is not known to be none, as the file has it and as Python prints it."""
    users = document.get("users") if isinstance(document, dict) else None
    for word in _words(users):
        for line in {word, repr(word)[1:-1], *word.splitlines()}:
            if len(line) >= 4:  # a shorter one is in every second word
                yield line


def _words(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in _SHOWN or isinstance(value, (dict, list)):
                yield from _words(value)
    elif isinstance(node, (list, tuple, set)):
        for value in node:
            yield from _words(value)
    elif node is not None and not isinstance(node, bool):
        yield str(node)


def _chosen(documents: list[Any], wanted: str | None, where: str) -> tuple[str, str]:
    """The context `wanted`, or the current one, and its namespace. Of several files the first that says it wins."""
    contexts: dict[str, JsonObject] = {}
    current = None
    for document in documents:
        for entry in (document or {}).get("contexts") or []:
            contexts.setdefault(str(entry["name"]), entry.get("context") or {})
        current = current or (document or {}).get("current-context")
    if not contexts:
        raise UserError("no cluster can be read from it: it holds no contexts", where=where, fix=_FIX)
    name = wanted if wanted is not None else current
    if not name:
        fix = f"Choose one with --context: {', '.join(contexts)}."
        raise UserError("it names no current context", where=where, fix=fix)
    if name not in contexts:
        raise UserError(f"no context '{name}'", where=where, fix=did_you_mean(name, contexts))
    namespace = contexts[name].get("namespace")
    return name, str(namespace or "default")
