"""A real S3 server on loopback, on a folder that goes with it: Versity's gateway over files."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from generator.local.http import free_port

STARTS_S = 60
LOGIN, REGION = "ways", "us-east-1"


@dataclass(frozen=True)
class S3:
    endpoint: str
    secret_key: str

    @property
    def environment(self) -> dict[str, str]:
        """By which a client of S3 finds it and, with the secret key, is let in."""
        return {"AWS_ENDPOINT_URL_S3": self.endpoint, "AWS_ACCESS_KEY_ID": LOGIN, "AWS_REGION": REGION}

    def put(self, folder: Path, key: str) -> None:
        """Upload a folder's files below `bucket/prefix`; the bucket is made where it is not there."""
        from pyarrow import fs

        server = fs.S3FileSystem(
            access_key=LOGIN,
            secret_key=self.secret_key,
            endpoint_override=self.endpoint,
            region=REGION,
            allow_bucket_creation=True,
        )
        server.create_dir(key.partition("/")[0], recursive=False)
        fs.copy_files(str(folder), key, source_filesystem=fs.LocalFileSystem(), destination_filesystem=server)


@contextmanager
def s3_server(folder: Path) -> Iterator[S3]:
    program = shutil.which(os.environ.get("VERSITYGW") or "versitygw")
    if program is None:
        pytest.fail("no S3 server is there: run `make ways`, or set VERSITYGW to its path", pytrace=False)
    content = folder / "content"
    content.mkdir(parents=True)
    port = free_port()
    login = {"ROOT_ACCESS_KEY": LOGIN, "ROOT_SECRET_KEY": secrets.token_hex(16)}
    command = [program, "--port", f"127.0.0.1:{port}", "posix", str(content)]
    with (folder / "s3.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | login)
    try:
        _wait_until_up(port, process, folder / "s3.log")
        yield S3(f"http://127.0.0.1:{port}", login["ROOT_SECRET_KEY"])
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_up(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTS_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"the S3 server does not answer:\n{log.read_text()}", pytrace=False)
