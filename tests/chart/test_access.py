"""Who may reach what: nothing opens by the back door what a value says is shut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from generator.facts.refused import network_policy_rules
from tests.chart.rendering import GROUP, MODEL, POLICY, Render, Rendered, model, parse
from tests.support.media_folders import HARMLESS, REACHING
from tests.support.paths import ROOT

RenderError = Callable[..., str]
FLAGS = parse((ROOT / "chart" / "files" / "ray-start-flags.yaml").read_text(encoding="utf-8"))
REFUSED = parse((ROOT / "chart" / "files" / "refused-variables.yaml").read_text(encoding="utf-8"))
DEV = {"VLLM_SERVER_DEV_MODE": "1"}
RUNTIME = {"runtime_env": {"env_vars": DEV}}
ACTOR = {"ray_actor_options": RUNTIME}


@pytest.mark.parametrize("name", REFUSED)
def test_a_variable_that_undoes_what_a_value_says(render_error: RenderError, name: str) -> None:
    message = render_error({"pods": {"env": {name.replace("*", "MODE"): "1"}}})
    assert f"- pods.env.{name.replace('*', 'MODE')}: {REFUSED[name]['why']}. {REFUSED[name]['instead']}." in message


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"head": {"env": DEV}}, "head.env"),
        ({"ingressWorkers": {"env": DEV}}, "ingressWorkers.env"),
        ({"workerGroups": {GROUP: {"env": DEV}}}, f"workerGroups.{GROUP}.env"),
        ({"serving": {"ingress": ACTOR}}, "serving.ingress.ray_actor_options.runtime_env.env_vars"),
        ({"models": {MODEL: {"llmConfig": RUNTIME}}}, f"models.{MODEL}.llmConfig.runtime_env.env_vars"),
        (
            {"models": {MODEL: {"llmConfig": {"deployment_config": ACTOR}}}},
            f"models.{MODEL}.llmConfig.deployment_config.ray_actor_options.runtime_env.env_vars",
        ),
        (
            {"apps": {"a": {"application": {"import_path": "a:b", **RUNTIME}}}},
            "apps.a.application.runtime_env.env_vars",
        ),
        (
            {"apps": {"a": {"application": {"import_path": "a:b", "deployments": [{"name": "D", **ACTOR}]}}}},
            "apps.a.application.deployments (D).ray_actor_options.runtime_env.env_vars",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_refused_wherever_variables_are_given(
    render_error: RenderError, change: dict[str, Any], where: str
) -> None:
    assert f"- {where}.VLLM_SERVER_DEV_MODE: it adds routes that change the engine" in render_error(change)


@pytest.mark.parametrize("value", ["0", {"value": "0"}])
def test_routes_for_developers_that_are_switched_off(render_with: Render, value: Any) -> None:
    assert render_with({"pods": {"env": {"VLLM_SERVER_DEV_MODE": value}}}).env("head")["VLLM_SERVER_DEV_MODE"] == "0"


def test_a_debugger_that_listens_everywhere(render_error: RenderError) -> None:
    flag = {"rayStartParams": {"ray-debugger-external": ""}}
    message = render_error({"head": flag, "workerGroups": {GROUP: flag}})
    for where in ("head", f"workerGroups.{GROUP}"):
        assert f"{where}.rayStartParams.ray-debugger-external: Ray's debugger would listen on every" in message


@pytest.mark.parametrize("flag", [*FLAGS["refused"], "nonsense-flag"])
def test_a_flag_that_undoes_a_value_or_is_none_is_refused(render_error: RenderError, flag: str) -> None:
    message = render_error(
        {"head": {"rayStartParams": {flag: "1"}}, "workerGroups": {GROUP: {"rayStartParams": {flag: "1"}}}}
    )
    free_on_head = FLAGS["refused"].get(flag, {}).get("freeOnHead", False)
    assert (f"- head.rayStartParams.{flag}: " in message) != free_on_head
    assert f"- workerGroups.{GROUP}.rayStartParams.{flag}: " in message


def test_free_flags_are_taken(render_with: Render) -> None:
    flags = {flag: "1" for flag in FLAGS["free"] if flag != "dashboard-host"}
    params = render_with({"workerGroups": {GROUP: {"rayStartParams": flags}}}).groups[GROUP]["rayStartParams"]
    assert params.items() >= flags.items()


def test_ray_counts_no_gpus_that_a_pod_lacks(render_error: RenderError) -> None:
    message = render_error({"workerGroups": {GROUP: {"rayStartParams": {"num-gpus": "8"}}}})
    assert (
        f"workerGroups.{GROUP}.rayStartParams.num-gpus: Ray would count 8 GPUs, and the pod has 1. Remove it" in message
    )


def test_an_argument_that_opens_routes_to_clients_is_refused(render_error: RenderError) -> None:
    profiler = {"profiler_config": {"profiler": "torch"}}
    message = render_error({"models": {MODEL: model(engine_kwargs=profiler)}})
    assert f"models.{MODEL}.llmConfig.engine_kwargs.profiler_config: " in message


def of_media(folders: list[str]) -> dict[str, Any]:
    """A model for each folder."""
    arguments = [{"allowed_local_media_path": folder} for folder in folders]
    return {"models": {f"model-{number}": model(engine_kwargs=each) for number, each in enumerate(arguments)}}


def test_a_folder_with_more_than_media_is_refused(render_error: RenderError) -> None:
    message = render_error(of_media(REACHING))
    argument = "llmConfig.engine_kwargs.allowed_local_media_path"
    taken = [
        folder for number, folder in enumerate(REACHING) if f"models.model-{number}.{argument}: every" not in message
    ]
    assert taken == []


def test_a_folder_of_media_is_taken(render_with: Render) -> None:
    render_with(of_media(HARMLESS) | {"workerGroups": {GROUP: {"gpusPerWorker": 8}}})


@pytest.mark.parametrize("where", ["pods", "head"])
def test_a_volume_in_place_of_the_autoscalers_token(render_error: RenderError, where: str) -> None:
    message = render_error({where: {"volumes": {"kubernetes-api": {"mountPath": "/x", "emptyDir": {}}}}})
    assert "head.volumes.kubernetes-api: the head has a volume of that name for its autoscaler. Rename yours" in message


def test_other_variables_are_taken_as_they_are(render_with: Render) -> None:
    rendered = render_with({"pods": {"env": {"RAY_AUTHOR": "me", "VLLM_LOGGING_LEVEL": "DEBUG"}}})
    assert {rendered.env(name)["RAY_AUTHOR"] for name in rendered.templates} == {"me"}


def test_no_network_policy_unless_asked_for(render_with: Render) -> None:
    assert render_with().of("NetworkPolicy") == []


def test_the_network_policy_keeps_rays_ports_to_the_release_and_the_operator(render_with: Render) -> None:
    gateway = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}}
    rendered = render_with({"networkPolicy": POLICY | {"clients": [gateway]}})
    policy = rendered.one("NetworkPolicy")["spec"]
    own = policy["podSelector"]
    for template in rendered.templates.values():
        assert own["matchLabels"].items() <= template["metadata"]["labels"].items()
    peers, operator, clients, metrics = policy["ingress"]
    assert peers == {"from": [{"podSelector": own}]}
    assert operator["ports"] == [{"port": 8265}, {"port": 8000}]
    assert operator["from"] == [
        {
            "podSelector": {"matchLabels": {"app.kubernetes.io/component": "kuberay-operator"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kuberay-system"}},
        }
    ]
    assert clients == {"ports": [{"port": 8000}], "from": [gateway]}
    assert metrics == {"ports": [{"port": 8080}]}


def test_without_named_clients_everyone_may_ask_the_models_and_read_metrics(render_with: Render) -> None:
    policy = render_with({"networkPolicy": POLICY}).one("NetworkPolicy")["spec"]
    _, _, clients, metrics = policy["ingress"]
    assert clients == {"ports": [{"port": 8000}]}
    assert metrics == {"ports": [{"port": 8080}]}
    assert policy["policyTypes"] == ["Ingress"]


def test_haproxys_metrics_are_read_where_rays_are(render_with: Render) -> None:
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    throughput = {"serving": {"path": "throughput"}, "networkPolicy": POLICY | {"metricsClients": [monitoring]}}
    *_, metrics = render_with(throughput).one("NetworkPolicy")["spec"]["ingress"]
    assert metrics == {"ports": [{"port": 8080}, {"port": 9101}], "from": [monitoring]}


def test_a_load_balancer_outside_the_cluster_is_named_by_its_addresses(render_with: Render) -> None:
    block = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}
    _, _, clients, _ = render_with({"networkPolicy": POLICY | {"clients": [block]}}).one("NetworkPolicy")["spec"][
        "ingress"
    ]
    assert clients["from"] == [block]


def test_pods_connect_only_to_what_is_named_and_each_other(render_with: Render) -> None:
    hub = {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 443, "protocol": "TCP"}]}
    policy = render_with({"networkPolicy": POLICY | {"egress": [hub]}}).one("NetworkPolicy")["spec"]
    own, names, named = policy["egress"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert own == {"to": [{"podSelector": policy["podSelector"]}]}
    assert names == {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    assert named == hub


def test_a_policy_whose_operator_is_not_named(render_error: RenderError) -> None:
    message = render_error({"networkPolicy": {"enabled": True}})
    assert f"networkPolicy.operatorNamespace: {sentences('operatorNamespace')}" in message


def sentences(rule: str) -> str:
    """What `validate` says of it too."""
    row = network_policy_rules()[rule]
    return f"{row.why}. {row.instead}."


@pytest.mark.parametrize("where", ["clients", "metricsClients", "egress"])
def test_peers_that_kubernetes_would_refuse(render_error: RenderError, where: str) -> None:
    both = {"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}
    peers: Any = [{}, {"podSelector": None}, both, {"podSelector": {}}]
    named = f"networkPolicy.{where}"
    if where == "egress":
        peers, named = [{"to": peers}], f"{named}[0].to"
    message = render_error({"networkPolicy": POLICY | {where: peers}})
    assert f"{named}[0]: {sentences('nobody')}" in message
    assert f"{named}[1]: {sentences('nobody')}" in message
    assert f"{named}[2]: {sentences('ipBlock')}" in message
    assert f"{named}[3]" not in message


def own_containers(rendered: Rendered) -> dict[str, Any]:
    """The containers of the chart's own programs, by name."""
    (job,) = (each for each in rendered.hooks if each["kind"] == "Job")
    (daemons,) = rendered.of("DaemonSet")
    pods = [rendered.test_pod["spec"], *(each["spec"]["template"]["spec"] for each in (job, daemons))]
    return {container["name"]: container for pod in pods for container in pod["containers"]}


OWN = {"prePullImages": True, "modelCache": {"type": "persistentVolumeClaim", "claimName": "models", "prefetch": True}}


def test_the_charts_own_programs_write_to_no_root_file_system(render_with: Render) -> None:
    rendered = render_with(OWN)
    found = own_containers(rendered)
    assert found.keys() == {"helm-test", "prefetch", "image"}
    for container in found.values():
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    for name in rendered.templates:
        assert "readOnlyRootFilesystem" not in rendered.container(name)["securityContext"], "Ray writes there"


def test_a_download_has_a_place_for_its_temporary_files(render_with: Render) -> None:
    mounts = {each["mountPath"] for each in own_containers(render_with(OWN))["prefetch"]["volumeMounts"]}
    assert mounts == {"/home/ray/huggingface", "/tmp"}
    theirs = {"pods": {"volumes": {"fast": {"mountPath": "/tmp/", "emptyDir": {}}}}}
    mounts = {each["mountPath"] for each in own_containers(render_with(OWN | theirs))["prefetch"]["volumeMounts"]}
    assert mounts == {"/home/ray/huggingface", "/tmp/"}


def test_a_root_file_system_that_may_be_written_is_said_once_for_all(render_with: Render) -> None:
    rendered = render_with(OWN | {"pods": {"securityContext": {"readOnlyRootFilesystem": False}}})
    assert {each["securityContext"]["readOnlyRootFilesystem"] for each in own_containers(rendered).values()} == {False}
