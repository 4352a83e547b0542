"""This machine's loopback address: free ports, and requests to what listens there."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from generator.errors import RunFailed

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request(
    method: str, url: str, *, body: Any = None, headers: Mapping[str, str] | None = None, timeout_s: float
) -> tuple[int, str]:
    """Return status and text of an answer, whatever the status. No proxy is asked. Raises OSError without an answer."""
    data = None if body is None else json.dumps(body).encode()
    message = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
    for name, value in (headers or {}).items():
        message.add_header(name, value)
    try:
        with _direct.open(message, timeout=timeout_s) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


class Refused(RunFailed):
    """The server says that the request is not for this model, or not as it is."""


def complete_chat(url: str, model: str, prompt: str, max_tokens: int, *, timeout_s: float = 120) -> str:
    """Ask one question of the OpenAI API at `url` (ending in /v1) and return the answer's text. Raises Refused."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
    }
    status, answer = request("POST", f"{url}/chat/completions", body=body, timeout_s=timeout_s)
    if status != 200:
        problem = Refused if 400 <= status < 500 else RunFailed
        raise problem(f"{model} answered with status {status}: {answer[:500]}", where=url)
    text: str = json.loads(answer)["choices"][0]["message"]["content"]
    return text


def free_port(preferred: int | None = None) -> int:
    """Return `preferred` when nothing listens there, else any free TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred or 0))
        except OSError:
            return free_port()
        port: int = probe.getsockname()[1]
        return port


def free_ports(count: int) -> list[int]:
    """Distinct free ports: all are held until the last one is found."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()
