"""LoRA adapters of a bucket: one that is uploaded while two replicas serve answers too, and neither starts anew."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kubernetes import client as kubernetes

from tests.cluster import pods
from tests.cluster.client import Answer, execute
from tests.cluster.figures import note
from tests.cluster.release import Release
from tests.cluster.volumes import claimed_folder
from tests.cluster.waiting import wait
from tests.cluster.ways.conftest import MODEL, Generate
from tests.support.paths import ROOT
from tools.tiny_checkpoints import ANSWERS
from tools.way_checkpoints import adapters

BUCKET = "adapters/falcon3"
PORT = 7070
LOGIN = {"ROOT_ACCESS_KEY": "ways", "ROOT_SECRET_KEY": secrets.token_hex(16)}
UPLOAD = """
import os, sys
from pyarrow import fs
folder, key, endpoint = sys.argv[1:]
server = fs.S3FileSystem(access_key=os.environ["ROOT_ACCESS_KEY"], secret_key=os.environ["ROOT_SECRET_KEY"],
                         endpoint_override=endpoint, region="us-east-1", allow_bucket_creation=True)
server.create_dir(key.partition("/")[0], recursive=False)
fs.copy_files(folder, key, source_filesystem=fs.LocalFileSystem(), destination_filesystem=server)
print("uploaded")
"""
CHECKPOINTS = """
import sys
from pathlib import Path
from tools.way_checkpoints.made import make
folder, *names = sys.argv[1:]
for line in make(Path(folder), names):
    print(line)
"""


@dataclass(frozen=True)
class S3:
    namespace: str
    endpoint: str

    def put(self, name: str, key: str) -> None:
        """Upload the adapter of this name, from the pod's volume, below `bucket/prefix`."""
        said = execute("s3", self.namespace, "python", "-c", UPLOAD, f"/ways/{name}", key, self.endpoint)
        assert said.strip() == "uploaded", said


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory, our_cluster: None) -> Path:
    """A folder with the small checkpoints that `make ways` makes, and the S3 server's program."""
    folder = tmp_path_factory.mktemp("ways")
    command = [os.environ["ENGINE_PYTHON"], "-c", CHECKPOINTS, folder, "chat", *adapters.ANSWERS]
    subprocess.run(command, cwd=ROOT, check=True)
    shutil.copy(os.environ["VERSITYGW"], folder / "s3-server")
    (folder / "content").mkdir()
    (folder / "content").chmod(0o777)
    return folder


@pytest.fixture(scope="module")
def s3(release: Release, ways: Path) -> Iterator[S3]:
    """A real S3 server in a pod beside the client: Versity's gateway over files."""
    namespace = release.client.namespace
    claim = kubernetes.V1PersistentVolumeClaimVolumeSource(claim_name="ways")
    mounted = {"/ways": kubernetes.V1Volume(name="ways", persistent_volume_claim=claim)}
    with claimed_folder(namespace, "ways", ways):
        command = ["/ways/s3-server", "--port", f"0.0.0.0:{PORT}", "posix", "/ways/content"]
        pod = pods.run(namespace, "s3", command, mounted=mounted, env=LOGIN)
        yield S3(namespace, f"http://{pod.status.pod_ip}:{PORT}")


@pytest.fixture(scope="module")
def claim(release: Release, ways: Path) -> Iterator[str]:
    with claimed_folder(release.namespace, "ways", ways):
        yield "ways"


def ask(release: Release, model: str) -> Answer:
    messages = [{"role": "user", "content": adapters.QUESTION}]
    body = {"model": model, "messages": messages, "max_tokens": 48, "temperature": 0}
    return release.client.ask(release.url(f"/inference/{MODEL}/v1/chat/completions"), body)


def text(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return str(answer.json()["choices"][0]["message"]["content"])


def test_an_adapter_of_the_bucket_answers(release: Release, s3: S3, claim: str, generated: Generate) -> None:
    s3.put("pirate", f"{BUCKET}/pirate")
    secret = {"metadata": {"name": "bucket"}, "stringData": {"key": LOGIN["ROOT_SECRET_KEY"]}}
    release.core.create_namespaced_secret(release.namespace, secret)
    model = {
        "source": "/ways/chat",
        "replicas": {"min": 2, "max": 2},
        "adapters": {"bucket": f"pyarrow-s3://{BUCKET}", "maxAtOnce": 2, "maxRank": adapters.RANK},
    }
    env = {
        "AWS_ENDPOINT_URL_S3": s3.endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": LOGIN["ROOT_ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": {"valueFrom": {"secretKeyRef": {"name": "bucket", "key": "key"}}},
    }
    volume = {"mountPath": "/ways", "persistentVolumeClaim": {"claimName": claim}}
    release.upgrade(generated(model, {"pods": {"env": env, "volumes": {"ways": volume}}}))
    note("install of two replicas with adapters, to Ready", release.wait_until_serving(MODEL))

    assert [text(ask(release, f"{MODEL}:pirate")) for _ in range(4)] == [adapters.ANSWERS["pirate"]] * 4
    assert text(ask(release, MODEL)) == ANSWERS[adapters.QUESTION]


def test_one_that_is_uploaded_while_the_model_serves_answers_too(release: Release, s3: S3) -> None:
    replicas = release.replicas(MODEL)
    assert ask(release, f"{MODEL}:poet").status >= 400

    s3.put("poet", f"{BUCKET}/poet")

    # Ray looks again after half a minute for what was not there (CLOUD_OBJECT_MISSING_EXPIRE_S).
    note(
        "an adapter that was asked for too early: answers after",
        wait(lambda: ask(release, f"{MODEL}:poet").status == 200, "the adapter answers", seconds=120),
    )
    time.sleep(30)  # the other replica may be the one that was asked before
    assert [text(ask(release, f"{MODEL}:poet")) for _ in range(8)] == [adapters.ANSWERS["poet"]] * 8
    assert release.replicas(MODEL) == replicas
