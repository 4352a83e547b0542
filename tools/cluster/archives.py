"""One-layer images of single static programs, as archives for `ctr images import` and `kind load image-archive`."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path


def write_archive(target: Path, name: str, program: Path, *, as_path: str) -> None:
    """Write the image `name` (with its tag), whose only file is `program` at `as_path`, run as user 65532."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        entry = tarfile.TarInfo(as_path.lstrip("/"))
        entry.size, entry.mode = program.stat().st_size, 0o755
        with program.open("rb") as file:
            tar.addfile(entry, file)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": [as_path], "User": "65532:65532"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    files = {
        f"{digest}.tar": layer.getvalue(),
        "config.json": config,
        "manifest.json": json.dumps(
            [{"Config": "config.json", "RepoTags": [name], "Layers": [f"{digest}.tar"]}]
        ).encode(),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
