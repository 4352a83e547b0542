"""What `validate` says of a document: every fault once, in the document's order, in words of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from generator.documents.load import Origin, load_text
from generator.errors import UserErrors
from generator.formats.check import check_document
from generator.formats.environment import Environment
from generator.formats.faults import parse_text
from tests.support.paths import ROOT
from tests.support.waiting import HANGS_S

BROKEN = """\
zoo: 1
models: {m: {family: x, llmConfig: {zz: 1, placement_group_config: , foo: 2, aa: 1}}}
pods: {volumes: {d: , e: {mountPath: /x}}, env: {B: {valueFrom: {}}, A: {}}, tolerations: [{x: 1}, {key: 5}]}
serving: {path: q, config: {http_options: {port: x, zz: 1}, foo: 1}}
image: {tag: 5, zz: 1, aa: 2}
"""
PATHS = [
    "zoo", "models.m.llmConfig", "models.m.llmConfig.zz", "models.m.llmConfig.placement_group_config",
    "models.m.llmConfig.foo", "models.m.llmConfig.aa",
    "pods.volumes.d", "pods.volumes.e", "pods.env.B.valueFrom", "pods.env.A", "pods.tolerations.0.x",
    "pods.tolerations.1.key", "serving.path", "serving.config.http_options.port", "serving.config.http_options.zz",
    "serving.config.foo", "image.tag", "image.zz", "image.aa",
]  # fmt: skip


def faults_of(text: str) -> list[str]:
    with pytest.raises(UserErrors) as caught:
        check_document(load_text(text, "f"), "values", Origin("f", text))
    return [str(error) for error in caught.value.errors]


@pytest.mark.parametrize("seed", ["1", "3"])
def test_faults_come_in_the_documents_order_whatever_pythons_hashes_are(tmp_path, seed):
    (tmp_path / "broken.yaml").write_text(BROKEN)
    done = subprocess.run(
        [sys.executable, "-m", "generator", "validate", tmp_path / "broken.yaml"],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=HANGS_S,
    )  # fmt: skip
    faults = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert [line.split(": ")[2] for line in faults] == PATHS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pods: {volumes: {d: }}", "'d' is empty and should be a mapping"),
        ("models: {m: {family: x, llmConfig: {model_loading_config: {model_source: a}, placement_group_config: }}}",
         "'placement_group_config' is empty and should be a mapping"),
        ("ray: {version: 2.60}", "'version' is 2.6\n  Quote it; did you mean '2.60.0'?"),
        ("ray: {version: }", "'version' is empty and should be text"),
        ("models: {m: {family: x, llmConfig: {model_loading_config: {model_source: a}, "
         "deployment_config: {num_replicas: 2, autoscaling_config: {min_replicas: 1}}}}}",
         "and one excludes the other\n  Remove one of them."),
        ("models: {m: {family: x, llmConfig: {model_loading_config: {model_source: a}, "
         "engine_kwargs: {max_num_seqs: x}}}}", "Give a whole number, without quotes."),
        ("yes: 1", "the key True is no text\n  Quote it: without quotes YAML reads yes, no, on and off"),
        ("? 2020-01-02\n: 1", 'the key 2020-01-02 is no text\n  Quote it: "2020-01-02".'),
    ],
)  # fmt: skip
def test_one_fault_is_one_message(text, message):
    (fault,) = faults_of(text)
    assert message in fault


def test_keys_of_several_types_are_told_together():
    assert len(faults_of("yes: 1\nfoo: 2\n5: 3\n1.5: 4\n~: 5\nb: 6")) == 4  # what is text is told when these are


ENGINE = "models: {m: {family: x, llmConfig: {model_loading_config: {model_source: a}, engine_kwargs: {%s}}}}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2020-01-02", "'a' is a date\n  Quote it: \"2020-01-02\"."),
        (".nan", "'a' is nan, which JSON has not"),
        ("[.inf]", "'0' is inf, which JSON has not"),
        ("!!set {1}", "'a' is a set (!!set)"),
        ("!!binary aGk=", "'a' is bytes (!!binary)"),
    ],
)
def test_what_json_has_not_is_refused_also_where_ray_takes_anything(value, message):
    (fault,) = faults_of(ENGINE % f"hf_overrides: {{a: {value}}}")
    assert message in fault


@pytest.mark.parametrize(
    ("old", "new", "most"),
    [("nodes: 1", "nodes: 1000000000000", 65_000), ("max: 1", "max: 1000000000000", 150_000)],
)
def test_numbers_that_no_cluster_has_are_refused_before_they_are_planned(old, new, most):
    text = "namespace: ai\nray: 2.60.0\npools: {p: {nodes: 1}}\nserve: {f: {replicas: {max: 1}}}\n"
    with pytest.raises(UserErrors) as caught:
        parse_text(text.replace(old, new), "f", Environment)
    assert f"Give {most} or less." in str(caught.value)


def test_all_faults_below_what_may_be_left_out_are_told_in_one_pass():
    assert len(faults_of(ENGINE % "foo: 1, bar: 2")) == 2


def test_a_bound_of_a_fraction_is_written_as_people_write_it():
    text = "namespace: ai\nray: 2.60.0\npools: {p: {nodes: 1, pricePerGpuHour: 1.0e+300}}\nserve: {f: {}}\n"
    with pytest.raises(UserErrors) as caught:
        parse_text(text, "f", Environment)
    assert "Give 9007199254740992 or less." in str(caught.value)
