"""`import` of a RayService: the original system's form, models that are written inline, and what cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.documents.load import read_yaml
from generator.migrate.migrate import import_manifests
from generator.progress import silent
from generator.project.project import Project
from tests.support.command_line import generator
from tests.support.migration import ORIGINAL, imported, llm_config, new_project, rayservice, told, written

QWEN = "Qwen/Qwen2.5-7B-Instruct"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return new_project(tmp_path / "project")


def environment(project: Path, name: str = "imported") -> Any:
    return read_yaml(project / "environments" / f"{name}.yaml")


def refused(project: Path, *arguments: object) -> str:
    run = generator("import", *arguments, folder=project)
    assert run.returncode == 2, run.stdout + run.stderr
    assert not list(project.rglob("*.yaml")), "half of it is written"
    return run.stderr


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    project = new_project(tmp_path_factory.mktemp("original"))
    return project, imported(project, ORIGINAL, "--environment", "prod", "--gpu", "L4-24GB")


def test_the_original_system_is_taken_with_its_own_words(original: tuple[Path, dict[str, Any]]) -> None:
    project, _ = original
    taken = environment(project, "prod")
    assert (taken["namespace"], taken["ray"]) == ("ai", "2.49.1")
    assert taken["pools"]["small-model-workers"] == {
        "gpu": "L4-24GB", "gpusPerNode": 1, "nodes": 5, "cpusPerNode": 8, "memoryPerNode": "24Gi",
    }  # fmt: skip
    assert taken["serve"] == {"falcon3": {"models": {f"falcon3-{size}-instruct": {} for size in ("1b", "3b", "7b")}}}
    assert taken["defaults"]["replicas"] == {"min": 1, "max": 5}
    assert taken["defaults"]["context"] == 8192
    assert taken["defaults"]["sequences"] == 64
    assert taken["defaults"]["llmConfig"]["engine_kwargs"] == {
        "tensor_parallel_size": 1, "dtype": "float16", "gpu_memory_utilization": 0.9, "enforce_eager": True,
        "max_num_batched_tokens": 8192,
    }  # fmt: skip


def test_its_report_says_where_each_fact_is_from_and_what_is_new(original: tuple[Path, dict[str, Any]]) -> None:
    project, document = original
    assert document["files"] == ["catalog/falcon3.yaml", "environments/prod.yaml", "values/prod/falcon3.yaml"]
    assert "falcon3-7b-instruct (sizes are those of the library's falcon3-7b-instruct)" in told(document, "taken")
    assert "pool small-model-workers, 5 nodes of 1 x L4-24GB (by --gpu)" in told(document, "taken")
    assert "Ray 2.49.1 asks for no token" in told(document, "changed")
    assert "group ingress-workers: a group of CPUs alone" in told(document, "left_out")
    assert generator("generate", "--check", folder=project).returncode == 0


def test_what_nothing_says_the_gpus_of_is_asked_for(project: Path) -> None:
    message = refused(project, ORIGINAL)
    assert "group small-model-workers: neither a node label nor a model says which GPUs it has" in message
    assert "Give --gpu small-model-workers=TYPE" in message


def test_a_model_inline_at_the_root_is_taken_with_its_route(project: Path, tmp_path: Path) -> None:
    service = rayservice(
        llm_config("qwen", QWEN, accelerator_type="H100", engine_kwargs={"max_model_len": 4096, "device": "auto"}),
        worker={"nodeSelector": {"team": "a"}, "tolerations": [{"key": "team", "operator": "Exists"}]},
        gpus=2,
    )
    document = imported(project, written(tmp_path, service))
    taken = environment(project)
    pool = taken["pools"]["gpu-group"]
    assert (pool["gpu"], pool["gpusPerNode"], pool["nodes"]) == ("H100-80GB", 2, 4)
    assert pool["nodeSelector"] == {"team": "a"}
    assert [each["key"] for each in pool["tolerations"]] == ["nvidia.com/gpu", "team"]
    assert taken["namespace"] == "serving"
    assert taken["chart"]["serving"] == {"routing": "unified"}
    assert taken["serve"] == {"qwen2-5": {"models": {"qwen": {"context": 4096}}}}
    assert "qwen: llmConfig.engine_kwargs.device (unknown key 'device' for Ray 2.60.0" in told(document, "left_out")
    assert "qwen: sequences, replicas: not said" in told(document, "changed")


def test_the_one_route_of_several_models_is_kept(project: Path, tmp_path: Path) -> None:
    imported(
        project,
        written(tmp_path, rayservice(llm_config("a", QWEN), llm_config("b", QWEN), route="/llm")),
        "--gpu",
        "L4-24GB",
    )
    assert environment(project)["chart"]["serving"] == {"routing": "unified", "routePrefix": "/llm"}


@pytest.mark.parametrize(
    ("labels", "gpu"),
    [
        ({"cloud.google.com/gke-accelerator": "nvidia-l4"}, "L4-24GB"),
        ({"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, "A100-80GB"),
        ({"node.kubernetes.io/instance-type": "g6e.12xlarge"}, "L40S-48GB"),
    ],
)
def test_labels_of_nodes_say_the_type(project: Path, tmp_path: Path, labels: dict[str, str], gpu: str) -> None:
    service = rayservice(llm_config("qwen", QWEN), worker={"nodeSelector": labels})
    imported(project, written(tmp_path, service))
    assert environment(project)["pools"]["gpu-group"]["gpu"] == gpu


def test_a_name_that_several_types_have_names_them(project: Path, tmp_path: Path) -> None:
    path = written(tmp_path, rayservice(llm_config("qwen", QWEN, accelerator_type="A100")))
    assert "It may be A100-40GB or A100-80GB." in refused(project, path)


def test_references_to_secrets_are_kept_and_texts_of_secrets_told_by_place(project: Path, tmp_path: Path) -> None:
    text = "hf_" + "a1B2" * 8
    service = rayservice(
        llm_config("qwen", QWEN, runtime_env={"env_vars": {"HF_TOKEN": text, "LOG": "x"}}, accelerator_type="L4")
    )
    (group,) = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    reference = {"secretKeyRef": {"name": "hub", "key": "hf"}}
    group["template"]["spec"]["containers"][0]["env"] = [
        {"name": "HUGGING_FACE_HUB_TOKEN", "valueFrom": reference},
        {"name": "API_KEY", "value": text},
        {"name": "OTHER_KEY", "valueFrom": reference},
    ]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "stringData": {"hf": text}}
    run = generator("import", written(tmp_path, service, secret), folder=project)
    assert run.returncode == 0, run.stderr
    files = "".join(path.read_text() for path in project.rglob("*.yaml"))
    assert text not in run.stdout + run.stderr + files
    taken = environment(project)
    assert taken["chart"]["huggingFace"] == {"existingSecret": "hub", "key": "hf"}
    assert taken["pools"]["gpu-group"]["workerGroup"]["env"] == {"OTHER_KEY": {"valueFrom": reference}}
    assert taken["serve"]["qwen2-5"]["models"]["qwen"]["llmConfig"] == {"runtime_env": {"env_vars": {"LOG": "x"}}}
    assert "Secret/hub: Secret" in run.stdout
    assert "workerGroup.env.API_KEY" in run.stdout
    assert "llmConfig.runtime_env.env_vars.HF_TOKEN" in run.stdout


def test_an_id_that_is_no_part_of_a_route_stays_what_clients_name_the_model(project: Path, tmp_path: Path) -> None:
    path = written(tmp_path, rayservice(llm_config(QWEN, QWEN, accelerator_type="L4")))
    document = imported(project, path)
    assert environment(project)["serve"]["qwen2-5"]["models"]["qwen2.5-7b-instruct"]["servedModelName"] == QWEN
    assert "its id is qwen2.5-7b-instruct; clients name it as they did" in told(document, "taken")


def test_a_source_in_a_folder_is_the_librarys_model_of_that_name(project: Path, tmp_path: Path) -> None:
    path = written(tmp_path, rayservice(llm_config("chat", "/mnt/models/Falcon3-3B-Instruct", accelerator_type="L4")))
    document = imported(project, path)
    entry = read_yaml(project / "catalog" / "falcon3.yaml")["models"]["chat"]
    assert entry["source"] == "/mnt/models/Falcon3-3B-Instruct"
    assert "taken to be the library's falcon3-3b-instruct (tiiuae/Falcon3-3B-Instruct): check that" in told(
        document, "changed"
    )


def test_a_model_that_nobody_knows_is_left_out_with_the_way_to_add_it(project: Path, tmp_path: Path) -> None:
    path = written(
        tmp_path,
        rayservice(llm_config("own", "s3://bucket/own"), llm_config("qwen", QWEN, accelerator_type="L4")),
    )
    document = imported(project, path)
    assert list(environment(project)["serve"]) == ["qwen2-5"]
    left = told(document, "left_out")
    assert "own: model own (its sizes are not known" in left
    assert "--id own --source s3://bucket/own" in left
    assert document["models_left_out"] == ["own"]
    report = generator("import", path, "--replace", "--dry-run", folder=project)
    assert report.returncode == 0
    assert report.stdout.splitlines()[-1] == "1 of 2 models taken; left out: own"


@pytest.mark.parametrize(("autoscales", "nodes"), [(True, 4), (False, 1)])
def test_nodes_are_what_the_group_may_have(project: Path, tmp_path: Path, autoscales: bool, nodes: int) -> None:
    config = llm_config("qwen", QWEN, accelerator_type="L4")
    imported(project, written(tmp_path, rayservice(config, enableInTreeAutoscaling=autoscales)))
    assert environment(project)["pools"]["gpu-group"]["nodes"] == nodes


def test_what_is_piped_in_is_named_in_words(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, rayservice(llm_config("qwen", QWEN, accelerator_type="L4")))
    monkeypatch.setattr("generator.migrate.manifests._standard_input", path.read_text)
    made = import_manifests(Project.at(project), ["-"], environment="piped", report=silent)
    assert "# Imported from standard input\n" in made.generated.texts[made.path]


def test_nothing_takes_the_place_of_what_is_there_unless_it_is_said(project: Path, tmp_path: Path) -> None:
    path = written(tmp_path, rayservice(llm_config("chat", QWEN, accelerator_type="L4")))
    imported(project, path)
    run = generator("import", path, folder=project)
    assert run.returncode == 2 and "this environment is there already" in run.stderr
    other = written(tmp_path, rayservice(llm_config("chat", "Qwen/Qwen3-8B", accelerator_type="L4")))
    run = generator("import", other, "-e", "second", folder=project)
    assert run.returncode == 2 and "'chat' is in the catalog already" in run.stderr
    document = imported(project, other, "--replace")
    assert "catalog/qwen2-5.yaml" in document["files"]
    assert environment(project)["serve"] == {"qwen2-5": {"models": {"chat": {}}}}
    assert read_yaml(project / "catalog" / "qwen2-5.yaml")["models"]["chat"]["source"] == "Qwen/Qwen3-8B"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--namespace", "AI"), ("--gpu", "L5"), ("--gpu", "x=L4-24GB"), ("--ray", "1.0"), ("--environment", "_base")],
)
def test_an_option_that_means_nothing_is_refused_by_its_name(project: Path, option: str, value: str) -> None:
    assert option in refused(project, ORIGINAL, "--gpu", "L4-24GB", option, value)


def test_a_dry_run_writes_nothing(project: Path, tmp_path: Path) -> None:
    path = written(tmp_path, rayservice(llm_config("chat", QWEN, accelerator_type="L4")))
    document = imported(project, path, "--dry-run")
    assert "environments/imported.yaml" in document["files"]
    assert not list(project.rglob("*.yaml"))


def test_what_cannot_be_planned_is_written_and_told(project: Path, tmp_path: Path) -> None:
    path = written(tmp_path, rayservice(llm_config("big", "Qwen/Qwen3-235B-A22B", accelerator_type="L4")))
    run = generator("import", path, folder=project)
    assert run.returncode == 1
    assert "edit environments/imported.yaml" in run.stderr
    assert not (project / "values").exists()


def test_a_route_before_every_models_id_is_kept_and_others_are_told(project: Path, tmp_path: Path) -> None:
    config = llm_config("qwen", QWEN, accelerator_type="L4")
    imported(project, written(tmp_path, rayservice(config, route="/llm/qwen")))
    assert environment(project)["chart"]["serving"] == {"routePrefix": "/llm"}
    document = imported(project, written(tmp_path, rayservice(config, route="/chat")), "--replace")
    assert "route /chat of qwen (each model has its route: clients ask /inference/qwen/v1)" in told(document, "changed")


def test_what_import_does_not_read_is_told_by_its_key(project: Path, tmp_path: Path) -> None:
    service = rayservice(
        llm_config("qwen", QWEN, accelerator_type="L4"),
        worker={"hostAliases": [{"ip": "10.0.0.1"}], "priorityClassName": "high"},
        headServiceAnnotations={"a": "b"},
    )
    service["spec"]["serveService"] = {"metadata": {"name": "x"}}
    document = imported(project, written(tmp_path, service))
    left = told(document, "left_out")
    for key in ("group gpu-group: hostAliases", "rayClusterConfig: headServiceAnnotations", "llm: serveService"):
        assert key in left
    assert environment(project)["pools"]["gpu-group"]["workerGroup"] == {"priorityClassName": "high"}


SECRET = {"valueFrom": {"secretKeyRef": {"name": "ray-redis", "key": "password"}}}
WITH_REDIS = {"address": "redis.data.svc:6379", "existingSecret": "ray-redis", "key": "password"}


@pytest.mark.parametrize("form", ["options", "variables"])
def test_the_heads_redis_is_kept_but_for_what_an_update_would_break(project: Path, tmp_path: Path, form: str) -> None:
    service = rayservice(llm_config("qwen", QWEN, accelerator_type="L4"))
    cluster = service["spec"]["rayClusterConfig"]
    if form == "options":
        cluster["gcsFaultToleranceOptions"] = {
            "redisAddress": "redis.data.svc:6379", "redisPassword": SECRET, "externalStorageNamespace": "mine",
        }  # fmt: skip
    else:
        (container,) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
        container["env"] = [
            {"name": "RAY_REDIS_ADDRESS", "value": "redis.data.svc:6379"},
            {"name": "REDIS_PASSWORD", **SECRET},
            {"name": "RAY_external_storage_namespace", "value": "mine"},
        ]
    document = imported(project, written(tmp_path, service))
    chart = environment(project)["chart"]
    assert chart["gcsFaultTolerance"] == {"redis": WITH_REDIS}
    assert "env" not in chart.get("head", {})
    assert "a storage namespace in Redis (KubeRay gives each cluster of an update its own)" in told(
        document, "left_out"
    )


def test_a_redis_whose_login_is_a_text_is_told(project: Path, tmp_path: Path) -> None:
    options = {"redisAddress": "redis:6379", "redisUsername": {"value": "ray"}, "redisPassword": {"value": "x1y2"}}
    service = rayservice(llm_config("qwen", QWEN, accelerator_type="L4"), gcsFaultToleranceOptions=options)
    left = told(imported(project, written(tmp_path, service)), "left_out")
    assert environment(project)["chart"]["gcsFaultTolerance"] == {"redis": {"address": "redis:6379"}}
    assert "the password of Redis (put it into a Secret, and name that" in left and "x1y2" not in left
    assert "the user ray of Redis" in left
    options["redisAddress"] = "redis://:pw@redis:6379"
    left = told(imported(project, written(tmp_path, service), "--replace"), "left_out")
    assert "the address of Redis" in left and "gcsFaultTolerance" not in environment(project).get("chart", {})


def test_an_update_in_steps_is_kept_where_it_is_whole(project: Path, tmp_path: Path) -> None:
    steps = {"gatewayClassName": "istio", "maxSurgePercent": 25, "stepSizePercent": 25, "intervalSeconds": 60}
    strategy = {"type": "NewClusterWithIncrementalUpgrade", "clusterUpgradeOptions": steps}
    service = rayservice(llm_config("qwen", QWEN, accelerator_type="L4"))
    service["spec"]["upgradeStrategy"] = strategy
    imported(project, written(tmp_path, service))
    assert environment(project)["chart"]["upgradeStrategy"] == strategy
    steps["stepSizePercent"] = 0
    left = told(imported(project, written(tmp_path, service), "--replace"), "left_out")
    assert "upgradeStrategy NewClusterWithIncrementalUpgrade (the chart makes a new cluster beside the old one)" in left
    assert "upgradeStrategy" not in environment(project).get("chart", {})


def test_a_service_without_workers_is_refused(project: Path, tmp_path: Path) -> None:
    service = rayservice(llm_config("qwen", QWEN), workerGroupSpecs=[])
    message = refused(project, written(tmp_path, service))
    assert "no workers in them could be taken" in message and "workerGroupSpecs" in message


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("applications: [", "RayService/llm: serveConfigV2:"),
        ("- a", "has no applications"),
        ("applications: {}", "has no applications"),
        (None, "has no serveConfigV2"),
    ],
)
def test_a_serve_config_that_is_none_is_refused_with_its_place(
    project: Path, tmp_path: Path, config: Any, said: str
) -> None:
    service = rayservice()
    service["spec"]["serveConfigV2"] = config
    assert said in refused(project, written(tmp_path, service))


def test_an_image_of_ones_own_is_kept_and_has_to_have_the_new_ray(project: Path, tmp_path: Path) -> None:
    service = rayservice(llm_config("qwen", QWEN, accelerator_type="L4"), rayVersion="2.55.0")
    cluster = service["spec"]["rayClusterConfig"]
    cluster["headGroupSpec"]["template"]["spec"]["containers"][0]["image"] = "example.com/team/ray:own"
    cluster["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["image"] = "example.com/team/worker:own"
    document = imported(project, written(tmp_path, service))
    taken = environment(project)
    assert taken["chart"]["image"] == {"repository": "example.com/team/ray", "tag": "own"}
    assert taken["pools"]["gpu-group"]["workerGroup"]["image"]["repository"] == "example.com/team/worker"
    assert "image: it has another Ray (build it on Ray 2.60.0" in told(document, "changed")


def test_another_release_is_asked_for_by_its_version(project: Path, tmp_path: Path) -> None:
    path = written(tmp_path, rayservice(llm_config("qwen", "tiiuae/Falcon3-7B-Instruct", accelerator_type="L4")))
    document = imported(project, path, "--ray", "2.49.1")
    assert environment(project)["ray"] == "2.49.1"
    assert "Ray 2.60.0: Ray 2.49.1 with vLLM" in told(document, "changed")


def test_two_services_become_one_release_and_that_is_told(project: Path, tmp_path: Path) -> None:
    one = rayservice(llm_config("one", QWEN, accelerator_type="L4"))
    two = rayservice(llm_config("two", "Qwen/Qwen3-8B"), llm_config("one", "Qwen/Qwen3-8B"))
    document = imported(project, written(tmp_path, one, two))
    assert {name for family in environment(project)["serve"].values() for name in family["models"]} == {"one", "two"}
    assert "2 RayServices become one release" in told(document, "changed")
    assert "a second one (an id is there once" in told(document, "left_out")


def test_slices_are_known_by_their_resource_and_their_gpu(project: Path, tmp_path: Path) -> None:
    service = rayservice(llm_config("qwen", QWEN), worker={"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H100"}})
    (group,) = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    limits = {"cpu": "8", "memory": "32Gi", "nvidia.com/mig-3g.40gb": "1"}
    group["template"]["spec"]["containers"][0]["resources"] = {"limits": limits}
    imported(project, written(tmp_path, service))
    assert environment(project)["pools"]["gpu-group"]["gpu"] == "H100-80GB-3g.40gb"


def test_volumes_the_cache_and_shared_memory_are_the_charts(project: Path, tmp_path: Path) -> None:
    service = rayservice(llm_config("qwen", QWEN, accelerator_type="L4"))
    pod = service["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]["template"]["spec"]
    pod["containers"][0]["env"] = [{"name": "HF_HOME", "value": "/data/hub"}, {"name": "LEVEL", "value": "1"}]
    pod["volumes"] = [
        {"name": "cache", "persistentVolumeClaim": {"claimName": "weights"}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "20Gi"}},
        {"name": "certs", "secret": {"secretName": "certs"}},
        {"name": "odd", "glusterfs": {"path": "x"}},
    ]
    pod["containers"][0]["volumeMounts"] = [
        {"name": "cache", "mountPath": "/data"},
        {"name": "shm", "mountPath": "/dev/shm"},
        {"name": "certs", "mountPath": "/certs", "readOnly": True, "subPath": "a"},
        {"name": "odd", "mountPath": "/odd"},
    ]
    other = {"kind": "ConfigMap", "metadata": {"name": "templates"}, "data": {"chat.jinja": "x"}}
    document = imported(project, written(tmp_path, service, other))
    assert "ConfigMap/templates: ConfigMap (no file of it" in told(document, "left_out")
    taken = environment(project)
    assert taken["chart"]["modelCache"] == {
        "type": "persistentVolumeClaim", "claimName": "weights", "mountPath": "/data",
    }  # fmt: skip
    assert taken["pools"]["gpu-group"]["workerGroup"] == {
        "env": {"LEVEL": "1"},
        "sharedMemory": "20Gi",
        "volumes": {
            "certs": {"mountPath": "/certs", "readOnly": True, "subPath": "a", "secret": {"secretName": "certs"}}
        },
    }
    assert "weights in /data/hub are downloaded anew" in told(document, "changed")
    assert "subPath" not in told(document, "changed")
    assert "group gpu-group: volume odd" in told(document, "left_out")


def test_names_that_pools_cannot_have_become_ones_that_they_can(project: Path, tmp_path: Path) -> None:
    placed = {"ray_actor_options": {"resources": {"GPU_Group": 1}}}
    service = rayservice(llm_config("qwen", QWEN, accelerator_type="L4", deployment_config=placed))
    service["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]["groupName"] = "GPU_Group"
    document = imported(project, written(tmp_path, service))
    assert list(environment(project)["pools"]) == ["gpu-group"]
    assert "group GPU_Group: its name is gpu-group" in told(document, "changed")
    assert "GPU_Group" not in told(document, "left_out")


def test_another_place_of_a_model_of_the_catalog_is_the_environments_to_say(project: Path, tmp_path: Path) -> None:
    imported(project, written(tmp_path, rayservice(llm_config("chat", QWEN, accelerator_type="L4"))), "-e", "first")
    there = (project / "catalog" / "qwen2-5.yaml").read_text()
    imported(project, written(tmp_path, rayservice(llm_config("chat", "/mnt/chat", accelerator_type="L4"))))
    assert environment(project)["serve"] == {"qwen2-5": {"models": {"chat": {"source": "/mnt/chat"}}}}
    assert (project / "catalog" / "qwen2-5.yaml").read_text() == there


def test_of_two_faults_of_one_word_only_that_word_is_left_out(project: Path, tmp_path: Path) -> None:
    words = {"max_num_batched_tokens": "many", "seed": 1}
    service = rayservice(llm_config("chat", QWEN, accelerator_type="L4", engine_kwargs=words))
    imported(project, written(tmp_path, service))
    assert environment(project)["serve"]["qwen2-5"]["models"]["chat"]["llmConfig"] == {"engine_kwargs": {"seed": 1}}


def test_an_app_that_is_called_as_a_model_gets_another_name(project: Path, tmp_path: Path) -> None:
    service = rayservice(llm_config("chat", QWEN, accelerator_type="L4"))
    config = yaml.safe_load(service["spec"]["serveConfigV2"])
    config["applications"].append(
        {"name": "chat", "route_prefix": "/own", "import_path": "own:app", "deployments": [{"name": "Llm"}]}
    )
    service["spec"]["serveConfigV2"] = yaml.safe_dump(config)
    document = imported(project, written(tmp_path, service))
    assert list(environment(project)["apps"]) == ["chat-app-1"]
    assert "its name is chat-app-1" in told(document, "changed")


def test_code_of_ones_own_becomes_an_app(project: Path, tmp_path: Path) -> None:
    service = rayservice()
    group, config = service["spec"]["rayClusterConfig"]["workerGroupSpecs"][0], "briefs-code"
    group["template"]["spec"]["nodeSelector"] = {"nvidia.com/gpu.product": "NVIDIA-L4"}
    head = service["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
    head["volumes"] = [{"name": "code", "configMap": {"name": config}}]
    head["containers"][0]["volumeMounts"] = [{"name": "code", "mountPath": "/code"}]
    service["spec"]["serveConfigV2"] = yaml.safe_dump({"applications": [{
        "name": "briefs", "route_prefix": "/briefs", "import_path": "vllm_app:build", "args": {"model": "x"},
        "deployments": [
            {"name": "Front", "num_replicas": 2},
            {"name": "VLLMDeployment", "num_replicas": 1, "ray_actor_options": {"num_gpus": 1},
             "max_ongoing_requests": 50},
        ],
    }]})  # fmt: skip
    code = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": config}, "data": {"vllm_app.py": "build = 1"}}
    imported(project, written(tmp_path, service, code))
    assert environment(project)["apps"] == {
        "briefs": {
            "deployment": "VLLMDeployment",
            "configMap": config,
            "gpus": 1,
            "sequences": 25,
            "replicas": {"min": 1, "max": 1},
            "application": {
                "import_path": "vllm_app:build",
                "args": {"model": "x"},
                "route_prefix": "/briefs",
                "deployments": [
                    {"name": "Front", "num_replicas": 2},
                    {"name": "VLLMDeployment", "max_ongoing_requests": 50},
                ],
            },
        }
    }
