"""What an application's `deployments` say of its models: Ray lays it over what their configuration says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generator.documents.merge import JsonObject, merged
from generator.facts.releases import newest
from generator.formats.pod_rules import mapping, mappings
from generator.migrate.manifests import text_of


def deployment_name(config: Mapping[str, Any]) -> str:
    """The name that Ray's builder gives the deployment of an LLMConfig."""
    rule = newest().facts["modelDeployment"]
    name = text_of(mapping(config.get("model_loading_config")).get("model_id"))
    for letter, instead in rule["replace"].items():
        name = name.replace(letter, instead)
    return str(rule["prefix"]) + name


def with_deployment(config: JsonObject, application: Mapping[str, Any]) -> JsonObject:
    """The LLMConfig with what the application says of its deployment, as if it were said in one place."""
    name = deployment_name(config)
    for _, each in mappings(application.get("deployments")):
        if each.get("name") == name:
            told = {key: value for key, value in each.items() if key != "name" and value is not None}
            return merged(config, {"deployment_config": told})
    return config
