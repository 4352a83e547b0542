"""A secret's text is refused wherever values can hold one, by Helm as by the generator, and no message repeats it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from generator.formats.secrets import secrets_in
from generator.redaction import for_chart
from tests.chart.rendering import CHART, MINIMAL, MODEL, Render, Rendered, model, values_files
from tests.support.secrets import HARMLESS, NAMES, PLACEHOLDERS, SHAPED, WRITTEN

TEXT = "correct-horse-battery"
Template = Callable[..., subprocess.CompletedProcess[str]]


def app(**settings: Any) -> dict[str, Any]:
    return {"apps": {"echo": {"application": {"import_path": "echo:app", **settings}}}}


PLACES: dict[str, dict[str, Any]] = {
    "pods.env.HF_TOKEN": {"pods": {"env": {"HF_TOKEN": TEXT}}},
    "head.env.HF_TOKEN": {"head": {"env": {"HF_TOKEN": TEXT}}},
    "pods.env.HF_TOKEN.value": {"pods": {"env": {"HF_TOKEN": {"value": TEXT}}}},
    "apps.echo.application.args.more.0.value": app(args={"more": [{"name": "DB_PASSWORD", "value": TEXT}]}),
    "commonAnnotations.api-key": {"commonAnnotations": {"api-key": TEXT}},
    "pods.podAnnotations.password": {"pods": {"podAnnotations": {"password": TEXT}}},
    f"models.{MODEL}.llmConfig.runtime_env.env_vars.AWS_SECRET_ACCESS_KEY": {
        "models": {MODEL: model(runtime_env={"env_vars": {"AWS_SECRET_ACCESS_KEY": TEXT}})}
    },
    f"models.{MODEL}.llmConfig.model_loading_config.model_source": {
        "models": {MODEL: model(model_loading_config={"model_source": SHAPED["address of a bucket"]})}
    },
    f"models.{MODEL}.llmConfig.engine_kwargs.hf_overrides.hub_token": {
        "models": {MODEL: model(engine_kwargs={"hf_overrides": {"hub_token": TEXT}})}
    },
    "apps.echo.application.args.keys.1.api_key": app(args={"keys": [{"a": 1}, {"api_key": TEXT}]}),
    "apps.echo.application.runtime_env.env_vars.HF_TOKEN": app(runtime_env={"env_vars": {"HF_TOKEN": TEXT}}),
    "apps.echo.files.echo.py": {
        "apps": {"echo": app()["apps"]["echo"] | {"files": {"echo.py": f"\n{SHAPED['hub']}\n"}}}
    },
    "huggingFace.existingSecret": {"huggingFace": {"existingSecret": SHAPED["hub"]}},
    "pods.env.(a key)": {"pods": {"env": {SHAPED["hub"]: "1"}}},
}


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_refused_and_not_repeated(helm_template: Template, place: str) -> None:
    done = helm_template([MINIMAL, PLACES[place]])
    assert done.returncode != 0
    assert f"- {place}: it " in done.stderr
    if place != "huggingFace.existingSecret":
        (fault,) = secrets_in(PLACES[place])
        fix, _, key = fault.fix.partition(" If it is no secret, say why in ")
        assert (fix if key else "Give a key another name") in done.stderr
        assert f"say why in {key}" in done.stderr if key else "notSecrets" not in done.stderr
    said = done.stdout + done.stderr
    assert not [text for text in (TEXT, SHAPED["hub"], SHAPED["address of a bucket"]) if text in said]


def test_helm_and_the_generator_find_the_same(helm_template: Template) -> None:
    texts = {f"V{number}": text for number, text in enumerate([*SHAPED.values(), *HARMLESS.values(), *PLACEHOLDERS])}
    names = dict.fromkeys([*NAMES, *HARMLESS], TEXT)
    placeholders = {f"N{number}_TOKEN": text for number, text in enumerate(PLACEHOLDERS)}
    numbers = {"N_TOKEN": 123456, "M_TOKEN": 12345, "O_TOKEN": 0.5, "P_TOKEN": True, "Q_TOKEN": None}
    values = app(
        args=texts | names | placeholders | numbers | {"below": HARMLESS, "list": list(SHAPED.values())} | WRITTEN
    )
    values["apps"]["echo"]["files"] = {"password.py": "x = 1", "code.py": f"x\ny = '{SHAPED['hub']}'\n"}
    done = helm_template([MINIMAL, values])
    found = dict(re.findall(r"^- (.+?): it (.+)\.$", done.stderr, re.MULTILINE))
    expected = {".".join(map(str, fault.path)): fault.what.partition("' ")[2] for fault in secrets_in(values)}
    assert found == expected
    assert len(found) > 60


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_secret_given_to_an_option_or_a_variable(helm_template: Template, kind: str) -> None:
    """Each alone, since helm looks closer only where a first look finds something."""
    done = helm_template([MINIMAL, app(args={"serve": WRITTEN[kind]})])
    assert "- apps.echo.application.args.serve" in done.stderr
    assert "correct-horse" not in done.stdout + done.stderr


def test_what_is_none_is_named_with_the_reason(render_with: Render) -> None:
    values = {"pods": {"env": {"LICENSE_TOKEN": TEXT}}, "notSecrets": {"LICENSE_TOKEN": "it is printed on the box"}}
    assert render_with(values).env("head")["LICENSE_TOKEN"] == TEXT


def test_a_reference_is_rendered_as_one(render_with: Render) -> None:
    reference = {"valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}
    rendered = render_with({"pods": {"env": {"OPENAI_API_KEY": reference, "B_TOKEN": "$(OPENAI_API_KEY)"}}})
    assert rendered.env("head")["OPENAI_API_KEY"] == reference["valueFrom"]
    assert rendered.env("head")["B_TOKEN"] == "$(OPENAI_API_KEY)"


def test_the_name_of_a_secret_is_one(render_error: Callable[..., str]) -> None:
    message = render_error({"huggingFace": {"existingSecret": "Correct Horse"}})
    assert "huggingFace.existingSecret: it is no name of a Secret. Name one" in message
    assert "Correct" not in message


def test_no_render_has_the_text_of_a_secret(render: Render, values_file: Any) -> None:
    """Not in the objects that anyone sees who may read the cluster."""
    rendered: Rendered = render(values_file)
    objects = [*rendered.objects, *rendered.hooks]
    scripts = {(CHART / "files" / name).read_text(encoding="utf-8") for name in ("helm_test.py", "prefetch.py")}
    assert [fault.path for fault in secrets_in(without(objects, scripts))] == []


def without(node: Any, texts: set[str]) -> Any:
    """The same but for these texts, whose patterns of secrets look like some."""
    if isinstance(node, dict):
        return {key: without(value, texts) for key, value in node.items()}
    if isinstance(node, list):
        return [without(value, texts) for value in node]
    return "" if isinstance(node, str) and node in texts else node


def test_there_are_files_to_look_at() -> None:
    assert len(list(values_files())) > 10


def test_the_charts_table_is_the_generators() -> None:
    assert yaml.safe_load((CHART / "files" / "secrets.yaml").read_text(encoding="utf-8")) == for_chart()
