"""What a model declares more loosely than a validator, or a later step, then accepts: the schema of such a field."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from tools.references import REF, Schema

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
    ("DeploymentSchema", "max_queued_requests"): {"type": "integer", "minimum": -1},
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
    """`log_attributes` are those of the release's log records."""

    def __init__(self, log_attributes: Iterable[str]) -> None:
        levels = logging.getLevelNamesMapping()
        self._of_release: Mapping[Field, Schema] = {
            ("LoggingConfig", "log_level"): {"enum": [*sorted(levels), *sorted(set(levels.values()))]},
            ("LoggingConfig", "additional_log_standard_attrs"): {
                "type": "array",
                "items": {"enum": sorted(log_attributes)},
            },
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
