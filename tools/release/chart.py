"""The chart's archive, with what Artifact Hub shows of it."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from generator import __version__
from generator.helm import find_helm
from tools.release.changelog import Change, first_sentence
from tools.release.version import ROOT

CHART = ROOT / "chart"


def package(output: Path, *, changes: Sequence[Change], source: str, epoch: int) -> Path:
    """Write `ray-serve-llm-<version>.tgz` into a folder, the same bytes for the same tree and `epoch` (Unix time)."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "chart"
        shutil.copytree(CHART, folder)
        shutil.copy(ROOT / "LICENSE", folder)
        file = folder / "Chart.yaml"
        described = described_chart(yaml.safe_load(file.read_text(encoding="utf-8")), changes, source)
        file.write_text(yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
        subprocess.run([find_helm(), "package", folder, "--destination", scratch], check=True, capture_output=True)
        (archive,) = Path(scratch).glob("*.tgz")
        target = output / archive.name
        target.write_bytes(_without_times(archive.read_bytes(), epoch))
    return target


def described_chart(chart: dict[str, Any], changes: Sequence[Change], source: str) -> dict[str, Any]:
    """Chart.yaml with the annotations of Artifact Hub that differ from release to release.

    `source` is the address of the repository, or empty. Of a change the first sentence: Helm keeps Chart.yaml in the
    Secret of every release.
    """
    told = [{"kind": change.kind.lower(), "description": first_sentence(change.text)} for change in changes]
    annotations = {
        **chart.get("annotations", {}),
        "artifacthub.io/changes": _yaml(told),
        "artifacthub.io/images": _yaml([{"name": "ray-llm", "image": _image(chart["appVersion"])}]),
        "artifacthub.io/prerelease": str("-" in __version__).lower(),
        "artifacthub.io/containsSecurityUpdates": str(any(change.kind == "Security" for change in changes)).lower(),
    }
    if source:
        chart = chart | {"home": source, "sources": [source, *chart.get("sources", [])]}
    return chart | {"annotations": annotations}


def _image(ray: str) -> str:
    """What the pods run by default, without a registry: that is the cluster's own."""
    image = yaml.safe_load((CHART / "files" / "releases.yaml").read_text(encoding="utf-8"))[ray]["image"]
    return f"{image['repository']}:{image['tag']}"


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000))


def _without_times(archive: bytes, epoch: int) -> bytes:
    """The archive with one time for all its files, in the order of their names: helm writes the time of its run."""
    written = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as read,
        # No name and no time in gzip's own head.
        gzip.GzipFile(filename="", mode="wb", fileobj=written, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for member in sorted(read.getmembers(), key=lambda each: each.name):
            member.mtime = epoch
            tar.addfile(member, read.extractfile(member))
    return written.getvalue()
