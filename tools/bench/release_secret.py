"""The Secret in which Helm keeps a release, which Kubernetes limits."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import tempfile
from pathlib import Path

import yaml

from generator.documents.load import read_yaml

from .project import ROOT

SECRET_LIMIT = 1_048_576
"""Bytes of a Kubernetes Secret."""


def secret_bytes(helm: str, project: Path, count: int) -> int:
    """Bytes of the Secret in which Helm keeps a release of `count` models.

    As Helm's storage driver does it: JSON of chart, values and manifest, gzipped, in base64 (and once more in base64 by
    the API, which the limit does not count). The manifest is as rendered; the chart as packaged.
    """
    values = read_yaml(project / "values" / "env-0" / "family-0.yaml")
    row_id, row = next(iter(values["models"].items()))
    values["models"] = {f"{row_id}-{number}": row for number in range(count)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.yaml"
        path.write_text(yaml.safe_dump(values))
        render = [helm, "template", "one", str(ROOT / "chart"), "--values", str(path)]
        manifest = subprocess.run(render, capture_output=True, text=True, check=True).stdout
    chart = {
        "templates": [_encoded(path) for path in sorted((ROOT / "chart" / "templates").rglob("*")) if path.is_file()],
        "files": [_encoded(path) for path in sorted((ROOT / "chart" / "files").rglob("*")) if path.is_file()],
        "schema": _encoded(ROOT / "chart" / "values.schema.json"),
        "values": read_yaml(ROOT / "chart" / "values.yaml"),
    }
    release = json.dumps({"name": "one", "chart": chart, "config": values, "manifest": manifest})
    return len(base64.b64encode(gzip.compress(release.encode(), 9)))


def _encoded(path: Path) -> dict[str, str]:
    return {"name": path.name, "data": base64.b64encode(path.read_bytes()).decode()}
