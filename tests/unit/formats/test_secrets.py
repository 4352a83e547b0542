"""A secret's text is refused wherever it can be written, and no message repeats it."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from generator.documents.load import Origin, dump_yaml, read_yaml
from generator.errors import UserErrors
from generator.facts.releases import releases
from generator.formats.catalog import CatalogFile
from generator.formats.check import check_document
from generator.formats.faults import parse_text
from generator.formats.json_schema import SECRETS
from generator.formats.secrets import secrets_in
from tests.support.command_line import generator
from tests.support.paths import CONFIGS, ROOT
from tests.support.secrets import HARMLESS, NAMES, PLACEHOLDERS, SHAPED, WRITTEN

TEXT = "correct-horse-battery"
PLACES = [
    "pods.env",
    "pods.podAnnotations",
    "commonAnnotations",
    "workerGroups.g.env",
    "head.rayStartParams",
    "models.m.llmConfig.runtime_env.env_vars",
    "models.m.llmConfig.engine_kwargs",
    "models.m.llmConfig.engine_kwargs.hf_overrides",
    "apps.a.application.args",
    "apps.a.application.args.more.0",
    "apps.a.application.runtime_env.env_vars",
    "serving.config.http_options",
    "serviceAccount.annotations",
]


def below(path: str, value: Any) -> Any:
    for key in reversed(path.split(".")):
        value = [value] if key == "0" else {key: value}
    return value


def told(data: dict[str, Any], kind: str = "values") -> str:
    with pytest.raises(UserErrors) as raised:
        check_document(data, kind, Origin("file.yaml", dump_yaml(data)))
    return str(raised.value)


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_by_its_name(place: str) -> None:
    message = told(below(place, {"HF_TOKEN": TEXT}))
    assert f"{place}.HF_TOKEN: 'HF_TOKEN' has the text of a secret, going by its name\n" in message
    assert "file.yaml:" in message
    assert "say why in notSecrets.HF_TOKEN." in message
    assert TEXT not in message


WAYS_OUT = {
    "pods.env": "pods.env.<NAME>.valueFrom.secretKeyRef, or huggingFace.existingSecret",
    "models.m.llmConfig.engine_kwargs": "pods.env.<NAME>.valueFrom.secretKeyRef, or huggingFace.existingSecret",
    "apps.a.application.args": "pods.env.<NAME>.valueFrom.secretKeyRef, or huggingFace.existingSecret",
    "apps.a.files": "Read it from a variable (os.environ), and give that one by pods.env.<NAME>.valueFrom",
    "pods.podAnnotations": "Take it out: everyone who sees the object reads it",
    "chart.commonLabels": "Take it out: everyone who sees the object reads it",
    "workerGroups.g.tolerations.0": "Take it out: everyone who sees the object reads it",
}


@pytest.mark.parametrize("place", WAYS_OUT)
def test_the_way_out_fits_the_place_and_names_the_key_to_write(place: str) -> None:
    (fault,) = secrets_in(below(place, {"value-of": SHAPED["hub"]}))
    assert fault.fix.startswith(("Name a Secret instead: ", "Take it out: ", "Read it "))
    assert WAYS_OUT[place] in fault.fix
    assert fault.fix.endswith(" say why in notSecrets.value-of.")
    exempt = {**below(place, {"value-of": SHAPED["hub"]}), "notSecrets": {"value-of": "it opens nothing"}}
    assert not list(secrets_in(exempt))


@pytest.mark.parametrize("kind", WRITTEN)
def test_the_key_that_is_named_for_a_text_takes_it(kind: str) -> None:
    values = {"env": {"TEXT": WRITTEN[kind]}}
    key = next(secrets_in(values)).fix.rpartition("notSecrets.")[2].rstrip(".")
    assert not list(secrets_in({**values, "notSecrets": {key: "it opens nothing"}}))


@pytest.mark.parametrize("name", NAMES)
def test_names_of_secrets(name: str) -> None:
    assert [fault.path for fault in secrets_in({"env": {name: TEXT}})] == [("env", name)]
    assert [fault.path[:2] for fault in secrets_in({"args": {name: [TEXT]}})] == [("args", name)]


def test_the_name_of_a_value_is_that_of_what_it_is_of() -> None:
    named = {"env": {"HF_TOKEN": {"value": TEXT}}, "args": [{"name": "DB_PASSWORD", "value": TEXT}]}
    assert [fault.path for fault in secrets_in(named)] == [("env", "HF_TOKEN", "value"), ("args", 0, "value")]
    assert not list(secrets_in({"env": {"HOME": {"value": TEXT}}, "args": [{"name": "DB_HOST", "value": TEXT}]}))


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_secret_given_to_an_option_or_a_variable(kind: str) -> None:
    message = told({"apps": {"a": {"application": {"args": {"serve": WRITTEN[kind]}}}}})
    assert "file.yaml:" in message
    assert "is or holds a password of a user" in message or "has the text of a secret" in message
    assert "correct-horse" not in message


def test_an_option_that_takes_no_secret_is_exempt_by_its_name() -> None:
    listed, text = ["--pin-token", "correct-horse"], "--pin-token=correct-horse"
    values = {"apps": {"a": {"application": {"args": {"list": listed, "text": text}}}}}
    assert len(list(secrets_in(values))) == 2
    assert not list(secrets_in({**values, "notSecrets": {"pin-token": "it is printed on the box"}}))


def test_a_secret_in_the_code_of_an_app_is_found_by_its_shape_alone() -> None:
    code = f"import os\nkey = os.environ['API_KEY']\ntoken = '{SHAPED['hub']}'\n"
    message = told({"apps": {"a": {"files": {"a.py": code}}}})
    assert "apps.a.files.a.py: 'a.py' is or holds a token of the Hugging Face hub, in line 3 of the text" in message
    assert SHAPED["hub"] not in message
    harmless = {"password_check.py": "import os\n# run it with --api-key something HF_TOKEN=x\n"}
    assert not list(secrets_in({"apps": {"a": {"files": harmless}}}))


@pytest.mark.parametrize("kind", SHAPED)
def test_a_secret_by_its_shape(kind: str) -> None:
    for text in (SHAPED[kind], *([] if kind.startswith("login") else [f"a line\n{SHAPED[kind]}\n"])):
        message = told({"pods": {"env": {"VALUE": text}}})
        assert "'VALUE' is or holds " in message
        assert SHAPED[kind] not in message


def test_a_secret_as_a_key_is_not_repeated() -> None:
    message = told({"pods": {"env": {SHAPED["hub"]: "1"}}})
    assert "pods.env: a key is a token of the Hugging Face hub" in message
    assert "Give it another name" in message and "notSecrets" not in message
    assert SHAPED["hub"] not in message


def test_other_faults_wait_so_that_none_quotes_a_secret() -> None:
    message = told({"pods": {"env": {"HF_TOKEN": [TEXT]}}, "unknown": 1})
    assert "pods.env.HF_TOKEN.0" in message
    assert TEXT not in message and "unknown" not in message


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_sounds_like_one_is_taken(name: str) -> None:
    assert list(secrets_in({"env": {name: HARMLESS[name]}})) == []


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_placeholders_are_taken(text: str) -> None:
    assert list(secrets_in({"env": {"HF_TOKEN": text}})) == []


@pytest.mark.parametrize(
    "value",
    [{"valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}, None, True, 0, 4096, 0.5, {}, []],
)
def test_references_and_what_is_no_text_are_taken(value: Any) -> None:
    assert list(secrets_in({"env": {"HF_TOKEN": value}})) == []


def test_what_is_none_is_said_with_the_reason() -> None:
    env = {"pods": {"env": {"LICENSE_TOKEN": TEXT}}}
    check_document({**env, "notSecrets": {"LICENSE_TOKEN": "it is printed on the box"}}, "values", Origin("file.yaml"))
    environment = read_yaml(ROOT / "environments" / "dev.yaml")
    environment["chart"] |= env | {"notSecrets": {"LICENSE_TOKEN": "it is printed on the box"}}
    check_document(environment, "environment", Origin("file.yaml"))
    assert "LICENSE_TOKEN" in told({**env, "notSecrets": {"ANOTHER_TOKEN": "it is printed on the box"}})
    with pytest.raises(UserErrors, match="notSecrets"):
        check_document({**env, "notSecrets": {"LICENSE_TOKEN": "why"}}, "values", Origin("file.yaml"))


def test_a_name_that_is_none_says_nothing_of_what_is_further_below() -> None:
    assert "HF_TOKEN" in told({"pods": {"env": {"HF_TOKEN": TEXT}}, "notSecrets": {"pods": "only the pods' name"}})


def environment_with(place: str) -> dict[str, Any]:
    environment: dict[str, Any] = copy.deepcopy(read_yaml(ROOT / "environments" / "dev.yaml"))
    node = environment
    *above, key = place.split(".")
    for each in above:
        node = node.setdefault(each, {})
    node[key] = {**node.get(key, {}), "HF_TOKEN": TEXT}
    return environment


@pytest.mark.parametrize(
    "place",
    [
        "chart.pods.env",
        "defaults.llmConfig.runtime_env.env_vars",
        "defaults.llmConfig.engine_kwargs",
        "pools.small-model-workers.workerGroup.env",
        "chart.serving.config",
    ],
)
def test_secrets_of_an_environment(place: str) -> None:
    message = told(environment_with(place), "environment")
    assert f"{place}.HF_TOKEN" in message
    assert TEXT not in message


@pytest.mark.parametrize("command", [("validate", "environments/dev.yaml"), ("generate",), ("plan",)])
def test_every_command_that_reads_it_refuses_it(command: tuple[str, ...], tmp_path: Path) -> None:
    for name in ("catalog", "environments", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "environments" / "dev.yaml").write_text(dump_yaml(environment_with("chart.pods.env")))
    done = generator(*command, folder=tmp_path)
    assert done.returncode == 2
    assert "chart.pods.env.HF_TOKEN: 'HF_TOKEN' has the text of a secret" in done.stderr
    assert TEXT not in done.stdout + done.stderr
    assert not (tmp_path / "values").exists()


def test_a_secret_in_the_code_of_an_app_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    for name in ("catalog", "environments", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    code = tmp_path / "examples" / "custom-app" / "vllm_app.py"
    lines = code.read_text(encoding="utf-8").splitlines()
    code.write_text("\n".join([*lines, f'KEY = "{SHAPED["hub"]}"', ""]), encoding="utf-8")
    done = generator("generate", "--environment", "kind", folder=tmp_path)
    assert done.returncode == 2
    assert f"vllm_app.py:{len(lines) + 1}: it holds a token of the Hugging Face hub\n" in done.stderr
    assert "notSecrets.vllm_app.py" in done.stderr
    assert SHAPED["hub"] not in done.stdout + done.stderr
    assert not (tmp_path / "values").exists()
    environment = tmp_path / "environments" / "kind.yaml"
    said = "\nchart:\n  notSecrets: {vllm_app.py: a token that opens nothing}\n"
    text = environment.read_text(encoding="utf-8")
    assert "\nchart:\n" in text
    environment.write_text(text.replace("\nchart:\n", said), encoding="utf-8")
    assert generator("generate", "--environment", "kind", folder=tmp_path).returncode == 0


def test_a_secret_in_the_catalog() -> None:
    text = (ROOT / "catalog" / "falcon3.yaml").read_text(encoding="utf-8")
    address = SHAPED["address of a bucket"]
    changed = text.replace("tiiuae/Falcon3-1B-Instruct", address, 1)
    assert changed != text
    with pytest.raises(UserErrors) as raised:
        parse_text(changed, "falcon3.yaml", CatalogFile)
    assert "falcon3-1b-instruct.source: 'source' is or holds an address with a password" in str(raised.value)
    assert address not in str(raised.value)


def test_no_file_of_this_project_has_one() -> None:
    files = [path for name in ("catalog", "environments", "values", "chart/ci", "tests/chart/values") for path in (
        ROOT / name).rglob("*.yaml")]  # fmt: skip
    assert len(files) > 20
    assert [(path, fault) for path in files for fault in secrets_in(read_yaml(path))] == []


def test_no_configuration_of_a_published_model_has_one() -> None:
    found = [
        (path.name, fault)
        for path in CONFIGS.glob("*.json")
        for fault in secrets_in({"hf_overrides": json.loads(path.read_text(encoding="utf-8"))})
    ]
    assert found == []


def test_of_the_arguments_of_ray_and_vllm_only_the_known_ones_are_secrets() -> None:
    names = {name for each in releases().values() for shape in each.arguments().values() for name in shape.get(
        "properties", {})}  # fmt: skip
    assert len(names) > 300
    assert {name for name in names if list(secrets_in({name: TEXT}))} <= set(SECRETS)
