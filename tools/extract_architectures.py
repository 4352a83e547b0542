"""Writes generator/data/architectures.json: from which vLLM until which it has a model architecture of its own.

Read in `vllm/model_executor/models/registry.py` of the source archives of a package index, one release after the other,
without importing them. Downloads about 30 MB for each: `make architectures INDEX=<simple index>`.
"""

from __future__ import annotations

import ast
import io
import json
import sys
import tarfile
import urllib.request
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "generator" / "data"
REGISTRY = "vllm/model_executor/models/registry.py"
FIRST = (0, 8, 0)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("give the address of a simple package index that has vLLM's source archives (PEP 691)")
    archives = _archives(sys.argv[1])
    spans: dict[str, list[list[str]]] = defaultdict(list)
    before: set[str] = set()
    for release, address in archives.items():
        print(f"vLLM {release}", file=sys.stderr)
        names = _architectures(address)
        for name in names - before:
            spans[name].append([release])
        for name in before - names:
            spans[name][-1].append(release)
        before = names
    releases = list(archives)
    always = [[releases[0]]]
    data = {
        "generatedBy": "tools/extract_architectures.py (make architectures)",
        "source": f"{REGISTRY} of vLLM {releases[0]} to {releases[-1]}",
        "spans": {name: spans[name] for name in sorted(spans) if spans[name] != always},
    }
    lines = json.dumps(data["spans"], separators=(",", ":")).replace("]],", "]],\n  ")
    head = json.dumps({key: data[key] for key in ("generatedBy", "source")}, indent=1)[:-2]
    text = f'{head},\n "spans": {lines}\n}}\n'
    assert json.loads(text) == data
    (DATA / "architectures.json").write_text(text, encoding="utf-8")


def _archives(index: str) -> dict[str, str]:
    """Addresses of the source archives by release, oldest first."""
    request = urllib.request.Request(
        f"{index.rstrip('/')}/vllm/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request) as answer:
        files = {file["filename"]: file["url"] for file in json.load(answer)["files"]}
    found: dict[tuple[int, ...], tuple[str, str]] = {}
    for name, address in files.items():
        release = name.removeprefix("vllm-").removesuffix(".tar.gz")
        numbers = tuple(int(part) for part in release.split(".")) if release.replace(".", "").isdigit() else ()
        if numbers >= FIRST:
            found[numbers] = (release, address)
    return dict(found[numbers] for numbers in sorted(found))


def _architectures(address: str) -> set[str]:
    with urllib.request.urlopen(address) as answer:
        archive = io.BytesIO(answer.read())
    with tarfile.open(fileobj=archive) as tar:
        member = next(one for one in tar if one.name.endswith(REGISTRY))
        file = tar.extractfile(member)
        assert file is not None
        return set(_registered(ast.parse(file.read()).body))


def _registered(statements: Iterable[ast.stmt]) -> Iterable[str]:
    """Keys of the module's dictionaries from architectures to (module, class)."""
    for statement in statements:
        value = getattr(statement, "value", None)
        for key, place in zip(value.keys, value.values, strict=True) if isinstance(value, ast.Dict) else ():
            if isinstance(key, ast.Constant) and isinstance(place, ast.Tuple):
                yield str(key.value)


if __name__ == "__main__":
    main()
