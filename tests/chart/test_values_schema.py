"""Every leaf of values.schema.json, misspelt once and mistyped once: helm itself refuses each.

Helm lists every fault of a values file, so many wrong leaves share one run; each one's own place must be in the list.
Where a value may have one of several shapes, each shape gets a document of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.chart.rendering import CHART

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
RELEASES = SCHEMA["definitions"]["Ray"]["properties"]["version"]["enum"]
WRONG = [["wrong"], {"wrong": {"wrong": True}}, "Wrong value!", -7.5, True]
# Names that mappings keyed by name can have here; the first that the schema accepts is taken.
SAMPLE_KEYS = ["a-name", "KEY"]
# Merged into every pointer's parents by Helm or Ray for anyone's use, so any key and value is right.
FREE = {"/global"}
# What is below it each connector reads for itself; only names of connectors are looked at.
FREE_BELOW = "kv_connector_extra_config"

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Leaf:
    path: Path_
    schema: Any
    shape: int
    """Which of its parents' alternative shapes it belongs to."""
    beside_free_keys: bool = False
    """Its parent takes any other key too: a bundle's custom resources, which the chart checks against its groups, and
    objects of one's own."""

    @property
    def pointer(self) -> str:
        return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in self.path)


def resolve(schema: Any) -> Any:
    while isinstance(schema, dict) and "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
    return schema


def leaves(schema: Any, path: Path_ = (), shape: int = 0, seen: tuple[int, ...] = ()) -> Iterator[Leaf]:
    """The scalars, free lists and open mappings below a schema, each with a path that a values file can have."""
    schema = resolve(schema)
    if id(schema) in seen:
        return
    seen = (*seen, id(schema))
    options = options_of(schema)
    shaped = [option for option in options if "properties" in option or is_map(option) or "items" in option]
    if shaped:
        for number, option in enumerate(shaped):
            yield from leaves(option, path, shape if len(shaped) == 1 else number, seen)
    elif "properties" in schema:
        for name, inner in schema["properties"].items():
            for leaf in leaves(inner, (*path, name), shape, seen):
                free = is_map(schema) or schema.get("additionalProperties") is True
                yield replace(leaf, beside_free_keys=leaf.beside_free_keys or free)
    elif is_map(schema):
        key = next(k for k in SAMPLE_KEYS if re.search(pattern_of_keys(schema), k))
        yield from leaves(schema["additionalProperties"], (*path, key), shape, seen)
    elif isinstance(schema.get("items"), dict) and ("properties" in resolve(schema["items"])):
        yield from leaves(schema["items"], (*path, 0), shape, seen)
    else:
        yield Leaf(path, schema, shape)


def options_of(schema: Any) -> list[Any]:
    """What a value may be: by `anyOf`, or chosen by its type; nothing where there is no choice."""
    inner = list(schema.get("anyOf", []))
    if "type" in schema.get("if", {}):
        inner += [schema[branch] for branch in ("then", "else") if branch in schema]
    resolved = [resolve(option) for option in inner]
    return [each for option in resolved for each in options_of(option) or [option]]


def is_map(schema: Any) -> bool:
    return isinstance(schema.get("additionalProperties"), dict)


def pattern_of_keys(schema: Any) -> str:
    """What the keys of a mapping match; empty: anything."""
    return next((pattern for part in schema.get("allOf", []) for pattern in part.get("patternProperties", {})), "")


def whole_schema(release: str) -> Any:
    """The schema with the parts of one Ray release in place, in an image that has its own vLLM."""
    branches = [branch for branch in SCHEMA["allOf"] if "if" in branch]
    images = [(branch["if"]["properties"]["ray"]["properties"], branch) for branch in branches]
    (branch,) = (b for ray, b in images if ray["version"]["const"] == release and "" in ray["vllm"]["enum"])
    document = json.loads(json.dumps({k: v for k, v in SCHEMA.items() if k not in ("allOf", "definitions")}))
    chosen = branch["then"]["properties"]
    model = json.loads(json.dumps(SCHEMA["definitions"]["Model"]))
    model["properties"]["llmConfig"] = chosen["models"]["additionalProperties"]["properties"]["llmConfig"]
    document["properties"]["models"]["additionalProperties"] = model
    app = json.loads(json.dumps(SCHEMA["definitions"]["App"]))
    app["properties"]["application"] = chosen["apps"]["additionalProperties"]["properties"]["application"]
    document["properties"]["apps"]["additionalProperties"] = app
    serving = json.loads(json.dumps(SCHEMA["definitions"]["Serving"]))
    serving["properties"] |= chosen["serving"]["properties"]
    document["properties"]["serving"] = serving
    return document


ALL = {release: list(leaves(whole_schema(release))) for release in RELEASES}


def rejects(schema: Any, value: Any) -> bool:
    validator = jsonschema.Draft7Validator({**schema, "definitions": SCHEMA["definitions"]})
    return not validator.is_valid(value)


def put(document: Any, path: Path_, value: Any) -> None:
    for part, following in pairwise(path):
        fresh: Any = [] if isinstance(following, int) else {}
        if isinstance(part, int):
            if not document:
                document.append(fresh)
            document = document[0]
        else:
            document = document.setdefault(part, fresh)
    document[path[-1]] = value


def faults(helm: str, folder: Path, release: str, wrong: list[tuple[Path_, Any]]) -> str:
    values: Any = {}
    for path, value in wrong:
        put(values, path, value)
    if "ray" not in values:
        values["ray"] = {"version": release}
    elif values["ray"]:
        values["ray"].setdefault("version", release)
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    command = [helm, "template", "x", str(CHART), "-f", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0, f"helm took {values}"
    return done.stderr


def by_document(found: list[Leaf]) -> dict[tuple[int, str], list[Leaf]]:
    """Leaves that may stand in one document: of one shape; a Ray version of its own, since it chooses the release."""
    documents = defaultdict(list)
    for leaf in found:
        documents[leaf.shape, "ray" if leaf.path[0] == "ray" else ""].append(leaf)
    return documents


@pytest.mark.parametrize("release", RELEASES)
def test_helm_refuses_every_misspelt_key(helm, tmp_path, release):
    missed, checked = [], 0
    for (_, _), group in by_document([leaf for leaf in ALL[release] if leaf.pointer not in FREE]).items():
        closed = [leaf for leaf in group if not leaf.beside_free_keys and FREE_BELOW not in leaf.path]
        named = [leaf for leaf in closed if leaf.path[-1] not in SAMPLE_KEYS]
        wrong = [((*leaf.path[:-1], f"{leaf.path[-1]}Misspelt"), "x") for leaf in named]
        text = faults(helm, tmp_path, release, wrong)
        for path, _ in wrong:
            parent = Leaf(path[:-1], None, 0).pointer
            lines = [line for line in text.splitlines() if f"at '{parent}': additional properties" in line]
            if not any(f"'{path[-1]}'" in line for line in lines):
                missed.append(Leaf(path, None, 0).pointer)
        checked += len(wrong)
    assert missed == []
    assert checked > 300


@pytest.mark.parametrize("release", RELEASES)
def test_helm_refuses_every_mistyped_value(helm, tmp_path, release):
    missed, untyped, checked = [], set(), 0
    for (_, _), group in by_document([leaf for leaf in ALL[release] if leaf.pointer not in FREE]).items():
        wrong = []
        for leaf in group:
            value = next((value for value in WRONG if rejects(leaf.schema, value)), None)
            if value is None:
                untyped.add(leaf.path[-1])
            else:
                wrong.append((leaf.path, value))
        if not wrong:
            continue
        text = faults(helm, tmp_path, release, wrong)
        missed += [Leaf(path, None, 0).pointer for path, _ in wrong if f"at '{Leaf(path, None, 0).pointer}" not in text]
        checked += len(wrong)
    assert missed == []
    assert checked > 300
    # Ray or vLLM take anything here; the extraction says so of each.
    assert untyped <= ANYTHING[release], untyped - ANYTHING[release]


def anything(release: str) -> set[str]:
    """Names that the release's own schemas leave untyped."""
    found = set()
    for name, definition in SCHEMA["definitions"].items():
        if name.startswith(f"ray-{release}."):
            found |= {key for key, inner in definition.get("properties", {}).items() if open_ended(inner)}
            for inner in definition.get("properties", {}).values():
                found |= {k for k, v in resolve(inner).get("properties", {}).items() if open_ended(v)}
    return found


def open_ended(schema: Any) -> bool:
    return not any(rejects(resolve(schema), value) for value in WRONG)


ANYTHING = {release: anything(release) for release in RELEASES}


@pytest.mark.parametrize("name", ["Upper-Case", "under_score", "a/b", "a" * 70, "-a", ""])
@pytest.mark.parametrize("keyed", ["models", "workerGroups", "pods.volumes"])
def test_helm_refuses_names_that_kubernetes_would_not_take(helm, tmp_path, keyed, name):
    if keyed == "models" and name == "under_score":
        name = "_under_score"  # only at the beginning
    path = (*keyed.split("."), name)
    text = faults(helm, tmp_path, "2.60.0", [(path, {})])
    place = Leaf(path, None, 0).pointer
    assert f"at '{place}': value must be 'below a key that is a name of small letters, digits" in text


SECRET = "correct-horse battery"


@pytest.mark.parametrize(
    ("values", "place", "wanted"),
    [
        ({"head": {"rayStartParams": {"redis-password": SECRET}}}, "/head/rayStartParams/redis-password", "letters"),
        (
            {"image": {"repository": f"user:{SECRET}@registry.example.com/ray"}},
            "/image/repository",
            "empty, or an image",
        ),
        ({"image": {"tag": SECRET}}, "/image/tag", "empty, or a tag"),
        ({"image": {"pullSecrets": [SECRET]}}, "/image/pullSecrets/0", "empty, or the name of an object"),
        ({"pods": {"podLabels": {"token": SECRET}}}, "/pods/podLabels/token", "empty, or letters"),
        ({"serving": {"routePrefix": SECRET}}, "/serving/routePrefix", "empty, or a route"),
        ({"apps": {"a": {"application": {"route_prefix": SECRET}}}}, "/apps/a/application/route_prefix", "/ alone"),
    ],
)
def test_helm_says_what_a_text_must_be_and_never_the_text(helm, tmp_path, values, place, wanted):
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    done = subprocess.run([helm, "template", "x", CHART, "-f", file], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"at '{place}': value must be '{wanted}" in done.stderr
    assert "battery" not in done.stdout + done.stderr


def below(node: Any) -> Iterator[Any]:
    yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from below(inner)


def test_no_text_is_held_to_a_pattern_of_which_helm_prints_the_text():
    tested = [node["if"] for node in below(SCHEMA) if isinstance(node, dict) and "pattern" in node.get("if", {})]
    patterns = [node for node in below(SCHEMA) if isinstance(node, dict) and isinstance(node.get("pattern"), str)]
    assert len(patterns) > 50
    assert [node for node in patterns if not any(node is each for each in tested)] == []
    assert not [node for node in below(SCHEMA) if isinstance(node, dict) and isinstance(node.get("format"), str)]


def test_no_keyed_mapping_lets_a_name_past_its_pattern():
    """`patternProperties` alone says nothing of a key that matches no pattern."""
    for path in (CHART / "values.schema.json", *sorted((CHART.parent / "schemas").glob("*.json"))):
        for node in below(json.loads(path.read_text(encoding="utf-8"))):
            if isinstance(node, dict) and "patternProperties" in node:
                assert "const" in node["additionalProperties"], node


def given(defaults: Any, path: Path_ = ()) -> Iterator[Path_]:
    for key, value in defaults.items():
        if value is not None:
            yield (*path, key)
            if isinstance(value, dict):
                yield from given(value, (*path, key))


def test_helm_refuses_every_default_that_is_emptied(helm, tmp_path):
    """`serving:` with nothing below it takes the chart's defaults away."""
    missed = []
    for path in given(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))):
        text = faults(helm, tmp_path, "2.60.0", [(path, None)]) if path != ("ray", "version") else ""
        if path != ("ray", "version") and f"missing property '{path[-1]}'" not in text:
            missed.append(path)
    assert missed == []
