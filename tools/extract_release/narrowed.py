"""What a model declares more loosely than a validator, or a later step, then accepts: the schema of such a field."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from tools.references import REF, Schema

from . import names
from .release import Release
from .schema import accepts_null, nullable

Field = tuple[str, str]
"""Name of a class, and of its field."""

_NARROWED: Mapping[Field, Schema] = {
    # ControllerOptions._validate_runtime_env
    ("ControllerOptions", "runtime_env"): {
        "type": ["object", "null"],
        "properties": {"env_vars": {"type": "object", "additionalProperties": {"type": "string"}}},
        "additionalProperties": False,
    },
    ("RayActorOptionsSchema", "resources"): {
        "type": "object",
        "additionalProperties": {"type": "number", "minimum": 0},
    },
    ("DeploymentSchema", "num_replicas"): {
        "anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["auto"]}, {"type": "null"}]
    },
    ("DeploymentSchema", "max_queued_requests"): {
        "type": "integer",
        "minimum": -1,
        "if": {"maximum": 0},
        "then": {"enum": [-1]},
    },
    # GangSchedulingConfig._validate_runtime_failure_policy
    ("GangSchedulingConfig", "runtime_failure_policy"): {"enum": ["RESTART_GANG"], "type": "string"},
    ("DeploymentSchema", "max_replicas_per_node"): {"type": ["integer", "null"], "minimum": 1, "maximum": 100},
    ("DeploymentSchema", "placement_group_strategy"): {
        "enum": ["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"],
        "type": "string",
    },
    ("LoggingConfig", "encoding"): {"enum": ["JSON", "TEXT"], "type": "string"},
    ("AutoscalingConfig", "aggregation_function"): {"enum": ["max", "mean", "min"], "type": "string"},
}

# A model's own class in place of the bare dict that the field declares, by the name of its definition.
_BETTER_KNOWN_AS: Mapping[Field, str] = {
    ("DeploymentSchema", "autoscaling_config"): "AutoscalingConfig",
    ("DeploymentSchema", "logging_config"): "LoggingConfig",
    ("DeploymentSchema", "ray_actor_options"): "RayActorOptionsSchema",
    ("DeploymentSchema", "request_router_config"): "RequestRouterConfig",
    ("RayActorOptionsSchema", "runtime_env"): "RuntimeEnv",
    ("ServeApplicationSchema", "autoscaling_policy"): "AutoscalingPolicy",
    ("ServeApplicationSchema", "runtime_env"): "RuntimeEnv",
}


class Narrowed:
    """What the release itself says of some fields: its log records, its addresses, its classes."""

    def __init__(self, release: Release) -> None:
        levels = logging.getLevelNamesMapping()
        self._of_release: Mapping[Field, Schema] = {
            ("LoggingConfig", "log_level"): {"enum": [*sorted(levels), *sorted(set(levels.values()))]},
            ("LoggingConfig", "additional_log_standard_attrs"): {
                "type": "array",
                "items": {"enum": sorted(release.log_record_attributes)},
            },
            # check_uri_format, validate_dynamic_lora_loading_path; an extra file is fetched in the same way
            ("CloudMirrorConfig", "bucket_uri"): {"type": ["string", "null"], **_where_text(names.bucket(release))},
            ("ExtraFiles", "bucket_uri"): {"type": "string", **names.bucket(release)},
            ("LoraConfig", "dynamic_lora_loading_path"): {
                "type": ["string", "null"],
                **_where_text(names.bucket(release)),
            },
            ("ModelLoadingConfig", "model_source"): {
                "anyOf": [{"type": "string", **names.source(release)}, {"$ref": REF + "CloudMirrorConfig"}]
            },
            ("RequestRouterConfig", "request_router_class"): names.import_path(release.request_router, release),
            ("CallbackConfig", "callback_class"): names.import_path(None, release),
            ("AutoscalingPolicy", "policy_function"): names.import_path(None, release),
        }

    def field(self, cls: str, name: str, declared: Schema) -> Schema:
        """The schema of a class's field; what it declares, where nothing here says more."""
        field = (cls, name)
        known = _NARROWED.get(field) or self._of_release.get(field)
        if known is not None:
            return known
        if field in _BETTER_KNOWN_AS:
            better = {"$ref": REF + _BETTER_KNOWN_AS[field]}
            return nullable(better) if accepts_null(declared) else better
        return declared


def _where_text(schema: Schema) -> Schema:
    """For a field that may also be null."""
    return {"if": {"type": "string"}, "then": schema}
