"""An application of people's own code, as an app of the environment."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from generator.documents.merge import JsonObject
from generator.errors import cut
from generator.formats.pod_rules import mapping, mappings
from generator.migrate.found import Findings, FoundApp
from generator.migrate.llm_config import replicas_of, without_empty
from generator.migrate.manifests import plain_name, text_of, whole_of

_BY_HAND = "write it by hand below `apps:` of the environment"


def app_of(
    application: Mapping[str, Any], files: Mapping[str, str], findings: Findings, *, where: str
) -> FoundApp | None:
    """Return the app of one application, or None where the manifests do not say enough; `files` are ConfigMaps by
    the path of a file of theirs."""
    module = text_of(application.get("import_path")).partition(":")[0]
    deployments = [copy.deepcopy(dict(each)) for _, each in mappings(application.get("deployments"))]
    holder = _holder(deployments)
    if why := _refusal(holder, findings):
        findings.leave_out(where, f"the code {cut(module)}", why)
        return None
    service: JsonObject = {"deployment": text_of(holder.get("name"))}
    config_map = next((name for path, name in files.items() if path.endswith(f"/{module.replace('.', '/')}.py")), "")
    if config_map:
        service["configMap"] = config_map
        findings.config_maps.add(config_map)
        why = "it stays beside the release; `files:` of the app, with the code in the project, bring it into it"
        findings.change(where, f"the code in ConfigMap/{cut(config_map)}", why)
    elif "working_dir" not in mapping(application.get("runtime_env")):
        findings.change(where, f"the code {cut(module)}", "it has to be in the image, as no ConfigMap of these has it")
    actor = holder.get("ray_actor_options")
    pool, gpus = _taken(actor if isinstance(actor, dict) else {}, findings)
    if gpus is None:
        findings.change(where, "GPUs of a replica", "no whole number of them is said, and one is taken: see `gpus`")
    service["gpus"] = gpus or 1
    if most := whole_of(holder.get("max_ongoing_requests")):
        service["sequences"] = max(1, most // 2)  # as many wait as are worked on, which is how the plan writes it
    if replicas := replicas_of(holder, findings, where):
        service["replicas"] = {"min": replicas[0], "max": max(1, replicas[1])}
    kept = {
        key: application[key] for key in ("import_path", "args", "runtime_env", "route_prefix") if key in application
    }
    others = [without_empty(each) for each in deployments]
    service["application"] = {**kept, "deployments": [each for each in others if len(each) > 1]}
    if not service["application"]["deployments"]:
        del service["application"]["deployments"]
    stated = text_of(application.get("name"))
    name = plain_name(stated, "app")
    if name != stated:
        findings.change(where, f"its name is {name}", "an app has a name of small letters, digits and -")
    return FoundApp(name=name, where=where, service=service, pool=pool)


def _refusal(holder: JsonObject, findings: Findings) -> str:
    """Why it cannot be an app; empty where it can."""
    if not holder:
        return f"which deployment holds its model is not said: {_BY_HAND}"
    if holder.get("placement_group_bundles"):
        return f"each of its bundles needs the pool's name: {_BY_HAND}"
    return "" if findings.pools else "no group of workers that it runs on could be taken"


def _holder(deployments: list[JsonObject]) -> JsonObject:
    """The deployment that holds the model: the one with GPUs, else the one that is called so, else the only one.

    Empty where there is none, or it has no name.
    """
    with_gpus = [each for each in deployments if mapping(each.get("ray_actor_options")).get("num_gpus")]
    called = [each for each in deployments if "llm" in text_of(each.get("name")).lower()]
    found = next((each[0] for each in (with_gpus, called, deployments) if len(each) == 1), {})
    return found if text_of(found.get("name")) else {}


def _taken(actor: JsonObject, findings: Findings) -> tuple[str | None, int | None]:
    """Pool and GPUs, which the plan writes again; they are taken out of the options."""
    resources = actor.pop("resources", None)
    pools = [findings.resources.get(name, name) for name in mapping(resources)]
    gpus = actor.pop("num_gpus", None)
    return next((name for name in pools if name in findings.pools), None), whole_of(gpus) or None
