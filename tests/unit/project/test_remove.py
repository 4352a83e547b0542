"""`remove`: a model out of an environment, or out of the catalog, and every other byte as people wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from generator.cli.cli import cli
from generator.documents.files import write_files
from generator.errors import UserError
from generator.progress import silent
from generator.project.add import add_model
from generator.project.environment_edit import serve_no_more
from generator.project.project import Project
from generator.project.remove import remove_model

HEAD = "namespace: ai  # ours\nray: 2.60.0\n"
ENVIRONMENT = """\
namespace: ai
ray: 2.60.0
pools:
  l4: {gpu: L4-24GB, nodes: 4}
serve:
  # for the help desk
  qwen3:
    models:
      qwen3-8b: # asked for by sales
      qwen3-0.6b: {replicas: {min: 0, max: 2}}
  # for search
  bge:
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """A project's files, by their path in it: two families of the library, served in two environments."""
    root = tmp_path_factory.mktemp("made")
    for folder in ("catalog", "environments"):
        (root / folder).mkdir()
    (root / "environments" / "dev.yaml").write_text(
        "namespace: ai\nray: 2.60.0\npools: {l4: {gpu: L4-24GB, nodes: 4}}\n"
    )
    for name in ("qwen3-8b", "qwen3-0.6b", "bge-m3"):
        write_files(add_model(Project.at(root), name, report=silent).generated.texts)
    (root / "environments" / "dev.yaml").write_text(ENVIRONMENT)
    (root / "environments" / "west.yaml").write_text("extends: dev\nserve: {bge: {replicas: {min: 1, max: 1}}}\n")
    project = Project.at(root)
    write_files(project.generated_values(project.environment_names()).texts)
    return {path.relative_to(root): path.read_text() for path in root.rglob("*.yaml")}


@pytest.fixture
def project(made: dict[Path, str], tmp_path: Path) -> Project:
    write_files({tmp_path / path: text for path, text in made.items()})
    return Project.at(tmp_path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("serve:\n  qwen3:\n", "serve:\n  qwen3:\n    models:\n      b:\n      c:\n"),
        ("serve:\n  qwen3: {}\n", "serve:\n  qwen3:\n    models:\n      b:\n      c:\n"),
        (
            "serve:\n  qwen3:\n    context: 100\n",
            "serve:\n  qwen3:\n    context: 100\n    models:\n      b:\n      c:\n",
        ),
        (
            "serve:\n  qwen3:\n    models:\n      b:\n      a: {context: 9}\n  # for search\n  bge:\n",
            "serve:\n  qwen3:\n    models:\n      b:\n  # for search\n  bge:\n",
        ),
        ("serve:\n  qwen3: {models: {a: , b: }}\n", "serve:\n  qwen3: {models: {b: }}\n"),
        ("serve:\n  qwen3:\n    models:\n      a:\nchart: {}\n", "serve: {}\nchart: {}\n"),
        ("serve:\n  qwen3:\n    models: {a: }\n  bge: {}\n", "serve:\n  bge: {}\n"),
        ("serve: {bge: {}}\n", "serve: {bge: {}}\n"),
    ],
    ids=["all, null", "all", "all, with words", "last", "flow", "only one", "only one of its family", "not there"],
)
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_an_environment_serves_the_others_and_the_rest_stays(before: str, after: str, line_break: str) -> None:
    text = (HEAD + before).replace("\n", line_break)

    edited = serve_no_more(text, family="qwen3", model_id="a", others=["b", "c"], where="e.yaml")

    assert edited == (HEAD + after).replace("\n", line_break)


def test_what_only_a_person_can_edit_is_left_to_one() -> None:
    text = HEAD + "serve: {qwen3: {context: 100}}\n"

    with pytest.raises(UserError) as refused:
        serve_no_more(text, family="qwen3", model_id="a", others=["b"], where="e.yaml")

    assert refused.value.fix.endswith("models:\n      b:")


def test_a_model_leaves_an_environment_and_its_values(project: Project) -> None:
    removed = remove_model(project, "qwen3-8b", environment="dev", report=silent)

    assert removed.generated.texts[removed.path] == ENVIRONMENT.replace("      qwen3-8b: # asked for by sales\n", "")
    values = removed.generated.texts[project.values_path("dev", "qwen3")]
    assert "qwen3-0.6b:" in values and "qwen3-8b:" not in values
    assert removed.generated.stale == []


def test_the_values_of_a_family_that_is_served_no_more_are_deleted(project: Project) -> None:
    options = ["--root", str(project.root)]

    done = CliRunner().invoke(cli, [*options, "remove", "bge-m3", "-e", "dev"])

    assert done.exit_code == 0, done.output
    assert "bge.yaml   removed" in done.output
    assert "generate, for west extends dev" in done.output
    assert not project.values_path("dev", "bge").exists()
    assert project.environment("dev").serve.keys() == {"qwen3"}


def test_a_model_that_is_served_stays_in_the_catalog(project: Project) -> None:
    with pytest.raises(UserError) as refused:
        remove_model(project, "bge-m3", report=silent)

    assert refused.value.what == "'bge-m3' is served by dev, west"
    assert "remove bge-m3 --environment dev" in refused.value.fix


def test_a_model_that_nothing_serves_leaves_the_catalog(project: Project) -> None:
    write_files({project.environment_path("dev"): ENVIRONMENT[: ENVIRONMENT.index("serve:")]})
    write_files({project.environment_path("west"): "extends: dev\n"})
    path = project.root / "catalog" / "qwen3.yaml"
    before = path.read_text()

    removed = remove_model(project, "qwen3-0.6b", report=silent)

    after = removed.generated.texts[path]
    assert before.startswith(after.rstrip("\n"))
    write_files(removed.generated.texts)
    last = remove_model(project, "qwen3-8b", report=silent)
    assert (last.generated.texts, last.generated.stale) == ({}, [path])


@pytest.mark.parametrize(
    ("model_id", "environment", "told"),
    [
        ("qwen3-9b", None, "unknown model 'qwen3-9b'"),
        ("qwen3-8b", "nowhere", "unknown environment 'nowhere'"),
        ("qwen3-8b", "west", "by what it extends, 'dev'"),
    ],
)
def test_what_cannot_be_taken_away_is_told(project: Project, model_id: str, environment: str, told: str) -> None:
    with pytest.raises(UserError) as refused:
        remove_model(project, model_id, environment=environment, report=silent)

    assert told in str(refused.value)


def test_what_comes_next_can_be_followed(project: Project) -> None:
    def told(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["--root", str(project.root), "remove", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    assert "next: helm upgrade --install llm " in (one := told("bge-m3", "-e", "dev"))
    assert "values/dev/qwen3.yaml; helm uninstall a release that has " in one and "values/dev/bge.yaml alone" in one
    told("qwen3-8b", "-e", "dev")
    assert "next: helm uninstall llm -n ai: dev serves nothing" in told("qwen3-0.6b", "-e", "dev")
