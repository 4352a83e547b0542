"""Values a few changes away from real ones: refused by the schema or a check, or what is rendered is taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.chart.rendering import CHART, LOADER, MINIMAL, VALUES, parse
from tests.support.fuzzing import Record, fuzz
from tests.support.mutations import mutated
from tests.support.paths import ROOT

SEEDS: list[Any] = [
    MINIMAL,
    *(
        parse(path.read_text(encoding="utf-8"))
        for folder in (VALUES, CHART / "ci", ROOT / "values" / "prod")
        for path in sorted(folder.glob("*.yaml"))
    ),
]
# What helm says of a template that stumbles, and of one whose text is no YAML.
STUMBLES = ("executing ", "nil pointer", "YAML parse error", "panic")


def test_values_are_refused_in_words_or_render_what_kubernetes_takes(
    helm_template: Callable[..., Any],
    kubeconform: Callable[..., Any],
    schemas: dict[str, Path],
    record_property: Record,
) -> None:
    def refusal(values: Any) -> str:
        if not isinstance(values, dict):
            return "no values file"
        done = helm_template(values)
        if done.returncode:
            stumbled = [words for words in STUMBLES if words in done.stderr]
            assert not stumbled, f"{done.stderr[:2000]}\nof {json.dumps(values)[:3000]}"
            refused_by_check = "execution error at" in done.stderr
            return done.stderr if refused_by_check else "not what the schema takes"
        for manifest in yaml.load_all(done.stdout, LOADER):
            readable(manifest or {})
        told = kubeconform(max(schemas), done.stdout)
        assert told.returncode == 0, f"{told.stdout}\nof {json.dumps(values)[:3000]}"
        return ""

    fuzz(mutated(SEEDS, most=2), refusal, record=record_property, examples=40, slow=10)


def readable(manifest: dict[str, Any]) -> None:
    """What is text in an object, and a document to who reads it."""
    if manifest.get("kind") == "RayService":
        assert isinstance(yaml.load(manifest["spec"]["serveConfigV2"], LOADER), dict)
    if manifest.get("kind") == "ConfigMap":
        for name, text in manifest.get("data", {}).items():
            if name.endswith(".yaml"):
                yaml.load(text, LOADER)
