"""The Redis of a RayService's head: KubeRay's `gcsFaultToleranceOptions`, or the variables that came before them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from generator.documents.merge import JsonObject
from generator.errors import cut
from generator.formats.availability import REDIS_ADDRESS, REDIS_USER
from generator.formats.pod_rules import mapping
from generator.migrate.found import Findings
from generator.migrate.manifests import text_of

_ADDRESS, _USER, _PASSWORD, _NAMESPACE = (
    "RAY_REDIS_ADDRESS", "REDIS_USERNAME", "REDIS_PASSWORD", "RAY_external_storage_namespace",
)  # fmt: skip


def take_redis(cluster: Mapping[str, Any], head: JsonObject, findings: Findings, *, where: str) -> JsonObject:
    """The chart's words for it, if there are any. Variables of the head that say the same are taken out of `head`."""
    options = mapping(cluster.get("gcsFaultToleranceOptions"))
    env = head.get("env", {})
    stated = {name: env.pop(name) for name in (_ADDRESS, _USER, _PASSWORD, _NAMESPACE) if name in env}
    if not env:
        head.pop("env", None)
    if options.get("externalStorageNamespace") or _NAMESPACE in stated:
        findings.leave_out(where, "a storage namespace in Redis", "KubeRay gives each cluster of an update its own")
    address = text_of(options.get("redisAddress")) or text_of(stated.get(_ADDRESS))
    if not address:
        return {}
    if not re.fullmatch(REDIS_ADDRESS, address):
        why = "say its host and port in `chart: {gcsFaultTolerance: {redis: {address: …}}}`, and no login"
        findings.leave_out(where, "the address of Redis", why)
        return {}
    password = _secret(options.get("redisPassword") or stated.get(_PASSWORD))
    user = text_of(mapping(options.get("redisUsername")).get("value")) or text_of(stated.get(_USER))
    if (options.get("redisPassword") or _PASSWORD in stated) and not password:
        why = "put it into a Secret, and name that in `chart: {gcsFaultTolerance: {redis: {existingSecret: …}}}`"
        findings.leave_out(where, "the password of Redis", why)
    redis = {"address": address, **password}
    if password and user and re.fullmatch(REDIS_USER, user):
        redis["username"] = user
    elif user or options.get("redisUsername"):
        findings.leave_out(where, f"the user {cut(user)} of Redis", "say it beside the Secret with the password")
    return {"redis": redis}


def _secret(source: Any) -> dict[str, str]:
    """The Secret that a password refers to, as the chart names it."""
    reference = mapping(mapping(mapping(source).get("valueFrom")).get("secretKeyRef"))
    name, key = text_of(reference.get("name")), text_of(reference.get("key"))
    return {"existingSecret": name, "key": key} if name and key else {}
