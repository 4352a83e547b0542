"""What watches a release: the objects of the Prometheus operator and Grafana's dashboards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import GROUP, INGRESS, Render, Rendered, parse, program
from tests.chart.test_gitops import judged
from tests.support.paths import ROOT
from tests.support.queries import asked, known, panel_queries
from tests.support.waiting import HANGS_S
from tools.kubernetes_schemas import crd_schemas

Promtool = Callable[..., subprocess.CompletedProcess[str]]
ALL: dict[str, Any] = {kind: {"enabled": True} for kind in ("podMonitor", "prometheusRule", "dashboards")}
THROUGHPUT = {"serving": {"path": "throughput"}}
SERIES = parse((ROOT / "tests" / "chart" / "alert_series.yaml").read_text(encoding="utf-8"))


def monitoring(**change: Any) -> dict[str, Any]:
    return {"monitoring": change or ALL}


def alerts(rendered: Rendered) -> dict[str, Any]:
    groups = rendered.one("PrometheusRule")["spec"]["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_nothing_watches_unless_it_is_asked_for(render_with: Render) -> None:
    rendered = render_with()
    assert not rendered.of("PodMonitor")
    assert not rendered.of("PrometheusRule")
    assert not [each for each in rendered.of("ConfigMap") if "dashboard" in each["metadata"]["name"]]


@pytest.mark.parametrize("path", ["standard", "throughput"])
def test_every_pod_of_the_release_is_collected(render_with: Render, path: str) -> None:
    rendered = render_with(monitoring() | {"serving": {"path": path}})
    spec = rendered.one("PodMonitor")["spec"]
    for name in ("head", GROUP, *([INGRESS] if path == "standard" else [])):
        labels = rendered.templates[name]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        assert "metrics" in [port["name"] for port in rendered.container(name)["ports"]]
    for endpoint in spec["podMetricsEndpoints"]:
        assert endpoint["port"] == "metrics"
        assert {"targetLabel": "ray_service", "replacement": "falcon3"} in endpoint["relabelings"]


def test_haproxy_is_collected_where_there_is_one(render_with: Render) -> None:
    (only,) = render_with(monitoring()).one("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert "9101" not in json.dumps(only)
    (ray, haproxy) = render_with(monitoring() | THROUGHPUT).one("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert ray == only
    (moved,) = (each for each in haproxy["relabelings"] if each["targetLabel"] == "__address__")
    assert moved["replacement"] == "$1:9101"


def test_watching_changes_no_pod(render_with: Render) -> None:
    for path in ("standard", "throughput"):
        serving = {"serving": {"path": path}}
        assert render_with(monitoring() | serving).cluster == render_with(serving).cluster


def test_prometheus_finds_them_by_the_labels_that_it_looks_for(render_with: Render) -> None:
    mine = {"release": "kube-prometheus-stack"}
    rendered = render_with(
        monitoring(
            podMonitor={"enabled": True, "labels": mine, "interval": "15s"},
            prometheusRule={"enabled": True, "labels": mine, "alertLabels": {"team": "ai"}},
        )
    )
    for kind in ("PodMonitor", "PrometheusRule"):
        assert mine.items() <= rendered.one(kind)["metadata"]["labels"].items()
    assert rendered.one("PodMonitor")["spec"]["podMetricsEndpoints"][0]["interval"] == "15s"
    for alert in alerts(rendered).values():
        assert alert["labels"]["team"] == "ai"
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert "runbook_url" not in alert["annotations"]


def test_every_alert_links_to_its_entry_in_the_runbook(render_with: Render) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    url = "https://example.com/docs/operations.md#"
    found = alerts(render_with(monitoring(prometheusRule={"enabled": True, "runbookUrl": url})))
    for name, alert in found.items():
        assert alert["annotations"]["runbook_url"] == f"{url}{name.lower()}"
        assert f"\n### {name}\n" in page
    assert sorted(found) == sorted(line[4:] for line in page.splitlines() if line.startswith("### RayServeLLM"))


@pytest.fixture(scope="module")
def operator_schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = os.environ.get("MONITORING_CRDS")
    if not folder:
        pytest.fail("MONITORING_CRDS (a folder with CRDs) is not set: run `make chart`", pytrace=False)
    crds, out = tmp_path_factory.mktemp("crds"), tmp_path_factory.mktemp("monitoring")
    for kind in ("podmonitors", "prometheusrules"):
        shutil.copy(Path(folder) / f"monitoring.coreos.com_{kind}.yaml", crds)
    for name, schema in crd_schemas(crds).items():
        (out / name).write_text(json.dumps(schema), encoding="utf-8")
    return out


def test_the_prometheus_operator_knows_every_field_and_no_other(render_with: Render, operator_schemas: Path) -> None:
    rendered = render_with(monitoring() | THROUGHPUT)
    text = "---\n".join(json.dumps(rendered.one(kind)) + "\n" for kind in ("PodMonitor", "PrometheusRule"))
    assert judged(text, operator_schemas) == [("PodMonitor", "statusValid"), ("PrometheusRule", "statusValid")]
    wrong = text.replace("targetLabel", "targetLabels").replace('"expr"', '"expression"')
    assert {status for _, status in judged(wrong, operator_schemas)} == {"statusInvalid"}


@pytest.fixture(scope="module")
def promtool() -> Promtool:
    found = program("PROMTOOL", "promtool")

    def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = [found, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=HANGS_S, check=False, cwd=cwd)

    return run


def test_every_alert_fires_by_its_series_and_clears(render_with: Render, promtool: Promtool, tmp_path: Path) -> None:
    rendered = render_with(monitoring())
    assert sorted(alerts(rendered)) == sorted(SERIES)
    (tmp_path / "rules.json").write_text(json.dumps({"groups": rendered.one("PrometheusRule")["spec"]["groups"]}))
    tests = [_promtool_test(name, case) for name, case in SERIES.items()]
    everything = {"rule_files": ["rules.json"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "tests.json").write_text(json.dumps(everything))

    done = promtool("test", "rules", "tests.json", cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def _promtool_test(name: str, case: dict[str, Any]) -> dict[str, Any]:
    ours = "" if case.get("elsewhere") else ',namespace="ai",ray_service="falcon3"'
    return {
        "name": name,
        "interval": "1m",
        "input_series": [
            {"series": series.replace("}", f"{ours}}}"), "values": values} for series, values in case["series"].items()
        ],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)',
                "eval_time": f"{case[when]}m",
                "exp_samples": [{"labels": "{}", "value": firing}],
            }
            for when, firing in (("quiet", 0), ("fires", 1), ("clears", 0))
        ],
    }


def test_alerts_and_panels_ask_only_for_what_a_release_tells(render_with: Render) -> None:
    found = known()
    queries = [*panel_queries(), *((name, rule["expr"]) for name, rule in alerts(render_with(monitoring())).items())]
    for where, query in queries:
        ask = asked(query)
        assert not ask.bare, f"{where}: {ask.bare} of every release"
        assert ask.metrics.keys() <= found.keys(), f"{where}: nobody tells {ask.metrics.keys() - found.keys()}"
        together = set().union(*(found[name] for name in ask.metrics))
        assert ask.labels <= together, f"{where}: {ask.labels - together} is no label of {sorted(ask.metrics)}"
        for name, labels in ask.metrics.items():
            assert labels <= found[name], f"{where}: {name} has no {labels - found[name]}"


def test_prometheus_reads_every_query_of_a_panel(promtool: Promtool, tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": query} for number, (_, query) in enumerate(panel_queries())]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = promtool("check", "rules", "rules.json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_each_dashboard_is_a_config_map_that_grafana_finds(render_with: Render) -> None:
    own = {"labels": {"team": "ai"}, "annotations": {"grafana_folder": "LLM"}}
    rendered = render_with(monitoring(dashboards={"enabled": True, **own}))
    found = [each for each in rendered.of("ConfigMap") if each["metadata"]["name"].endswith("-dashboard")]
    assert [each["metadata"]["name"] for each in found] == [
        f"falcon3-{name}-dashboard" for name in ("cluster", "fleet", "model")
    ]
    for each in found:
        assert each["metadata"]["labels"].items() >= {"grafana_dashboard": "1", "team": "ai"}.items()
        assert each["metadata"]["annotations"] == {"grafana_folder": "LLM"}
        ((name, text),) = each["data"].items()
        dashboard = json.loads(text)
        assert name == f"{dashboard['uid']}.json"
        assert all("?" in panel["description"] for panel in dashboard["panels"])


def test_thresholds_are_the_values(render_with: Render) -> None:
    limits = {"errorRatePercent": 0.5, "timeToFirstTokenSeconds": 1.25, "pendingMinutes": 3}
    found = alerts(render_with(monitoring(prometheusRule={"enabled": True, "thresholds": limits})))
    assert found["RayServeLLMErrors"]["expr"].endswith("> 0.5")
    assert found["RayServeLLMFirstTokenSlow"]["expr"].endswith("> 1.25")
    assert found["RayServeLLMPodsPending"]["for"] == "3m"
