"""What people read of the chart: its values, its README, and what Helm prints after an install."""

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from generator import __version__
from generator.formats.chart_values import Ray, Values
from tests.chart.rendering import CHART, GROUP, INGRESS, MINIMAL, MODEL, POLICY, VALUES, Render, model, parse, program
from tests.support.waiting import HANGS_S

NOTES = 'notes: |\n{{ include (print $.Template.BasePath "/NOTES.txt") . | indent 2 }}\n'


@pytest.fixture
def notes(render: Render, tmp_path: Path):
    """What Helm prints after an install: `helm template` leaves it out, so a copy of the chart makes it an object."""
    copy = tmp_path / "chart"
    shutil.copytree(CHART, copy)
    (copy / "templates" / "notes.yaml").write_text(f"kind: Notes\n{NOTES}", encoding="utf-8")
    return lambda values, base=MINIMAL: render([base, values], chart=copy).one("Notes")["notes"]


def test_the_notes_give_the_models_url_and_the_next_commands(notes) -> None:
    text = notes({})
    assert f"http://falcon3-serve-svc.ai:8000/inference/{MODEL}/v1\n" in text
    assert "kubectl -n ai get rayservice falcon3" in text
    assert "kubectl -n ai port-forward service/falcon3-serve-svc 8000" in text
    assert f"curl http://localhost:8000/inference/{MODEL}/v1/chat/completions" in text
    assert f'"model": "{MODEL}"' in text
    assert "README.md" in text


def test_the_notes_name_the_adapters(notes) -> None:
    slots = {"enable_lora": True}
    modules = [{"name": "m:pirate", "path": "/adapters/pirate"}, {"name": "m:poet", "path": "org/poet"}]
    text = notes(
        {
            "serving": {"path": "throughput"},
            "models": {
                "m": model(engine_kwargs={"lora_modules": modules, **slots}),
                "n": model(
                    model_loading_config={"model_source": "org/n", "model_id": "Org/N"},
                    lora_config={"dynamic_lora_loading_path": "s3://team/n"},
                    engine_kwargs=slots,
                ),
            },
        }
    )
    assert "\n  m:pirate, m:poet\n  Org/N:<adapter>, for every folder <adapter> of s3://team/n\n" in text


def test_the_notes_say_what_the_namespace_has_to_allow(notes) -> None:
    assert "Pod Security" not in notes({})
    text = notes({"head": {"volumes": {"models": {"mountPath": "/m", "nfs": {"server": "a", "path": "/b"}}}}})
    assert "WARNING: the restricted Pod Security Standard refuses head.volumes.models.nfs." in text
    assert "kubectl label namespace ai pod-security.kubernetes.io/enforce=baseline" in text
    capable = {"securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE", "SYS_PTRACE"]}}}
    text = notes(
        {
            "modelCache": {"type": "hostPath", "hostPath": "/models"},
            "pods": {
                "hostNetwork": True,
                "extraContainers": {"trace": capable, "p": {"ports": {"a": {"containerPort": 1, "hostPort": 1}}}},
            },
        }
    )
    assert (
        "refuses modelCache.hostPath, pods.extraContainers.p.ports.a.hostPort, "
        "pods.extraContainers.trace.securityContext.capabilities.add (SYS_PTRACE), pods.hostNetwork." in text
    )
    assert "enforce=privileged" in text


def test_the_notes_follow_the_port_the_routes_and_the_name(notes) -> None:
    # A root path is for whoever stands in front and takes it off: Serve itself answers without it.
    config = {"http_options": {"port": 9000, "root_path": "/base"}}
    text = notes({"fullnameOverride": "llm", "serving": {"routePrefix": "/r", "config": config}})
    assert f"http://llm-serve-svc.ai:9000/r/{MODEL}/v1\n" in text
    assert f"curl http://localhost:9000/r/{MODEL}/v1/chat/completions" in text


def test_the_notes_name_one_url_where_one_serves_all(notes) -> None:
    text = notes({"serving": {"routing": "unified"}})
    assert "http://falcon3-serve-svc.ai:8000/v1\n" in text
    assert "curl http://localhost:8000/v1/chat/completions" in text
    text = notes({"serving": {"routing": "unified", "routePrefix": "/llm"}})
    assert "http://falcon3-serve-svc.ai:8000/llm/v1\n" in text
    assert "curl http://localhost:8000/llm/v1/chat/completions" in text


def test_the_notes_say_where_the_release_is_from_outside_and_what_is_open_there(notes) -> None:
    parents = {"enabled": True, "parentRefs": [{"name": "public"}]}
    text = notes(
        {
            "serving": {"path": "throughput"},
            "auth": {"apiKey": {"existingSecret": "clients", "key": "the.key"}},
            "httpRoute": parents | {"hostnames": ["models.example.com"], "paths": ["/v2/rerank", "/rerank"]},
            "ingress": {"enabled": True, "hosts": ["a.example.com"], "tls": [{"secretName": "a"}]},
        }
    )
    assert f"\n  https://models.example.com/inference/{MODEL}/v1  (http:// where" in text
    assert f"\n  https://a.example.com/inference/{MODEL}/v1\n" in text
    assert "the Secret clients (key the.key): Authorization: Bearer <key>\n" in text
    assert "get secret clients -o jsonpath='{.data.the\\.key}' | base64 -d)\n" in text
    assert '    -H "Authorization: Bearer $OPENAI_API_KEY" \\\n    -d' in text
    assert "WARNING: /rerank of each model is answered without a key" in text
    text = notes({"service": {"type": "LoadBalancer"}})
    assert f"get service falcon3-serve-svc`>:8000/inference/{MODEL}/v1\n" in text
    assert "WARNING: everyone who reaches the LoadBalancer asks every model, and reads /metrics" in text
    text = notes({})
    assert "From outside" not in text and "key" not in text


def test_the_notes_say_whom_clients_ask_while_an_update_goes_in_steps(notes) -> None:
    options = {"gatewayClassName": "istio", "stepSizePercent": 25, "intervalSeconds": 60}
    strategy = {"type": "NewClusterWithIncrementalUpgrade", "clusterUpgradeOptions": options}
    said = "Clients ask the Gateway falcon3-gateway instead of falcon3-serve-svc"
    assert said in notes({"upgradeStrategy": strategy})
    assert "Gateway" not in notes({})


def test_the_notes_warn_where_a_changed_model_would_do_nothing(notes) -> None:
    ignored = {"upgradeStrategy": {"type": "None"}}
    warning = "WARNING: with upgradeStrategy.type None and serving.delivery configMap a changed model does nothing"
    assert warning in notes(ignored)
    assert "WARNING" not in notes(ignored | {"serving": {"delivery": "inline"}})
    assert "WARNING" not in notes({})


def test_the_notes_warn_where_neither_a_token_nor_a_policy_keeps_others_out(notes) -> None:
    warning = "WARNING: every pod of the cluster can run code in this release."
    off = {"auth": {"mode": "disabled"}}
    old = VALUES / "ray-2.49.1.yaml"
    assert warning in notes(off) and "auth.mode is\ndisabled" in notes(off)
    assert warning in notes({}, old) and "Ray 2.49.1 has none" in notes({}, old)
    for kept in (notes({}), notes(off | {"networkPolicy": POLICY}), notes({"networkPolicy": POLICY}, old)):
        assert "WARNING" not in kept


def test_the_notes_say_where_another_version_wrote_the_values(notes) -> None:
    told = f"These values were written by ray-serve-llm 0.2.99; this chart is {__version__} and reads them."
    assert told in notes({"generatorVersion": "0.2.99"})
    assert "written by" not in notes({}) and "written by" not in notes({"generatorVersion": __version__})


@pytest.mark.parametrize("routing", ["perModel", "unified"])
def test_the_notes_stay_short_for_many_models(notes, routing: str) -> None:
    models = {f"model-{number:03}": model() for number in range(40)}
    room = {GROUP: {"maxReplicas": 41}}
    text = notes({"models": models, "serving": {"routing": routing}, "workerGroups": room})
    assert "41 models" in text
    assert "and 31 more" in text
    assert len(text.splitlines()) < 35


def test_the_charts_defaults_are_those_of_the_schema() -> None:
    defaults = parse((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert Values.model_validate(defaults) == Values(ray=Ray(version="2.60.0"))


def test_every_value_is_listed_with_its_meaning() -> None:
    """Each key of values.yaml but the groups' shared ones; helm-docs prints a value without a comment with no text."""
    lines = (CHART / "values.yaml").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"^\s*[\w]+: \S", line):
            above = number - 1
            while lines[above].strip().startswith("#") and "# --" not in lines[above]:
                above -= 1
            assert "# -- " in lines[above], f"values.yaml:{number + 1} has no comment for helm-docs"
    known = Values.model_json_schema(by_alias=True)["properties"].keys()
    # A default of `enabled` would win over the tags of a parent chart.
    assert parse("\n".join(lines)).keys() == known - {"enabled"}


def test_the_default_ray_release_is_the_charts_application_version() -> None:
    assert (
        parse((CHART / "Chart.yaml").read_text())["appVersion"]
        == parse((CHART / "values.yaml").read_text())["ray"]["version"]
    )


def test_the_readmes_ten_lines_serve_a_model(render: Render) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (CHART / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(example.splitlines()) <= 10
    rendered = render(parse(example))
    assert list(rendered.applications) == [MODEL]
    assert list(rendered.groups) == [INGRESS, "small-model-workers"]
    assert parse(example) == parse((VALUES / "minimal.yaml").read_text(encoding="utf-8"))


def test_the_readme_is_what_helm_docs_writes(tmp_path: Path) -> None:
    copy = tmp_path / "chart"
    shutil.copytree(CHART, copy)
    subprocess.run(
        [program("HELM_DOCS", "helm-docs"), "--chart-search-root", copy, "--log-level", "warning"],
        check=True,
        timeout=HANGS_S,
    )
    assert (copy / "README.md").read_text() == (CHART / "README.md").read_text(), "run `make generate`"


def test_the_package_holds_what_an_install_needs_and_no_more(helm: str, tmp_path: Path) -> None:
    subprocess.run(
        [helm, "package", CHART, "--destination", tmp_path], check=True, capture_output=True, timeout=HANGS_S
    )
    (archive,) = tmp_path.glob("*.tgz")
    with tarfile.open(archive) as package:
        names = {name.partition("/")[2] for name in package.getnames()}
    assert {"Chart.yaml", "values.yaml", "README.md", "files/releases.yaml", "templates/NOTES.txt"} <= names
    assert not {name for name in names if name.startswith("ci/") or name.endswith(".gotmpl")}


def test_helm_finds_nothing_to_complain_of(helm: str, values_file: Path) -> None:
    done = subprocess.run(
        [helm, "lint", "--strict", CHART, "--values", values_file],
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted((CHART / "ci").iterdir()), ids=lambda path: path.stem)
def test_a_scenario_of_ct_install_runs_on_the_small_cluster(render: Render, path: Path) -> None:
    """It has the CPU image and what that holds, no GPU, and no room for pods that ask for much."""
    assert path.name.endswith("-values.yaml"), "ct passes over it"
    assert path.read_text(encoding="utf-8").startswith("# `ct install` shows: ")
    rendered = render(path)
    pods = [rendered.pod(name) for name in rendered.templates]
    for container in (each for pod in pods for each in [*pod["containers"], *pod.get("initContainers", [])]):
        assert container["image"] == "localhost/ray-serve-llm-cpu:2.60.0"
        assert container["imagePullPolicy"] == "IfNotPresent"
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["requests"]["cpu"].endswith("m")
    for each in (parse(path.read_text(encoding="utf-8")).get("models") or {}).values():
        source = each["llmConfig"]["model_loading_config"]["model_source"]
        assert source.startswith("/home/ray/checkpoints/")


def test_every_release_says_all_that_templates_ask_of_it() -> None:
    releases = yaml.safe_load((CHART / "files" / "releases.yaml").read_text(encoding="utf-8"))
    for version, facts in releases.items():
        assert isinstance(version, str)
        assert facts.keys() >= {
            "vllm",
            "image",
            "placementField",
            "ingressDeployment",
            "maxSurgePercent",
            "throughputPath",
            "tokenAuth",
        }
        assert facts["image"].keys() >= {"repository", "tag"}
        assert facts["ingressDeployment"].keys() >= {"name", "options"}
