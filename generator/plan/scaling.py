"""What an environment says of scaling beside requests: whether it can be had, and for how many there must be room."""

from __future__ import annotations

from generator.errors import UserError
from generator.facts.releases import RayRelease
from generator.formats.environment import Overrides, Replicas
from generator.plan.requirements import Asked

LATER = "Take a later Ray release. Or change `replicas.min` from outside: Serve takes another number in place"


def check_scaling(asked: Asked, release: RayRelease, *, where: str) -> None:
    """Raise UserErrors where the release, or a model of this kind, cannot be scaled so."""
    scaling = asked.overrides.scaling
    if scaling is None:
        return
    where = f"{where}.scaling"
    if scaling.external and not release.external_scaler:
        raise UserError(f"Ray {release.ray} takes no number of replicas by its API", where=where, fix=f"{LATER}.")
    if not scaling.external and not release.scaling_policy:
        what = "a schedule is a scaling policy, and " if scaling.schedule else ""
        raise UserError(f"{what}Ray {release.ray} knows no policies", where=where, fix=f"{LATER}.")
    ranks = asked.overrides.llmConfig.get("engine_kwargs", {}).get("data_parallel_size", 1)
    if scaling.schedule and ranks != 1:
        raise UserError(
            "a schedule counts replicas, and Ray asks it for the ranks of data parallel groups",
            where=where,
            fix="Say `replicas` instead.",
        )
    if asked.half and scaling.schedule:
        raise UserError(
            "a schedule is of one deployment, and prefill and decode are two",
            where=where,
            fix="Say `replicas` of both halves instead.",
        )


def scheduled(overrides: Overrides, replicas: Replicas) -> int:
    """The least replicas at the busiest time of the schedule; 0 without one. Raises UserError above the most."""
    if overrides.scaling is None or overrides.scaling.schedule is None:
        return 0
    for name, window in overrides.scaling.schedule.windows.items():
        if window.min > replicas.max:
            raise UserError(
                f"window '{name}' asks for {window.min} replicas, and {replicas.max} are the most",
                where="scaling.schedule",
                fix=f"Set `replicas: {{min: {replicas.min}, max: {window.min}}}`, or ask for fewer.",
            )
    return overrides.scaling.schedule.most
