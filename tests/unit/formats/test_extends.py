"""Environments that are written over others."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import UserError, UserErrors
from generator.formats.read import read_environment
from generator.project.project import Project

BASE = """\
ray: 2.60.0
pools:
  l4:
    gpu: L4-24GB
    nodes: 10
    nodeSelector: {pool: l4}
    tolerations: [{key: nvidia.com/gpu, operator: Exists}]
defaults: {context: 4096, sequences: 32}
serve: {falcon3: {}}
chart: {head: {env: {A: base}}}
"""
OWN = """\
extends: _base
namespace: eu
pools:
  l4: {nodes: 4, tolerations: []}
  h100: {gpu: H100-80GB, gpusPerNode: 8, nodes: 1}
defaults: {context: 8192}
serve: {falcon-h1: }
chart: {head: {env: {B: own}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "environments").mkdir()
    (tmp_path / "catalog").mkdir()
    (tmp_path / "environments" / "_base.yaml").write_text(BASE)
    (tmp_path / "environments" / "eu.yaml").write_text(OWN)
    return tmp_path / "environments"


def test_what_is_left_out_is_the_bases(folder: Path) -> None:
    environment = read_environment(folder / "eu.yaml")

    l4 = environment.pools["l4"]
    assert (environment.namespace, environment.ray, l4.gpu, l4.nodes) == ("eu", "2.60.0", "L4-24GB", 4)
    assert (l4.nodeSelector, l4.tolerations) == ({"pool": "l4"}, [])
    assert list(environment.pools) == ["l4", "h100"]
    assert (environment.defaults.context, environment.defaults.sequences) == (8192, 32)
    assert list(environment.serve) == ["falcon3", "falcon-h1"]
    assert environment.chart == {"head": {"env": {"A": "base", "B": "own"}}}


def test_a_pool_of_the_base_is_taken_away_by_nothing_behind_its_name(folder: Path) -> None:
    (folder / "eu-test.yaml").write_text("extends: eu\npools: {h100: }\n")

    assert list(read_environment(folder / "eu-test.yaml").pools) == ["l4"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{context: 8192}", "{source: ''}", "eu.yaml:6: defaults.source: 'source' is empty"),
        ("{context: 8192}", "{pool: []}", "'pool' is an empty list; name a pool, or remove the key"),
        ("h100: {gpu: H100-80GB, gpusPerNode: 8, nodes: 1}", "h100: ", "'h100' is empty"),
    ],
)
def test_what_says_nothing_is_refused_in_words(folder: Path, old: str, new: str, told: str) -> None:
    path = folder / "eu.yaml"
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(UserErrors) as refused:
        read_environment(path)

    assert told in str(refused.value) and "nothing was written" not in str(refused.value)


def test_a_base_of_a_base(folder: Path) -> None:
    (folder / "eu-test.yaml").write_text("extends: eu\nnamespace: eu-test\npools: {l4: {nodes: 1}}\n")

    environment = read_environment(folder / "eu-test.yaml")

    assert (environment.namespace, environment.pools["l4"].nodes, environment.ray) == ("eu-test", 1, "2.60.0")


def test_a_base_is_no_environment(folder: Path) -> None:
    assert Project.at(folder.parent).environment_names() == ["eu"]
    with pytest.raises(UserError, match="unknown environment '_base'"):
        Project.at(folder.parent).environment("_base")


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("eu", "namespace: eu\n", "", "eu.yaml: 'namespace' is missing"),
        ("_base", "nodes: 10", "nods: 10", "_base.yaml:5: pools.l4.nods: unknown key 'nods'"),
        ("_base", "gpu: L4-24GB", "gpu: 4", "_base.yaml:4: pools.l4.gpu: 'gpu' should be text"),
        ("eu", "nodes: 4", "nodes: many", "eu.yaml:4: pools.l4.nodes"),
        ("_base", "env: {A: base}", "env: {A: [1]}", "_base.yaml:10: chart.head.env.A"),
        ("_base", "ray: 2.60.0", "ray: '2.61'", "_base.yaml:1: ray: unknown Ray release '2.61'"),
        (
            "_base",
            "{A: base}",
            "{HF_TOKEN: hf_aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567}",
            "_base.yaml:10: chart.head.env.HF_TOKEN",
        ),
        ("eu", "extends: _base", "extends: _bass", "eu.yaml:1: extends: unknown environment '_bass'"),
        ("_base", "ray: 2.60.0", "ray: 2.60.0\nextends: eu", "_base.yaml:2: extends: an environment extends itself"),
        ("eu", "extends: _base", "extends: [_base]", "eu.yaml:1: extends"),
        ("_base", BASE, "- a\n", "_base.yaml: is empty or no mapping"),
    ],
)
def test_a_fault_is_told_where_it_is_written(folder: Path, file: str, old: str, new: str, told: str) -> None:
    path = folder / f"{file}.yaml"
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises((UserError, UserErrors)) as refused:
        read_environment(folder / "eu.yaml")

    assert told in str(refused.value)
