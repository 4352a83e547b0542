"""A stand-in for the Hugging Face hub, for machines without one: real HTTP, with the standard library alone.

`python hub_stand_in.py PORT FOLDER…` serves every folder as the repository `stand-in/<its name>`, on all addresses.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
"""Of every repository."""


def etag(content: bytes) -> str:
    """What the cache knows a file's content by."""
    return hashlib.sha256(content).hexdigest()


@dataclass
class Repository:
    """One repository of the stand-in."""

    files: dict[str, bytes]
    card: dict[str, Any] = field(default_factory=dict)
    gated: bool = False
    about: bytes = b""
    """What is said of it; empty: what follows from the above."""


class HubStandIn:
    """A stand-in for the hub: the few endpoints that huggingface_hub calls, over real HTTP on this machine."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.repositories: dict[str, Repository] = {}
        self.sent = 0
        self.server = ThreadingHTTPServer((host, port), type("Handler", (_Handler,), {"stand_in": self}))
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    stand_in: HubStandIn

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        whole = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path)
        tree = re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        asked = whole or tree or file
        name, revision = asked.group(1, 2) if asked else (None, None)
        repository = self.stand_in.repositories.get(name or "")
        if repository is None:
            self.answer(401, error="RepoNotFound")
        elif revision not in (None, "main", COMMIT):
            self.answer(404, error="RevisionNotFound")
        elif tree:
            self.answer(200, json.dumps(_tree(repository)).encode())
        elif whole:
            self.answer(200, repository.about or json.dumps(about(name, repository)).encode())
        else:
            self.send_file(repository, file[3] if file else "")

    def send_file(self, repository: Repository, name: str) -> None:
        if repository.gated and self.headers.get("authorization") != "Bearer hf_accepted":
            self.answer(401, error="GatedRepo")
        elif name in repository.files:
            self.answer(200, repository.files[name])
        else:
            self.answer(404, error="EntryNotFound")

    def answer(self, status: int, body: bytes = b"{}", *, error: str = "") -> None:
        tag = etag(body)
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        whole = len(body)
        if part and status == 200:
            status, body = 206, body[int(part[1]) : int(part[2]) + 1]
        self.send_response(status)
        if error:
            self.send_header("X-Error-Code", error)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{tag}"')
        self.send_header("Content-Length", str(len(body)))
        if part:
            self.send_header("Content-Range", f"bytes {part[1]}-{int(part[1]) + len(body) - 1}/{whole}")
        self.end_headers()
        if self.command == "GET":
            self.stand_in.sent += len(body)
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def _tree(repository: Repository) -> list[dict[str, Any]]:
    return [
        {"type": "file", "path": path, "size": len(content), "oid": etag(content)}
        for path, content in repository.files.items()
    ]


def about(name: str | None, repository: Repository) -> dict[str, Any]:
    return {
        "id": name,
        "modelId": name,
        "sha": COMMIT,
        "private": False,
        "cardData": repository.card,
        "gated": "manual" if repository.gated else False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": [{"rfilename": known} for known in repository.files],
    }


def main(port: str, *folders: str) -> None:
    stand_in = HubStandIn("0.0.0.0", int(port))
    for folder in map(Path, folders):
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
        stand_in.repositories[f"stand-in/{folder.name}"] = Repository(files)
    print(f"serves {', '.join(stand_in.repositories)}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
