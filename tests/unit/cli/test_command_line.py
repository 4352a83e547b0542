"""What people see: results, exit codes, and one clear message for every kind of bad input."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pty
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.command_line import generator
from tests.support.paths import ROOT
from tests.support.waiting import HANGS_S

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
LIBC = ctypes.CDLL(None, use_errno=True)


def _drop_roots_passage() -> None:
    """Take from root what lets it through every permission, for the program that is started next."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        if LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) and os.geteuid() == 0:
            raise OSError(ctypes.get_errno(), "root cannot be bound by permissions here")


class Project:
    """A copy of what people edit in the project, and the command line run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("catalog", "environments", "examples", "values", "schemas"):
            shutil.copytree(ROOT / name, folder / name)
        (folder / "chart" / "files").mkdir(parents=True)
        for name in ("values.schema.json", "values.yaml"):
            shutil.copy(ROOT / "chart" / name, folder / "chart")
        for path in (ROOT / "chart" / "files").glob("*.yaml"):
            shutil.copy(path, folder / "chart" / "files")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return generator(*arguments, folder=self.folder)

    def run_bound(
        self, *arguments: str, by_permissions: bool = False, file_bytes: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it in a process that is bound `by_permissions`, also as root, or in which no file grows beyond so many
        bytes, as on a full disk."""

        def limit() -> None:
            if by_permissions:
                _drop_roots_passage()
            if file_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

        return subprocess.run(
            [sys.executable, "-m", "generator", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=HANGS_S,
            preexec_fn=limit,
        )

    def path(self, name: str) -> Path:
        return self.folder / name

    def edit(self, name: str, old: str, new: str) -> None:
        text = self.path(name).read_text()
        assert old in text
        self.path(name).write_text(text.replace(old, new, 1))

    def snapshot(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_what_is_committed_is_what_is_generated(project):
    for command in (("generate", "--check"), ("schema", "--check")):
        done = project.run(*command)
        assert (done.returncode, done.stderr.count("error")) == (0, 0), done.stdout


def test_a_changed_catalog_is_shown_as_a_diff_and_exit_code_1(project):
    project.edit("catalog/falcon3.yaml", "context: 8192", "context: 4096")
    before = project.snapshot()
    done = project.run("generate", "--check")
    assert done.returncode == 1
    assert "+        max_model_len: 4096" in done.stdout
    assert "python -m generator generate" in done.stderr
    assert project.snapshot() == before


def test_generating_twice_writes_the_same_bytes(project):
    shutil.rmtree(project.path("values"))
    assert project.run("generate").returncode == 0
    first = project.snapshot()
    assert project.run("generate").returncode == 0
    assert project.snapshot() == first


def test_values_of_a_family_that_is_no_longer_served_are_removed_and_peoples_own_files_stay(project):
    project.edit("environments/local.yaml", "  falcon-h1:\n    models:\n", "  falcon3-more:\n    models:\n")
    project.edit("environments/local.yaml", "  falcon3-more:\n    models:\n", "")
    text = project.path("environments/local.yaml").read_text()
    project.path("environments/local.yaml").write_text(
        "".join(line for line in text.splitlines(keepends=True) if "falcon-h1-0.5b" not in line)
    )
    project.path("values/local/my-own.yaml").write_text("pods: {}\n")
    done = project.run("generate", "--environment", "local")
    assert done.returncode == 0, done.stderr
    assert not project.path("values/local/falcon-h1.yaml").exists()
    assert project.path("values/local/my-own.yaml").exists()


def test_values_of_an_environment_that_is_no_more_are_removed(project):
    project.path("environments/original.yaml").unlink()
    assert project.run("generate").returncode == 0
    assert not project.path("values/original/falcon3.yaml").exists()


def test_a_persons_edited_copy_of_a_generated_file_stays_whatever_lies_beside_it(project):
    text = project.path("values/dev/falcon3.yaml").read_text()
    for copy in ("values/dev/mine.yaml", "values/dev2/falcon3.yaml", "values/old/dev/falcon3.yaml"):
        project.path(copy).parent.mkdir(parents=True, exist_ok=True)
        project.path(copy).write_text(text)
    project.path("values/dev/note.yaml").write_text("# Generated by `python -m generator`, then by hand\n")
    project.path("values/dev/latin.yaml").write_bytes(b"# \xff\n")
    project.path("values/dev/folder.yaml").mkdir()
    project.path("values/dev/broken.yaml").symlink_to("nowhere")
    before = project.snapshot()
    done = project.run("generate")
    assert (done.returncode, "removed" in done.stdout) == (0, False), done.stderr
    assert project.snapshot() == before


def test_generated_values_name_the_catalog_file_that_has_the_family(project):
    project.path("catalog/falcon3.yaml").rename(project.path("catalog/dense.yaml"))
    assert project.run("generate").returncode == 0
    assert "catalog/dense.yaml and environments/dev.yaml" in project.path("values/dev/falcon3.yaml").read_text()


def test_without_an_environment_nothing_is_removed(project):
    for path in project.path("environments").iterdir():
        path.unlink()
    before = project.snapshot()
    done = project.run("generate")
    assert done.returncode == 2
    assert "environments: no environment file (*.yaml)" in done.stderr
    assert project.snapshot() == before


def test_environments_that_cannot_be_listed_are_an_error_and_nothing_is_removed(project):
    before = project.snapshot()
    project.path("environments").chmod(0)
    done = project.run_bound("generate", by_permissions=True)
    project.path("environments").chmod(0o755)
    assert done.returncode == 2
    assert "environments: cannot be listed: Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.snapshot() == before


def test_an_environment_file_with_the_wrong_suffix_is_named_and_nothing_is_removed(project):
    project.path("environments/dev.yaml").rename(project.path("environments/dev.yml"))
    before = project.snapshot()
    done = project.run("generate")
    assert done.returncode == 2
    assert "environments/dev.yml: would not be read\n  Rename it to dev.yaml." in done.stderr
    assert project.snapshot() == before


def test_the_plan_is_json_for_programs_and_arithmetic_for_people(project):
    plan = json.loads(project.run("plan", "--environment", "dev", "--json").stdout)["environments"]["dev"]
    model = plan["models"]["falcon3-7b-instruct"]
    memory = model["memory_per_gpu"]
    parts = ("weights_gib", "activation_gib", "non_torch_gib", "cuda_graph_gib", "margin_gib", "kv_cache_gib")
    assert sum(memory[part] for part in parts) == pytest.approx(memory["usable_gib"], abs=0.01)
    words = project.run("plan", "--environment", "dev").stdout
    assert f"{model['kv_cache_tokens']:,} tokens" in words


@pytest.mark.parametrize("what", ["models", "families", "environments", "gpus", "releases"])
def test_lists_are_tables_and_json(project, what):
    rows = json.loads(project.run("list", what, "--json").stdout)["items"]
    table = project.run("list", what).stdout.splitlines()
    assert rows
    assert len(table) == len(rows) + 1


def _on_a_terminal(project: Project, *arguments: str, **environment: str) -> str:
    """What a terminal shows of a run."""
    ours, theirs = pty.openpty()
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "generator", *arguments],
        cwd=project.folder,
        env={**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal says that nobody writes any more
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    process.wait(timeout=HANGS_S)
    return shown.decode()


RESULT, ERROR = ("plan", "-e", "local"), ("plan", "-e", "nowhere")


@pytest.mark.parametrize("arguments", [RESULT, ERROR], ids=["result", "error"])
def test_colours_are_for_terminals_and_can_be_forced_or_forbidden(project, arguments):
    shown = _on_a_terminal(project, *arguments)
    assert arguments[-1] in shown
    assert "\033[" in shown
    assert "\033[" not in _on_a_terminal(project, *arguments, NO_COLOR="1")
    assert "\033[" not in _on_a_terminal(project, "--no-color", *arguments)
    for forced, coloured in (((), False), (("--color",), True)):
        done = project.run(*forced, *arguments)
        assert ("\033[" in done.stdout + done.stderr) == coloured


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed(project, shell):
    done = project.run("completion", shell)
    assert done.returncode == 0
    assert "_RAY_SERVE_LLM_COMPLETE" in done.stdout


def test_an_empty_path_is_no_file_to_validate(project):
    done = project.run("validate", "")
    assert done.returncode == 2
    assert "a FILE is empty, or this folder; name files" in done.stderr


def test_help_has_examples_for_every_command(project):
    commands = [line.split()[0] for line in project.run("--help").stdout.split("Commands:")[1].splitlines()
                if line.startswith("  ") and not line.startswith("   ")]  # fmt: skip
    named = [c for c in commands if c.isalpha() and c != "Examples:"]
    assert {"add", "generate", "validate", "schema", "plan", "list", "serve"} <= set(named)
    for command in named:
        done = project.run(command, "--help")
        assert done.returncode == 0
        assert "Examples:" in done.stdout


def test_a_model_from_a_config_json_is_added_and_planned_without_network(project, tmp_path):
    row = yaml.safe_load(project.path("catalog/falcon3.yaml").read_text())["models"]["falcon3-7b-instruct"]
    config = {"architectures": ["LlamaForCausalLM"], **{k: v for k, v in row["architecture"].items() if k != "name"}}
    project.path("config.json").write_text(json.dumps(config))
    comments = project.path("catalog/falcon3.yaml").read_text()
    done = project.run("add", "config.json", "--family", "falcon3", "--id", "falcon3-7b-mine", "--source", "s3://b/m")
    assert done.returncode == 0, done.stderr
    assert "catalog/falcon3.yaml   + falcon3-7b-mine  (7.46 B parameters" in done.stdout
    assert "values/dev/falcon3.yaml   1 x L4-24GB on small-model-workers" in done.stdout
    assert project.path("catalog/falcon3.yaml").read_text().startswith(comments.rstrip("\n"))
    values = yaml.safe_load(project.path("values/dev/falcon3.yaml").read_text())
    assert values["models"]["falcon3-7b-mine"]["llmConfig"]["model_loading_config"] == {"model_source": "s3://b/m"}
    assert project.run("generate", "--check").returncode == 0


def test_a_model_that_fits_nowhere_is_not_added(project):
    row = yaml.safe_load(project.path("catalog/falcon3.yaml").read_text())["models"]["falcon3-7b-instruct"]
    huge = {**row["architecture"], "hidden_size": 30720, "intermediate_size": 230400, "num_hidden_layers": 280}
    config = {"architectures": ["LlamaForCausalLM"], **{k: v for k, v in huge.items() if k != "name"}}
    project.path("config.json").write_text(json.dumps(config))
    before = project.snapshot()
    done = project.run("add", "config.json", "--family", "falcon3", "--id", "falcon3-huge")
    assert done.returncode == 2
    assert "fits on no pool" in done.stderr
    assert project.snapshot() == before


# A file of the project, what is written in it, and what the message must hold.
BAD_INPUT = {
    "unknown key": ("environments/dev.yaml", "    nodes: 10", "    nods: 10", "did you mean 'nodes'"),
    "wrong type": ("environments/dev.yaml", "nodes: 10", "nodes: ten", "should be a valid integer (it is 'ten')"),
    "impossible number": ("environments/dev.yaml", "nodes: 10", "nodes: 0", "greater than or equal to 1"),
    "unknown pool": ("environments/dev.yaml", "{replicas: {min: 0, max: 2}}", "{pool: small-model-worker}",
                     "did you mean 'small-model-workers'"),
    "unknown GPU": ("environments/dev.yaml", "gpu: L4-24GB", "gpu: L4", "did you mean"),
    "unknown Ray release": ("environments/dev.yaml", "ray: 2.60.0", "ray: 2.61.0", "did you mean '2.60.0'"),
    "unknown family": ("environments/dev.yaml", "  falcon3: {}", "  falcon4: {}", "did you mean 'falcon3'"),
    "unknown model": ("environments/dev.yaml", "falcon-h1-3b-instruct:", "falcon-h1-3b:", "did you mean"),
    "argument of no release": ("environments/dev.yaml", "chart:", "defaults: {llmConfig: {engine_kwargs: "
                               "{max_modl_len: 1}}}\nchart:", "unknown key 'max_modl_len' for Ray 2.60.0"),
    "argument of another release": ("environments/dev.yaml", "chart:", "defaults: {llmConfig: {resources_per_bundle: "
                                    "{GPU: 1}}}\nchart:", "Say placement_group_config.bundle_per_worker."),
    "secret in plain sight": ("environments/dev.yaml", "chart:", "defaults: {llmConfig: {engine_kwargs: {hf_token: "
                              "hf_abc}}}\nchart:", "Name a Secret instead: pods.env.<NAME>"),
    "key of a secret": ("environments/dev.yaml", "chart:", "defaults: {llmConfig: {engine_kwargs: {hf_token: true}}}"
                        "\nchart:", "Secrets are references: name a Secret"),
    "unknown value of the chart": ("environments/dev.yaml", "existingSecret:", "existingSecrt:",
                                   "did you mean 'existingSecret'"),
    "name too long": ("catalog/falcon3.yaml", "  falcon3-1b-instruct:", f"  {'a' * 70}:", "a length that is not"),
    "key given twice": ("catalog/falcon3.yaml", "  falcon3-3b-instruct:", "  falcon3-1b-instruct:", "is given twice"),
    "the same id in two files": ("catalog/falcon-h1.yaml", "  falcon-h1-3b-instruct:", "  falcon3-1b-instruct:",
                                 "model 'falcon3-1b-instruct' is already in"),
    "unreadable YAML": ("catalog/falcon3.yaml", "models:", "models: {", "not valid YAML"),
    "half-written YAML": ("environments/dev.yaml", "serve:", "serve", "not valid YAML"),
    "too many for the pool": ("environments/dev.yaml", "nodes: 10", "nodes: 2", "cannot hold its models at minimum"),
    "context beyond the model": ("catalog/falcon3.yaml", "context: 8192", "context: 16384", "and knows 8,192"),
}  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_gets_one_clear_message_and_changes_nothing(project, file, old, new, message):
    project.edit(file, old, new)
    before = project.snapshot()
    done = project.run("generate")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert file.rsplit("/", 1)[1] in done.stderr
    assert "Traceback" not in done.stderr
    assert project.snapshot() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["validate", "values/dev/falcon4.yaml"], "no such file"),
        (["generate", "--environment", "prodd"], "did you mean 'prod'"),
        (["generate", "--environment", ""], "it is empty; name an environment"),
        (["plan", "-e", ""], "it is empty; name an environment"),
        (["generate", "--environment", "prodd"], "environments: unknown environment 'prodd'"),
        (["add", "config.json", "--family", "../x"], "error: --family: '../x' has characters"),
        (["add", "config.json", "--id", "A B"], "error: --id: 'A B' has characters"),
        (["genrate"], "did you mean 'generate'"),
        (["plan", "--jsn"], "--json"),
        (["add", "./nowhere"], "no such folder or file"),
        (["serve", "falcon4", "--environment", "local"], "did you mean 'falcon3'"),
    ],
)
def test_a_wrong_word_on_the_command_line_is_exit_code_2_and_says_what_is_right(project, arguments, message):
    done = project.run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_a_project_says_what_is_missing(tmp_path):
    done = subprocess.run([sys.executable, "-m", "generator", "--root", str(tmp_path), "plan"], capture_output=True,
                          text=True, check=False, cwd=ROOT)  # fmt: skip
    assert done.returncode == 2
    assert "no folder 'catalog' here" in done.stderr


@pytest.mark.parametrize("seed", range(3))
def test_a_hand_written_values_file_is_validated_with_line_numbers(project, seed):
    bad = ["models: {a: {family: f, llmConfg: {}}}", "workrGroups: {}", "serving: {path: fast}"][seed]
    project.path("mine.yaml").write_text(f"# by hand\nray: {{version: 2.60.0}}\n{bad}\n")
    done = project.run("validate", "mine.yaml")
    assert done.returncode == 2
    assert "mine.yaml:3: " in done.stderr
    faults = json.loads(project.run("validate", "--json", "mine.yaml").stdout)["faults"]
    assert all(fault["file"] == "mine.yaml" for fault in faults)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gpu: L4-24GB", "gpu: L4", "environments/dev.yaml:7: pools.small-model-workers.gpu: unknown GPU type 'L4'"),
        ("  falcon3: {}", "  falcon4: {}", "serve.falcon4: unknown family 'falcon4'\n  did you mean 'falcon3'"),
        ("falcon-h1-3b-instruct:", "falcon-h1-3b:", "unknown model 'falcon-h1-3b'"),
        ("  falcon3: {}", "  falcon3: {pool: small}", "serve.falcon3.pool: unknown pool 'small'"),
    ],
)
def test_an_environment_that_names_what_is_not_there_is_not_valid(project, old, new, message):
    assert project.run("validate", "environments/dev.yaml").returncode == 0
    project.edit("environments/dev.yaml", old, new)
    done = project.run("validate", "environments/dev.yaml")
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gpu: L4-24GB", "gpu: MI300X-192GB", "is for NVIDIA's GPUs, and MI300X-192GB is amd.com/gpu"),
        ("  huggingFace:", "  image: {tag: latest}\n  huggingFace:", "ray-llm:latest is not known to have Ray 2.60.0"),
        ("  huggingFace:", "  serving: {path: standard}\n  huggingFace:", "router 'kvAware' is of the throughput path"),
        ("nodes: 10", "nodes: 10\n    cpusPerNode: 0.5", "a replica would have 0.5 CPUs and needs one"),
        (
            "{replicas:",
            "{llmConfig: {engine_kwargs: {port: 9000}}, replicas:",
            "'port' is for the server of `vllm serve`",
        ),
    ],
)
def test_an_environment_that_no_plan_could_be_made_of_is_not_valid(project, old, new, message):
    project.edit("environments/dev.yaml", "  falcon3: {}", "  falcon3: {router: kvAware}")
    project.edit("environments/dev.yaml", old, new)
    done = project.run("validate", "environments/dev.yaml")
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("mine.yaml", "# yaml-language-server: $schema=schemas/environment.schema.json\nfamily: x\n", "environment"),
        ("mine.yaml", "# yaml-language-server: $schema=schemas/catalog.schema.json\npools: {}\n", "catalog"),
        ("catalog/mine.yaml", "modls: {}\n", "catalog"),
        ("environments/mine.yaml", "namespce: x\n", "environment"),
        ("values/dev/mine.yaml", "serve: {}\n", "values"),
        ("mine.yaml", "family: x\n", "catalog"),
        ("mine.yaml", "serve: {}\n", "environment"),
    ],
)
def test_the_kind_of_a_file_is_told_by_its_schema_line_then_its_folder_then_its_keys(project, path, text, kind):
    project.path(path).write_text(text)
    message = {
        "catalog": "'models' is missing",
        "environment": "'namespace' is missing",
        "values": "unknown key 'serve'",
    }[kind]
    done = project.run("validate", path)
    assert done.returncode == 2
    assert message in done.stderr


def test_faults_of_every_catalog_file_are_told_at_once(project):
    project.edit("catalog/falcon3.yaml", "context: 8192", "contxt: 8192")
    project.edit("catalog/falcon-h1.yaml", "context: 8192", "context: -1")
    done = project.run("generate")
    assert done.returncode == 2
    assert "catalog/falcon3.yaml:" in done.stderr
    assert "catalog/falcon-h1.yaml:" in done.stderr


def test_a_file_where_a_folder_should_be_leaves_every_file_as_it_was(project):
    project.edit("catalog/falcon3.yaml", "context: 8192", "context: 4096")
    target = project.path("values/prod")
    shutil.rmtree(target)
    target.write_text("a file where a folder should be")
    before = project.snapshot()
    done = project.run("generate")
    assert done.returncode == 2
    assert "error: values/prod/falcon3.yaml: cannot be written: File exists" in done.stderr
    assert "A file lies where a folder should be" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.snapshot() == before


def test_a_full_disk_leaves_every_file_as_it_was(project):
    project.edit("catalog/falcon3.yaml", "context: 8192", "context: 4096")
    before = project.snapshot()
    done = project.run_bound("generate", file_bytes=1000)
    assert done.returncode == 2
    assert "error: values/dev/falcon3.yaml: cannot be written: File too large" in done.stderr
    assert "Make room on the disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.snapshot() == before


def test_a_read_only_folder_leaves_every_file_as_it_was(project):
    project.edit("catalog/falcon3.yaml", "context: 8192", "context: 4096")
    before = project.snapshot()
    project.path("values/prod").chmod(0o555)
    done = project.run_bound("generate", by_permissions=True)
    project.path("values/prod").chmod(0o755)
    assert done.returncode == 2
    assert "error: values/prod/falcon3.yaml: cannot be written: Permission denied" in done.stderr
    assert "Check that you may write its folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.snapshot() == before


def test_what_cannot_be_removed_is_an_error_that_names_it(project):
    project.path("environments/original.yaml").unlink()
    project.path("values/original").chmod(0o555)
    done = project.run_bound("generate", by_permissions=True)
    project.path("values/original").chmod(0o755)
    assert done.returncode == 2
    assert "error: values/original/falcon3.yaml: cannot be removed: Permission denied" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_root_that_cannot_be_read_is_an_error(project):
    hidden = project.path("hidden")
    hidden.mkdir(mode=0)
    done = project.run_bound("--root", "hidden/project", "plan", by_permissions=True)
    hidden.chmod(0o755)
    assert done.returncode == 2
    assert "error: hidden/project: cannot be read: Permission denied" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["plan", "list gpus", "--help", "generate --check"])
@pytest.mark.parametrize("where", ["> /dev/full", "> /dev/full 2>&1"])
def test_output_that_cannot_be_written_is_exit_code_1_and_no_traceback(project, command, where):
    line = f"{sys.executable} -m generator {command} {where}"
    done = subprocess.run(["bash", "-c", line], cwd=project.folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False, timeout=HANGS_S)  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    if "2>&1" not in where:
        assert "error: the output cannot be written: No space left on device" in done.stderr


def test_help_imports_nothing_that_it_does_not_need() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "generator", "--help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in told.splitlines()}
    assert "click" in imported
    assert not imported & {"pydantic", "yaml", "jsonschema", "numpy", "highspy", "kubernetes", "ray", "vllm"}
