"""The connection to a Kubernetes cluster: JSON objects in and out. The only module that imports `kubernetes`.

The client reads the kubeconfig and does what it says of certificates, tokens and login programs. Requests are made
here, because the API's own JSON is what everything else reads, whatever the client's release.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from yaml import YAMLError

from generator.documents.merge import JsonObject
from generator.errors import UserError, did_you_mean

CONNECT_S = 5.0
ANSWER_S = 30.0
PAGE = 500
"""Objects asked for at a time: a large cluster has thousands of pods."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class ApiFault(Exception):
    """The API server refuses. `message` is its own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Answer:
    body: JsonObject
    warnings: list[str]
    """What the API server remarks beside its answer, such as what Pod Security would refuse."""


class Cluster(Protocol):
    """What the checks need of a cluster. Every method raises ApiFault where the API server refuses."""

    address: str
    namespace: str
    """The one that the kubeconfig's context names."""

    def get(self, path: str) -> JsonObject: ...
    def get_if_there(self, path: str) -> JsonObject | None: ...
    def items(self, path: str, **query: str) -> list[JsonObject]: ...
    def metadata_if_there(self, path: str) -> JsonObject | None: ...
    def text(self, path: str, *, seconds: float) -> str: ...
    def create(self, path: str, body: JsonObject, *, dry_run: bool) -> Answer: ...
    def apply_dry_run(self, path: str, body: JsonObject) -> Answer: ...
    def delete(self, path: str) -> None: ...


def api_path(api_version: str, plural: str, name: str = "", *, namespace: str = "") -> str:
    """`/apis/ray.io/v1/namespaces/ai/rayservices/falcon3`; without a name that of the list."""
    parts = ["", "apis" if "/" in api_version else "api", *api_version.split("/")]
    parts += ["namespaces", namespace] if namespace else []
    parts += [plural] + ([name] if name else [])
    return "/".join(quote(part, safe=":") for part in parts)


def connect(*, context: str | None = None, kubeconfig: Path | None = None) -> Cluster:
    """Connect as kubectl would: `kubeconfig`, else KUBECONFIG, else ~/.kube/config, else the pod's service account.

    Raises UserError when there is no such configuration or context, or nobody answers.
    """
    client, config = _kubernetes()
    if kubeconfig is not None and not kubeconfig.is_file():
        raise UserError("no such file", where=str(kubeconfig), fix="Name the cluster's kubeconfig with --kubeconfig.")
    where = str(kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config")
    settings = client.Configuration()
    if kubeconfig is None and not os.environ.get("KUBECONFIG") and context is None and SERVICE_ACCOUNT.exists():
        where = "the pod's service account"
        with _reading(where):
            config.load_incluster_config(client_configuration=settings)
            namespace = SERVICE_ACCOUNT.with_name("namespace").read_text()
    else:
        file = str(kubeconfig) if kubeconfig else None
        with _reading(where):
            contexts, current = config.list_kube_config_contexts(config_file=file)
        namespace = _context_namespace(contexts, current, context, where)
        with _reading(where):
            config.load_kube_config(config_file=file, context=context, client_configuration=settings)
    settings.retries = 1
    with _reading(where):  # the certificates too
        api = client.ApiClient(settings)
    return _HttpCluster(api, namespace)


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
def _reading(where: str) -> Iterator[None]:
    """A call of the client that reads a configuration. Where one is malformed it raises any of Python's exceptions."""
    _, config = _kubernetes()
    try:
        yield
    except (config.ConfigException, YAMLError, ValueError, TypeError, AttributeError, LookupError, OSError) as error:
        raise UserError(
            f"no cluster can be read from it: {' '.join(str(error).split())}",
            where=where,
            fix="Name a kubeconfig with --kubeconfig or KUBECONFIG; `kubectl config get-contexts` shows what is there.",
        ) from None


def _context_namespace(contexts: list[JsonObject], current: JsonObject, name: str | None, where: str) -> str:
    """The namespace of the context `name`, or of the current one. Raises UserError when there is no such context."""
    by_name = {context["name"]: context for context in contexts}
    if name is not None and name not in by_name:
        raise UserError(f"no context '{name}'", where=where, fix=did_you_mean(name, by_name))
    chosen = by_name[name] if name is not None else current
    details = chosen.get("context")
    # Where it is malformed, the client says so.
    return (details.get("namespace") if isinstance(details, dict) else None) or "default"


class _HttpCluster:
    def __init__(self, api: Any, namespace: str) -> None:
        self.namespace = namespace
        self._settings = api.configuration
        self._pool = api.rest_client.pool_manager
        self.address: str = self._settings.host.rstrip("/")

    def get(self, path: str) -> JsonObject:
        return self._ask("GET", path).body

    def get_if_there(self, path: str) -> JsonObject | None:
        try:
            return self.get(path)
        except ApiFault as fault:
            if fault.status == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> list[JsonObject]:
        items: list[JsonObject] = []
        more = ""
        while True:
            body = self._ask("GET", path, query={**query, "limit": str(PAGE), "continue": more}).body
            items += body.get("items") or []
            more = body.get("metadata", {}).get("continue") or ""
            if not more:
                return items

    def metadata_if_there(self, path: str) -> JsonObject | None:
        """The object's metadata alone: of a Secret, its values never leave the cluster."""
        try:
            accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
            metadata: JsonObject = self._ask("GET", path, accept=accept).body["metadata"]
            return metadata
        except ApiFault as fault:
            if fault.status == 404:
                return None
            raise

    def text(self, path: str, *, seconds: float) -> str:
        data: bytes = self._request("GET", path, accept="*/*", seconds=seconds).data
        return data.decode(errors="replace")

    def create(self, path: str, body: JsonObject, *, dry_run: bool) -> Answer:
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        return self._ask("POST", path, query=query, body=body)

    def apply_dry_run(self, path: str, body: JsonObject) -> Answer:
        """What an update of an object that exists would give. Nothing is changed."""
        query = {"fieldValidation": "Strict", "dryRun": "All", "fieldManager": "ray-serve-llm", "force": "true"}
        return self._ask("PATCH", path, query=query, body=body, content="application/apply-patch+yaml")

    def delete(self, path: str) -> None:
        self._ask("DELETE", path, query={"gracePeriodSeconds": "0"})

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
        accept: str = "application/json",
        content: str = "application/json",
    ) -> Answer:
        response = self._request(method, path, query=query, body=body, accept=accept, content=content)
        # `299 - "the text"`, one header for each.
        warnings = [header.partition('"')[2].rpartition('"')[0] for header in response.headers.getlist("Warning")]
        try:
            body = json.loads(response.data)
        except ValueError:
            raise UserError(
                f"what answers there is not a Kubernetes API: {response.data[:60].decode(errors='replace').strip()!r}",
                where=self.address,
                fix="Name the right cluster with --kubeconfig or --context.",
            ) from None
        return Answer(body=body, warnings=[text.replace('\\"', '"') for text in warnings])

    def _request(
        self,
        method: str,
        path: str,
        *,
        accept: str,
        query: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
        content: str = "application/json",
        seconds: float = ANSWER_S,
    ) -> Any:
        import urllib3

        headers = {"Accept": accept, "User-Agent": "ray-serve-llm"}
        # Asked for each time: this is where the client renews a token that runs out.
        headers |= {setting["key"]: setting["value"] for setting in self._settings.auth_settings().values()}
        if body is not None:
            headers["Content-Type"] = content
        pairs = "&".join(f"{key}={quote(value, safe='')}" for key, value in (query or {}).items() if value)
        try:
            response = self._pool.request(
                method,
                f"{self.address}{path}" + (f"?{pairs}" if pairs else ""),
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=urllib3.Timeout(connect=min(CONNECT_S, seconds), read=seconds),
                retries=urllib3.Retry(1, connect=0, backoff_factor=0.2),
            )
        except urllib3.exceptions.HTTPError as error:
            raise UserError(
                f"the API server does not answer: {_cause(error)}",
                where=self.address,
                fix="Check that the cluster runs, and that the kubeconfig (--kubeconfig, --context) is the right one.",
            ) from None
        if response.status == 401:
            raise UserError(
                "the API server does not know who asks (401)",
                where=self.address,
                fix="Log in again, as for kubectl, or name another user's kubeconfig with --kubeconfig.",
            )
        if response.status >= 400:
            raise ApiFault(response.status, _message(response.data))
        return response


def _cause(error: BaseException) -> str:
    """The innermost reason, such as `Connection refused`, without the library's own words around it."""
    cause: object = error
    while (reason := getattr(cause, "reason", None)) and reason is not cause:
        cause = reason
    text = str(cause)
    return text.rpartition(": ")[2] if "Failed to establish" in text else text


def _message(data: bytes) -> str:
    try:
        message: str = json.loads(data)["message"]
        return message
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace").strip()[:500]
