"""The flags of `ray start`, of the Ray that is installed and of the chart."""

from __future__ import annotations

from generator.facts.refused import ray_start_flags


def flags_of_ray() -> set[str]:
    """Without their dashes."""
    from ray.scripts.scripts import start

    return {flag.lstrip("-") for option in start.params for flag in (*option.opts, *option.secondary_opts)}


def known_flags() -> set[str]:
    flags = ray_start_flags()
    return {*flags["free"], *flags["refused"]}
