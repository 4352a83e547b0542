"""Keys that Ray takes but that must not be given, and why.

`probe` is a value with which Ray fails to build the model's deployment; the extraction stops if it no longer fails, so
that a line here cannot outlive its reason.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeftOut:
    why: str
    probe: Any = None


OF_DEPLOYMENT_OPTIONS: Mapping[str, LeftOut] = {
    "name": LeftOut(why="it renames the deployment, which then no longer carries the model's id"),
    "version": LeftOut(why="Serve manages deployment versions itself; an error since Ray 2.5x, without effect before"),
    "route_prefix": LeftOut(why="set on the application, not on a deployment", probe="/model"),
    "placement_group_bundles": LeftOut(
        why="made from the parallelism and the LLMConfig's own placement field", probe=[{"CPU": 1}]
    ),
    "placement_group_strategy": LeftOut(
        why="made from the parallelism and the LLMConfig's own placement field", probe="PACK"
    ),
    "max_replicas_per_node": LeftOut(why="not allowed beside the placement group that Ray LLM always makes", probe=1),
    "gang_scheduling_config": LeftOut(
        why="not allowed beside the placement group that Ray LLM always makes", probe={"gang_size": 1}
    ),
}

# Only where a fixed count is not honoured, which the extraction finds out (`Probe.fixed_replicas_hold`).
NUM_REPLICAS = LeftOut(
    why="without effect: the autoscaling defaults of Ray LLM's deployment class stay in force and decide the count; "
    "give autoscaling_config with min_replicas equal to max_replicas"
)

# `ray_actor_options` of a model.
OF_MODEL_ACTOR_OPTIONS: Mapping[str, LeftOut] = {
    "num_gpus": LeftOut(why="the engine's bundles already ask for the GPUs; this asks for one more that nobody uses"),
}

OF_INGRESS_OPTIONS: Mapping[str, LeftOut] = {
    "name": LeftOut(why="the ingress is addressed by its own name in the application's `deployments`"),
    "version": OF_DEPLOYMENT_OPTIONS["version"],
}

OF_ENGINE_ARGUMENTS: Mapping[str, LeftOut] = {
    "model": LeftOut(why="Ray sets it from model_loading_config; given here, the replica fails at start", probe="m"),
    "served_model_name": LeftOut(
        why="Ray sets it from model_loading_config; given here, the replica fails at start", probe="m"
    ),
}

OF_SERVE_CONFIG: Mapping[str, LeftOut] = {
    "applications": LeftOut(why="made from the models and apps, see ServeApplication"),
}

# ServeDeploySchema.nested_host_and_port rejects both.
OF_SERVE_APPLICATION: Mapping[str, LeftOut] = {
    "host": LeftOut(why="an error in a config of several applications; see http_options"),
    "port": LeftOut(why="an error in a config of several applications; see http_options"),
}
