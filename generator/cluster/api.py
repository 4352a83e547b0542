"""The connection to a Kubernetes cluster: JSON objects in and out.

`kubeconfig` has the client read who asks whom. Requests are made here, because the API's own JSON is what everything
else reads, whatever the client's release.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from generator.cluster.kubeconfig import bounded, connection
from generator.documents.merge import JsonObject
from generator.errors import UserError

CONNECT_S = 5.0
FIRST_ANSWER_S = 8.0
"""A server that is dead but for its port is soon told; one that has answered may take its time for a long list."""
ANSWER_S = 30.0
PAGE = 500
"""Objects asked for at a time: a large cluster has thousands of pods."""


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
    read = connection(context=context, kubeconfig=kubeconfig)
    return _HttpCluster(read.api, read.namespace)


class _HttpCluster:
    def __init__(self, api: Any, namespace: str) -> None:
        self.namespace = namespace
        self._settings = api.configuration
        self._pool = api.rest_client.pool_manager
        self._has_answered = False
        # Of `https://user:password@host` the client sends only the host, and messages name the address.
        self.address: str = re.sub(r"(?<=//)[^/@]*@", "", self._settings.host.rstrip("/"))

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
            last, more = more, (body.get("metadata") or {}).get("continue") or ""
            if not more:
                return items
            if more == last:
                raise UserError(
                    f"the list {path} has no end: the same page comes again",
                    where=self.address,
                    fix="Check that a Kubernetes API answers there, and no proxy.",
                )

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
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise UserError(
                f"what answers there is not a Kubernetes API: {response.data[:60].decode(errors='replace').strip()!r}",
                where=self.address,
                fix="Name the right cluster with --kubeconfig or --context.",
            )
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

        headers = {"Accept": accept, "User-Agent": "ray-serve-llm", **self._credentials()}
        if body is not None:
            headers["Content-Type"] = content
        # Until it has answered once it is not asked again.
        limit, again = (ANSWER_S, 1) if self._has_answered else (FIRST_ANSWER_S, 0)
        seconds = min(seconds, limit)
        pairs = "&".join(f"{key}={quote(value, safe='')}" for key, value in (query or {}).items() if value)
        try:
            response = self._pool.request(
                method,
                f"{self.address}{path}" + (f"?{pairs}" if pairs else ""),
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=urllib3.Timeout(connect=min(CONNECT_S, seconds), read=seconds),
                retries=urllib3.Retry(1, connect=0, read=again, backoff_factor=0.2),
            )
        except (urllib3.exceptions.HTTPError, HTTPException, UnicodeError) as error:
            raise UserError(
                f"the API server does not answer: {_cause(error)}",
                where=self.address,
                fix="Check that the cluster runs, and that the kubeconfig (--kubeconfig, --context) is the right one.",
            ) from None
        self._has_answered = True
        if response.status == 401:
            raise UserError(
                "the API server does not know who asks (401)",
                where=self.address,
                fix="Log in again, as for kubectl, or name another user's kubeconfig with --kubeconfig.",
            )
        if response.status >= 400:
            raise ApiFault(response.status, _message(response.data))
        return response

    def _credentials(self) -> dict[str, str]:
        """Asked for each time: this is where the client renews a token that runs out."""
        stated = bounded(self.address, self._settings.auth_settings)
        headers = {setting["key"]: str(setting["value"]).strip() for setting in stated.values()}
        for value in headers.values():
            if not (value.isascii() and value.isprintable()):
                raise UserError(
                    "the token has line breaks or characters in it that cannot be sent",
                    where=self.address,
                    fix="Write it anew in the kubeconfig (`token`) or its file (`tokenFile`): one line of letters.",
                )
        return headers


def _cause(error: BaseException) -> str:
    """The innermost reason, such as `Connection refused`, without the library's own words around it."""
    cause: object = error
    while (reason := getattr(cause, "reason", None)) and reason is not cause:
        cause = reason
    text = str(cause)
    return text.rpartition(": ")[2] if "Failed to establish" in text else text


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return data.decode(errors="replace").strip()[:500]
