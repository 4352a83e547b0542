"""Worker groups and pods as pools, and as settings of the chart's pods."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from generator.documents.json import parse_json
from generator.documents.merge import JsonObject, merged
from generator.errors import cut
from generator.facts.gpu_names import gpus_named, gpus_of_nodes, slices_named
from generator.formats.pod_rules import mapping, mappings
from generator.formats.volumes import VOLUME_SOURCES
from generator.migrate.found import Findings, FoundPool
from generator.migrate.manifests import plain_name, text_of, whole_of
from generator.units import quantity

HUB_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN")
_OF_THE_CHART = {"num-gpus", "num-cpus", "resources", "dashboard-host", "block", "memory"}
"""Flags of `ray start` that the chart writes itself."""
_AS_THEY_ARE = ("affinity", "priorityClassName", "runtimeClassName", "schedulerName", "topologySpreadConstraints",
                "terminationGracePeriodSeconds")  # fmt: skip
_WRITTEN_ANEW = re.compile(r"^(app\.kubernetes\.io|helm\.sh|meta\.helm\.sh|ray\.io|checksum)(/|$)")
_GROUP = ("groupName", "replicas", "minReplicas", "maxReplicas", "numOfHosts", "idleTimeoutSeconds", "rayStartParams",
          "template")  # fmt: skip
_CONTAINER = ("name", "image", "imagePullPolicy", "env", "envFrom", "ports", "resources", "volumeMounts",
              "securityContext", "readinessProbe", "livenessProbe")  # fmt: skip
"""KubeRay makes the probes; the ports are the Ray release's."""
_ELSEWHERE = {
    "initContainers": "say those that you need in initContainers of `workerGroup` or `chart.pods`, by name",
    "nodeName": "pods are placed by labels: give the node one, and name it in nodeSelector",
    "hostNetwork": "pods have an address of their own, unless `workerGroup` or `chart.pods` says hostNetwork",
}
_POD = (*_AS_THEY_ARE, *_ELSEWHERE, "containers", "volumes", "nodeSelector", "tolerations", "serviceAccountName",
        "automountServiceAccountToken", "securityContext", "restartPolicy", "imagePullSecrets")  # fmt: skip


def pool_of(group: Mapping[str, Any], findings: Findings, *, where: str, autoscales: bool) -> FoundPool | None:
    """The pool of one worker group, or None where it is no pool of models (a line of the report says why).

    `autoscales`: whether its cluster does, so that the group may grow to its maxReplicas; without, it has its replicas.
    """
    stated = text_of(group.get("groupName"))
    name, where = plain_name(stated, "pool"), f"{where}: group {cut(stated)}"
    pod = mapping(mapping(group.get("template")).get("spec"))
    container = first_container(pod)
    device, gpus = device_of(resources_of(container))
    if device.startswith("google.com/tpu"):
        findings.leave_out(where, "a group of TPUs", "pools have GPUs, or CPUs alone")
        return None
    bounds = ("maxReplicas", "replicas") if autoscales else ("replicas", "minReplicas")
    workers = max(1, next((count for bound in bounds if (count := whole_of(group.get(bound)))), 1))
    hosts = max(1, whole_of(group.get("numOfHosts")) or 1)
    pool = FoundPool(name=name, where=where, gpus=gpus, nodes=workers * hosts)
    pool.words = {**_room(container, findings, where), **_nodes(pod)}
    settings = pod_settings(mapping(group.get("template")), group.get("rayStartParams"), findings, where=where)
    if idle := whole_of(group.get("idleTimeoutSeconds")):
        settings["idleTimeoutSeconds"] = idle
    if settings:
        pool.words["workerGroup"] = settings
    name_gpu(pool, device, mapping(pod.get("nodeSelector")))
    if name != stated:
        findings.change(where, f"its name is {name}", "a pool has a name of small letters, digits and -")
    if gpus:
        findings.leave_out_unread(where, group, _GROUP)
    if gpus and whole_of(group.get("minReplicas")):
        why = "workers come and go with the replicas of what they serve: say `replicas: {min: …}`"
        findings.change(where, f"minReplicas {whole_of(group.get('minReplicas'))}", why)
    return pool


def first_container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((each for _, each in mappings(pod.get("containers"))), {})


def resources_of(container: Mapping[str, Any]) -> dict[str, Any]:
    """What the container asks for, its limits over its requests, as the scheduler and Ray count it."""
    resources = mapping(container.get("resources"))
    return {**mapping(resources.get("requests")), **mapping(resources.get("limits"))}


def device_of(resources: Mapping[str, Any]) -> tuple[str, int]:
    """The extended resource of GPUs, and how many; nothing where there is none."""
    for name, amount in resources.items():
        if "/" in str(name) and any(word in str(name) for word in ("gpu", "mig-", "tpu")):
            return str(name), whole_of(amount) or 0
    return "", 0


def name_gpu(pool: FoundPool, device: str, labels: Mapping[str, Any], said: str = "") -> None:
    """Say the type of the pool's GPUs: by its nodes' labels, else by the word that its form `said`."""
    if not pool.gpus:
        return
    named = gpus_of_nodes({key: value for key, value in labels.items() if isinstance(value, str)})
    named = named or (gpus_named(said) if said else ())
    if "mig-" in device:
        named = slices_named(device, named)
    if named:
        pool.gpu = named[0] if len(named) == 1 else None
        pool.candidates = named


def _room(container: Mapping[str, Any], findings: Findings, where: str) -> JsonObject:
    """CPUs and memory of a node, taken as those of a worker: one worker to a node is what KubeRay advises."""
    resources = resources_of(container)
    room: JsonObject = {}
    try:
        if "cpu" in resources:
            cpus = quantity(resources["cpu"])
            room["cpusPerNode"] = int(cpus) if cpus == int(cpus) else cpus
        if "memory" in resources:
            quantity(resources["memory"])
            room["memoryPerNode"] = str(resources["memory"])
    except ValueError:
        findings.leave_out(where, "its CPUs or memory", "they are no quantities of Kubernetes")
    return room


def _nodes(pod: Mapping[str, Any]) -> JsonObject:
    """Where its pods may go. The toleration of NVIDIA's taint is the chart's own."""
    own = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    tolerations = [dict(each) for _, each in mappings(pod.get("tolerations")) if dict(each) != own]
    selector = pod.get("nodeSelector")
    words = {"nodeSelector": dict(selector) if isinstance(selector, dict) else {}, "tolerations": tolerations}
    if tolerations:
        words["tolerations"] = [own, *tolerations]  # they take the place of the chart's own
    return {key: value for key, value in words.items() if value}


def pod_settings(template: Mapping[str, Any], flags: Any, findings: Findings, *, where: str) -> JsonObject:
    """What the chart has a word for of a group's pods, beside their place and their room."""
    pod = mapping(template.get("spec"))
    container = first_container(pod)
    settings: JsonObject = {key: pod[key] for key in _AS_THEY_ARE if pod.get(key)}
    for key, word in (("labels", "podLabels"), ("annotations", "podAnnotations")):
        if kept := _own(mapping(mapping(template.get("metadata")).get(key))):
            settings[word] = kept
    findings.leave_out_unread(where, pod, _POD)
    findings.leave_out_unread(f"{where}: container", container, _CONTAINER)
    params = {key: value for key, value in mapping(flags).items() if key not in _OF_THE_CHART}
    settings |= {"rayStartParams": params} if params else {}
    settings |= {"env": env} if (env := environment_of(container.get("env"), findings, where=where)) else {}
    if container.get("envFrom"):
        findings.leave_out(
            where, "envFrom", "say it in `chart.pods`, below names of your own: envFrom: {team: {secretRef: …}}"
        )
    settings = merged(settings, _volumes(pod, container, findings, where))
    for key, why in _ELSEWHERE.items():
        if pod.get(key):
            findings.leave_out(where, key, why)
    for _, other in list(mappings(pod.get("containers")))[1:]:
        findings.leave_out(
            where, f"container {cut(text_of(other.get('name')))}", "say it in extraContainers of `workerGroup`"
        )
    return settings


def _own(words: Mapping[str, Any]) -> JsonObject:
    """Labels or annotations of people: those of Helm, of KubeRay and of charts are written anew."""
    return {key: value for key, value in words.items() if not _WRITTEN_ANEW.match(str(key))}


def environment_of(env: Any, findings: Findings, *, where: str) -> JsonObject:
    """Variables by name. The hub's token becomes `huggingFace` of the chart."""
    variables: JsonObject = {}
    for _, each in mappings(env):
        name, secret = text_of(each.get("name")), mapping(mapping(each.get("valueFrom")).get("secretKeyRef"))
        if name in HUB_TOKENS and secret:
            take_hub_token(secret.get("name"), secret.get("key"), findings, where=where)
        elif name == "HF_HOME" or not name:
            continue  # the chart's modelCache says it
        elif "valueFrom" in each:
            variables[name] = {"valueFrom": each["valueFrom"]}
        else:
            variables[name] = str(each.get("value") or "")
    return variables


def take_hub_token(secret: Any, key: Any, findings: Findings, *, where: str) -> None:
    """Keep the reference to the Secret with the hub's token."""
    token = {"existingSecret": text_of(secret), "key": text_of(key) or "token"}
    known = findings.chart.setdefault("huggingFace", token)
    if known != token:
        findings.leave_out(where, f"the hub token of Secret {cut(token['existingSecret'])}", "a release has one")


def _volumes(pod: Mapping[str, Any], container: Mapping[str, Any], findings: Findings, where: str) -> JsonObject:
    """Volumes with their mounts. Files of models and the cache of weights have places of their own in the chart."""
    mounts = {text_of(each.get("name")): each for _, each in mappings(container.get("volumeMounts"))}
    home = _cache_of(container)
    settings: JsonObject = {}
    for _, volume in mappings(pod.get("volumes")):
        name = text_of(volume.get("name"))
        source = next((key for key in VOLUME_SOURCES if key in volume), "")
        mount = mounts.get(name)
        if mount is None or _is_the_charts(source, volume):
            continue
        path = text_of(mount.get("mountPath"))
        if path == "/dev/shm":
            size = mapping(volume.get(source)).get("sizeLimit")
            settings |= {"sharedMemory": size} if size else {}
        elif home and path and home.rstrip("/").startswith(path.rstrip("/")):
            _take_cache(source, mapping(volume.get(source)), path, findings, where)
            if home.rstrip("/") != path.rstrip("/") and source != "emptyDir":
                why = f"the chart has it in the volume itself: weights in {cut(home)} are downloaded anew"
                findings.change(where, "HF_HOME", why)
        elif not source:
            findings.leave_out(where, f"volume {cut(name)}", f"the chart knows {', '.join(VOLUME_SOURCES)}")
        else:
            options = {"readOnly": True} if mount.get("readOnly") is True else {}
            options |= {"subPath": mount["subPath"]} if mount.get("subPath") else {}
            settings.setdefault("volumes", {})[name] = {"mountPath": path, **options, source: volume[source]}
    return settings


def _is_the_charts(source: str, volume: Mapping[str, Any]) -> bool:
    """ConfigMaps hold files of models or apps, which are taken as such; the API's token is KubeRay's affair."""
    return source in ("configMap", "") and "configMap" in volume


def _cache_of(container: Mapping[str, Any]) -> str:
    """Where weights are downloaded to, as far as the pod says it."""
    given = {text_of(each.get("name")): text_of(each.get("value")) for _, each in mappings(container.get("env"))}
    return given.get("HF_HOME") or given.get("HF_HUB_CACHE") or ""


def _take_cache(source: str, volume: Mapping[str, Any], path: str, findings: Findings, where: str) -> None:
    if source == "persistentVolumeClaim":
        cache = {"type": source, "claimName": text_of(volume.get("claimName")), "mountPath": path}
    elif source == "hostPath":
        cache = {"type": source, "hostPath": text_of(volume.get("path")), "mountPath": path}
    elif source == "emptyDir":
        return  # as the chart has it
    else:
        findings.leave_out(
            where, f"the cache of weights in {source or 'its volume'}", "modelCache is a claim or a path"
        )
        return
    findings.chart["modelCache"] = cache


def custom_resources(flags: Any) -> list[str]:
    """The names of Ray's custom resources in `rayStartParams`: JSON in quotes of the shell, as KubeRay passes it."""
    stated = text_of(mapping(flags).get("resources")).strip().strip("'\"").replace('\\"', '"')
    try:
        found = parse_json(stated)
    except (ValueError, RecursionError):
        return []
    return [str(name) for name in mapping(found)]
