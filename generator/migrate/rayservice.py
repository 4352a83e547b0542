"""A RayService of KubeRay's, with the ConfigMaps that its pods mount: models of Ray Serve LLM, and apps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from generator.documents.load import load_text
from generator.documents.merge import merged
from generator.errors import UserError, cut
from generator.formats.pod_rules import mapping, mappings
from generator.migrate.apps import app_of
from generator.migrate.cluster import image_words, take_cluster
from generator.migrate.deployments import deployment_name, with_deployment
from generator.migrate.found import Findings
from generator.migrate.llm_config import model_of, without_empty
from generator.migrate.manifests import Manifest, text_of
from generator.migrate.worker_groups import custom_resources, first_container, pool_of

BUILDER = "ray.serve.llm:build_openai_app"
ROUTE = re.compile(r"^(/[a-z0-9._-]+)+$")
"""What the chart takes for a prefix of routes."""
INGRESSES = ("LLMRouter", "OpenAiIngress")
"""The deployment in front of a model, as Ray releases call it."""


class Mounted(NamedTuple):
    """A file of a ConfigMap, as pods see it."""

    text: str
    folder: str
    """Its last folder's name, which is the family's."""
    config_map: str


def read_rayservice(manifest: Manifest, config_maps: Mapping[str, Manifest], findings: Findings) -> None:
    """Add what one RayService serves, and on what. Raises UserError where its serveConfigV2 is no YAML."""
    spec = mapping(manifest.data.get("spec"))
    cluster = mapping(spec.get("rayClusterConfig"))
    where = manifest.where
    _take_groups(cluster, findings, where)
    take_cluster(spec, cluster, findings, where=where)
    if namespace := text_of(mapping(manifest.data.get("metadata")).get("namespace")):
        findings.namespaces[namespace] = None
    serve = _serve_config(spec.get("serveConfigV2"), where)
    files = _mounted(cluster, config_maps)
    routes: list[tuple[str, list[str]]] = []
    for _, application in mappings(serve.get("applications")):
        ids = _take_application(application, files, findings, where)
        if ids:
            routes.append((text_of(application.get("route_prefix")) or "/", ids))
    _take_routes(routes, findings, where)
    config = {key: value for key, value in serve.items() if key != "applications"}
    if config:
        findings.chart = merged(findings.chart, {"serving": {"config": config}})


def _take_groups(cluster: Mapping[str, Any], findings: Findings, where: str) -> None:
    head = text_of(first_container(_pod(cluster.get("headGroupSpec"))).get("image"))
    autoscales = cluster.get("enableInTreeAutoscaling") is True
    for _, group in mappings(cluster.get("workerGroupSpecs")):
        if pool := pool_of(group, findings, where=where, autoscales=autoscales):
            if findings.pools.setdefault(pool.name, pool) is not pool:
                findings.leave_out(pool.where, "a second group of that name", "pools are known by their names")
            for name in (text_of(group.get("groupName")), *custom_resources(group.get("rayStartParams"))):
                findings.resources.setdefault(name, pool.name)
            image = text_of(first_container(_pod(group)).get("image"))
            if pool.gpus and image != head and (words := image_words(image, "", findings, pool.where)):
                pool.words.setdefault("workerGroup", {})["image"] = words


def _pod(group: Any) -> Mapping[str, Any]:
    return mapping(mapping(mapping(group).get("template")).get("spec"))


def _take_application(
    application: Mapping[str, Any], files: Mapping[str, Mounted], findings: Findings, where: str
) -> list[str]:
    """Add what one application serves; return the ids of its models."""
    place = f"{where}: application {cut(text_of(application.get('name')) or 'default')}"
    built = text_of(application.get("import_path"))
    if built == BUILDER:
        told: set[str] = set()
        ids = list(_models(application, files, findings, where, told))
        _take_ingress(application, findings, place, told)
        return ids
    if built.startswith("ray.serve.llm"):
        why = "it builds more than models (prefill and decode apart, data parallel): write it as an app by hand"
        findings.leave_out(place, cut(built), why)
    elif app := app_of(application, {path: file.config_map for path, file in files.items()}, findings, where=place):
        if any(app.name == other.name for other in findings.apps):
            findings.leave_out(place, "a second app of that name", "apps are known by their names")
        else:
            findings.take(place, f"app {app.name}, with its model in {cut(app.service['deployment'])}")
            findings.apps.append(app)
    return []


def _serve_config(stated: Any, where: str) -> Mapping[str, Any]:
    """serveConfigV2 is YAML in a text of the manifest."""
    if not isinstance(stated, str):
        raise UserError("has no serveConfigV2", where=where, fix="Give a RayService that serves something.")
    config = load_text(stated, f"{where}: serveConfigV2")
    if not isinstance(config, dict) or not isinstance(config.get("applications"), list):
        fix = "Its text holds Ray Serve's config: `applications:` and a list."
        raise UserError("has no applications", where=f"{where}: serveConfigV2", fix=fix)
    return config


def _mounted(cluster: Mapping[str, Any], config_maps: Mapping[str, Manifest]) -> dict[str, Mounted]:
    """Every file of a ConfigMap by its path in the head, where Ray builds applications."""
    pod = _pod(cluster.get("headGroupSpec"))
    volumes = {
        text_of(volume.get("name")): text_of(mapping(volume.get("configMap")).get("name"))
        for _, volume in mappings(pod.get("volumes"))
    }
    files: dict[str, Mounted] = {}
    for _, container in mappings(pod.get("containers")):
        for _, mount in mappings(container.get("volumeMounts")):
            name, path = volumes.get(text_of(mount.get("name")), ""), text_of(mount.get("mountPath")).rstrip("/")
            if name not in config_maps:
                continue
            for key, text in mapping(config_maps[name].data.get("data")).items():
                whole = path if mount.get("subPath") == key else f"{path}/{key}"
                files[whole] = Mounted(text_of(text), whole.rsplit("/", 2)[-2], name)
    return files


def _models(
    application: Mapping[str, Any], files: Mapping[str, Mounted], findings: Findings, where: str, told: set[str]
) -> Iterator[str]:
    """The ids of an application's models, as they are added to the findings. `told` gets their deployments' names."""
    stated = mapping(application.get("args")).get("llm_configs")
    for each in stated if isinstance(stated, list) else []:
        config, family, place = each, None, where
        if isinstance(each, str):
            if each not in files:
                why = "no ConfigMap that is mounted there has it: give that one too"
                findings.leave_out_model(each, where, f"the file {cut(each)}", why)
                continue
            family = files[each].folder
            findings.config_maps.add(files[each].config_map)
            place = f"{where}: {each.rsplit('/', 1)[-1]} of ConfigMap/{files[each].config_map}"
            config = load_text(files[each].text, place)
        if not isinstance(config, dict):
            name = each if isinstance(each, str) else place
            findings.leave_out_model(name, place, "an LLMConfig that is no mapping", "there is nothing in it")
            continue
        told.add(deployment_name(config))
        if model := model_of(with_deployment(config, application), findings, where=place, family=family):
            findings.models.append(model)
            yield model.model_id


def _take_ingress(application: Mapping[str, Any], findings: Findings, where: str, told: set[str]) -> None:
    """Options of the ingress: the chart has them once, for every model. `told` are the deployments of models."""
    options = []
    for _, each in mappings(application.get("deployments")):
        if each.get("name") in INGRESSES:
            options.append(dict(each))
        elif each.get("name") not in told:
            why = "say them in the model's llmConfig, `deployment_config`"
            findings.leave_out(where, f"options of deployment {cut(text_of(each.get('name')))}", why)
    stated = mapping(application.get("args")).get("ingress_deployment_config")
    for option in [*options, *([stated] if isinstance(stated, dict) else [])]:
        words = {key: value for key, value in option.items() if key != "name"}
        actor = {k: v for k, v in mapping(words.get("ray_actor_options")).items() if k != "resources"}
        words = without_empty({**words, "ray_actor_options": actor})
        known = findings.chart.setdefault("serving", {}).setdefault("ingress", words)
        if known != words:
            findings.leave_out(where, "options of its ingress", "those of another model differ, and the chart has one")


def _take_routes(routes: list[tuple[str, list[str]]], findings: Findings, where: str) -> None:
    """Routes that the chart can have are kept; of every other one the new route is told."""
    serving = findings.chart.setdefault("serving", {})
    prefixes = {route.removesuffix(f"/{ids[0]}") if len(ids) == 1 else "" for route, ids in routes}
    own = len(prefixes) == 1 and all(route != "/" and route.endswith(f"/{ids[0]}") for route, ids in routes)
    if len(routes) == 1 and not findings.routed and _is_of_all(*routes[0]):
        serving["routing"] = "unified"
        if prefix := routes[0][0].rstrip("/"):
            serving["routePrefix"] = prefix
        findings.take(where, f"route {prefix}/v1", "serving.routing: unified")
    elif own and ROUTE.match(prefix := prefixes.pop()) and findings.routed in (None, prefix):
        findings.routed = prefix
        if prefix != "/inference":
            serving["routePrefix"] = prefix
    elif routes:
        for route, ids in routes:
            for model_id in ids:
                why = f"each model has its route: clients ask {serving.get('routePrefix', '/inference')}/{model_id}/v1"
                findings.change(where, f"route {cut(route)} of {cut(model_id)}", why)
    if not serving:
        del findings.chart["serving"]


def _is_of_all(route: str, ids: list[str]) -> bool:
    """Whether the chart's one route of all models can be this one."""
    return route == "/" or (len(ids) > 1 and ROUTE.match(route) is not None)
