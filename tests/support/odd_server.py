"""A server on loopback that answers as none should: by path, with any bytes, as many and as slowly as one likes."""

from __future__ import annotations

import contextlib
import itertools
import json
import socketserver
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

GIGABYTES = 3
Answer = Iterable[bytes]


def http(body: bytes | str, status: str = "200 OK", length: int | None = None, headers: str = "") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    size = len(data) if length is None else length
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {size}\r\nConnection: close\r\n\r\n".encode() + data


def endless() -> Answer:
    """An answer of 3 GB, as fast as it goes."""
    size = GIGABYTES * 2**30
    yield http("[", length=size)
    yield from itertools.repeat(b"[" * 2**16, size // 2**16)


def trickle(head: bytes = http("", length=10**9)) -> Answer:
    """One that never ends: a byte now and then, sooner than any timeout of a socket."""
    yield head
    while True:
        time.sleep(0.2)
        yield b" "


DEEP = "[" * 100_000
BODIES: dict[str, Any] = {
    "data-null": {"data": None},
    "data-text": {"data": ["x"]},
    "data-number": {"data": 5},
    "data-mapping": {"data": {"id": "data-mapping"}},
    "data-nulls": {"data": [None, {"id": None}, {"id": ["x"]}]},
    "nothing": {},
    "list": ["x"],
    "number": 5,
    "null": None,
}
ODD: dict[str, Answer] = {
    **{name: [http(json.dumps(body))] for name, body in BODIES.items()},
    "html": [http("<!DOCTYPE html><html><body>Bad gateway</body></html>")],
    "deep": [http(DEEP)],
    "deep-object": [http('{"data":' * 100_000)],
    "empty": [http("")],
    "no-http": [b"220 mail.example.org ESMTP\r\n"],
    "binary": [http(bytes(range(256)) * 8)],
    "surrogate": [http('{"data": [{"id": "\\ud800"}]}')],
    "short": [http('{"data": []}', length=100)],
    "closed": [b""],
    "long-number": [http('{"data": ' + "9" * 100_000 + "}")],
    "infinite": [http('{"data": 1e999}')],
    "elsewhere": [http("", "302 Found", headers="Location: http://192.0.2.1/\r\n")],
    "terminal": [http("\x1b]0;title\x07\x1b[31mred", "500 Oh")],
    "secret": [http('{"error": "no login with password=Zp9-planted"}', "500 Oh")],
}
"""What comes at once."""


@contextlib.contextmanager
def odd_server(answers: Mapping[str, Any]) -> Iterator[int]:
    """Serve, and give the port. A path is answered by that of the `answers` whose name is a part of it.

    An answer is its pieces, or what gives them when it is called.
    """

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            path = self.rfile.readline().split(b" ")[1].decode()
            while (line := self.rfile.readline().strip().lower()) != b"":
                length = int(line.partition(b":")[2]) if line.startswith(b"content-length:") else 0
            if length:
                self.rfile.read(length)
            answer = next(
                (answers[name] for name in answers if f"/{name}/" in f"{path.partition('?')[0]}/"),
                [http("{}", "404 Not Found")],
            )
            with contextlib.suppress(OSError):
                for piece in answer() if callable(answer) else answer:
                    self.wfile.write(piece)

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
