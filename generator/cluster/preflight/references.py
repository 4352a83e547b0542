"""What rendered pods refer to, and whether it is in the namespace: Secrets, ConfigMaps and volume claims.

Of a Secret only its metadata is read: the names of its keys are in there, its values are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from generator.cluster.finding import Finding, fails, passes, warns
from generator.cluster.pods import PodGroup, containers
from generator.documents.merge import JsonObject
from generator.errors import did_you_mean
from generator.facts.files import row_of
from generator.facts.refused import refused_variables

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
ROOT_CA = "kube-root-ca.crt"
"""The ConfigMap that Kubernetes itself makes in every namespace."""
REDIS = "password of Redis"
"""What KubeRay shows the head of a Secret that no pod of the chart names."""
IMAGE_KEYS = (".dockerconfigjson", ".dockercfg")


@dataclass(frozen=True, kw_only=True)
class Reference:
    kind: Literal["ConfigMap", "PersistentVolumeClaim", "Secret"]
    name: str
    key: str = ""
    """Empty: all of it."""
    purpose: str
    optional: bool = False
    prefix: str | None = None
    """Of a source of variables (`envFrom`), all keys of which become some: what their names begin with."""


def references(groups: Iterable[PodGroup]) -> list[Reference]:
    """Everything that the pods name and somebody has to make, each once."""
    found = {named for group in groups for named in _of_pod(group.spec) if named.name != ROOT_CA}
    return sorted(found, key=lambda one: (one.kind, one.name, one.key, one.purpose, one.optional, one.prefix or ""))


def redis_references(service: JsonObject) -> list[Reference]:
    """What KubeRay shows the head for its Redis, as the RayService names it."""
    options = service["spec"]["rayClusterConfig"].get("gcsFaultToleranceOptions") or {}
    secret = ((options.get("redisPassword") or {}).get("valueFrom") or {}).get("secretKeyRef")
    return [_reference("Secret", secret, REDIS, secret["key"])] if secret else []


def keys_in(metadata: Mapping[str, Any]) -> set[str] | None:
    """The keys of a Secret or ConfigMap, by what its managers have recorded; None where they have recorded nothing."""
    keys: set[str] = set()
    recorded = False
    for manager in metadata.get("managedFields") or []:
        for field in ("f:data", "f:stringData", "f:binaryData"):
            fields = (manager.get("fieldsV1") or {}).get(field)
            recorded = recorded or fields is not None
            keys |= {key.removeprefix("f:") for key in fields or {} if key.startswith("f:")}
    return keys if recorded else None


def key_findings(reference: Reference, metadata: Mapping[str, Any] | None, namespace: str) -> Finding:
    """Whether a Secret or ConfigMap is there with the key, `metadata` being None where it is not there."""
    subject = _subject(reference)
    what = f"{reference.kind} {namespace}/{reference.name}"
    if metadata is None:
        if reference.optional:
            return passes(subject, f"{what} is not there, and need not be ({reference.purpose})")
        return fails(subject, f"{what} does not exist ({reference.purpose})", _create(reference, namespace))
    keys = keys_in(metadata)
    if reference.purpose == "image pull":
        if keys is not None and not keys.intersection(IMAGE_KEYS):
            return fails(
                subject, f"{what} holds no registry login ({reference.purpose})", _create(reference, namespace)
            )
    elif reference.key and keys is None:
        return warns(subject, f"{what} is there; whether it has the key {reference.key} cannot be seen")
    elif reference.key and reference.key not in (keys or ()) and not reference.optional:
        near = did_you_mean(reference.key, keys or ())
        return fails(
            subject,
            f"{what} has no key '{reference.key}' ({reference.purpose})",
            f"It has {', '.join(sorted(keys or ())) or 'none'}"
            + (
                f"; {near}"
                if near.startswith("did you")
                else f". Add the key, or name another ({_NAMED_BY.get(reference.purpose, 'its `key`')})."
            ),
        )
    with_key = f" with the key {reference.key}" if reference.key else ""
    return passes(subject, f"{what} is there{with_key} ({reference.purpose})")


def variable_findings(reference: Reference, keys: Iterable[str], namespace: str) -> Iterator[Finding]:
    """Which keys of a source of variables would undo a value, as the same variable by `env` would."""
    if reference.prefix is None:
        return
    for key in sorted(keys):
        name = f"{reference.prefix}{key}"
        refused = row_of(refused_variables(), name)
        if refused:
            what = f"{reference.kind} {namespace}/{reference.name} gives pods {name}: {refused.why}"
            # Where some values do nothing, whether this one does is not looked at.
            yield (warns if refused.harmless else fails)(_subject(reference), what, f"{refused.instead}.")


def claim_findings(
    reference: Reference,
    claim: JsonObject | None,
    classes: Sequence[JsonObject],
    *,
    namespace: str,
    pods: int,
    is_new: bool = False,
) -> Iterator[Finding]:
    """Whether a volume claim can be mounted by as many pods.

    `classes` are the cluster's StorageClasses. `is_new`: the release makes the claim.
    """
    subject = "storage"
    what = f"claim {namespace}/{reference.name}"
    by_name = {storage_class["metadata"]["name"]: storage_class for storage_class in classes}
    default = next((name for name, storage_class in by_name.items() if _is_default(storage_class)), None)
    if claim is None:
        known = ", ".join(f"{name} (default)" if name == default else name for name in by_name) or "none"
        yield fails(
            subject,
            f"{what} does not exist ({reference.purpose})",
            f"Create it with ReadWriteMany; StorageClasses here: {known}.",
        )
        return
    phase = (claim.get("status") or {}).get("phase")
    wanted = claim["spec"].get("storageClassName")
    chosen = default if wanted is None else wanted
    if phase == "Lost":
        yield fails(subject, f"{what} has lost its volume", f"kubectl describe pvc -n {namespace} {reference.name}")
    elif phase != "Bound" and not chosen and wanted is None:
        yield fails(subject, f"{what} names no StorageClass and the cluster has no default", _class_fix(by_name))
    elif phase != "Bound" and chosen and chosen not in by_name:
        near = did_you_mean(chosen, by_name)
        yield fails(subject, f"{what} waits for the StorageClass {chosen}, which does not exist", near)
    elif is_new:
        yield passes(subject, f"{what} is made with the release ({chosen})")
    elif phase != "Bound" and chosen and by_name[chosen].get("volumeBindingMode") != "WaitForFirstConsumer":
        yield warns(
            subject,
            f"{what} is {phase} and has no volume yet",
            f"See why: kubectl describe pvc -n {namespace} {reference.name}",
        )
    else:
        state = "is bound" if phase == "Bound" else f"is bound when the first pod uses it ({chosen})"
        yield passes(subject, f"{what} {state}")
    modes = claim["spec"].get("accessModes") or []
    if pods > 1 and not {"ReadWriteMany", "ReadOnlyMany"}.intersection(modes):
        yield warns(
            subject,
            f"{what} is {' and '.join(modes)}, and up to {pods} pods mount it: they all must be on one node",
            "Use a claim with ReadWriteMany, or an emptyDir (modelCache.type).",
        )


def _of_pod(spec: JsonObject) -> Iterator[Reference]:
    for secret in spec.get("imagePullSecrets") or []:
        yield Reference(kind="Secret", name=secret["name"], purpose="image pull")
    for container in containers(spec):
        for variable in container.get("env") or []:
            purpose = f"environment variable {variable['name']}"
            for field, source in (variable.get("valueFrom") or {}).items():
                kind = _KINDS.get(field)
                if kind:
                    yield _reference(kind, source, purpose, source["key"])
        for source in container.get("envFrom") or []:
            for field in ("secretRef", "configMapRef"):
                if field in source:
                    found = _reference(_KINDS[field], source[field], "environment variables")
                    yield replace(found, prefix=source.get("prefix") or "")
    for volume in spec.get("volumes") or []:
        yield from _of_volume(volume, f"volume {volume['name']}")


def _of_volume(volume: Mapping[str, Any], purpose: str) -> Iterator[Reference]:
    if "persistentVolumeClaim" in volume:
        name = volume["persistentVolumeClaim"]["claimName"]
        yield Reference(kind="PersistentVolumeClaim", name=name, purpose=purpose)
    for source in [volume, *((volume.get("projected") or {}).get("sources") or [])]:
        for field in ("secret", "configMap"):
            if field in source:
                named = source[field]
                keys = [item["key"] for item in named.get("items") or []] or [""]
                for key in keys:
                    yield _reference(_KINDS[field], named, purpose, key)


# By what the key is for: where the chart's values name it.
_NAMED_BY = {
    "environment variable HF_TOKEN": "huggingFace.key",
    "environment variable VLLM_API_KEY": "auth.apiKey.key",
    REDIS: "gcsFaultTolerance.redis.key",
}

_KINDS: dict[str, Literal["ConfigMap", "Secret"]] = {
    "secretKeyRef": "Secret",
    "secretRef": "Secret",
    "secret": "Secret",
    "configMapKeyRef": "ConfigMap",
    "configMapRef": "ConfigMap",
    "configMap": "ConfigMap",
}


def _subject(reference: Reference) -> str:
    return "secrets" if reference.kind == "Secret" else "config maps"


def _reference(kind: Any, source: Mapping[str, Any], purpose: str, key: str = "") -> Reference:
    name = source.get("name") or source.get("secretName") or ""
    return Reference(kind=kind, name=name, key=key, purpose=purpose, optional=bool(source.get("optional")))


def _create(reference: Reference, namespace: str) -> str:
    if reference.purpose == "image pull":
        return (
            f"kubectl create secret docker-registry {reference.name} -n {namespace} --docker-server=<registry> "
            "--docker-username=<user> --docker-password=<password>"
        )
    kind = "secret generic" if reference.kind == "Secret" else "configmap"
    return f"kubectl create {kind} {reference.name} -n {namespace} --from-file={reference.key or '<key>'}=/path/to/it"


def _is_default(storage_class: JsonObject) -> bool:
    return (storage_class["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"


def _class_fix(classes: Iterable[str]) -> str:
    return f"Name one in the claim: {', '.join(classes) or 'the cluster has none, so install a provisioner'}."
