"""The chart in a registry, signed and verified as a release's is, but with a key and without a log of transparency.

It needs no cluster: it is in this tier since cosign takes minutes to compile, as the cluster's programs do.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

# The release workflow signs by its own identity, which takes services on the internet.
BY_KEY = ("--use-signing-config=false", "--tlog-upload=false", "--allow-http-registry")


def cosign(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [os.environ["COSIGN"], *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"COSIGN_PASSWORD": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """Folders with a pair of keys each."""
    folders = {name: tmp_path / name for name in ("ours", "theirs")}
    for folder in folders.values():
        folder.mkdir()
        done = cosign("generate-key-pair", folder=folder)
        assert done.returncode == 0, done.stderr
    return folders


def test_a_signed_chart_is_verified_and_another_key_is_refused(
    published_chart: tuple[str, ...], keys: dict[str, Path], tmp_path: Path
) -> None:
    reference, _, version, _ = published_chart
    chart = f"{reference.removeprefix('oci://')}:{version}"
    verify = ("verify", "--insecure-ignore-tlog", "--allow-http-registry", chart, "--key")
    unsigned = cosign(*verify, keys["ours"] / "cosign.pub", folder=tmp_path)

    signed = cosign("sign", "--yes", "--key", keys["ours"] / "cosign.key", *BY_KEY, chart, folder=tmp_path)
    verified = cosign(*verify, keys["ours"] / "cosign.pub", folder=tmp_path)
    refused = cosign(*verify, keys["theirs"] / "cosign.pub", folder=tmp_path)

    assert unsigned.returncode
    assert signed.returncode == 0, signed.stderr
    assert verified.returncode == 0, verified.stderr
    assert "The signatures were verified against the specified public key" in verified.stderr
    assert refused.returncode
