"""How many replicas a target capacity leaves is what Ray makes of it."""

from __future__ import annotations

from ray.serve._private.utils import get_capacity_adjusted_num_replicas

from generator.plan.upgrade import of_capacity


def test_replicas_at_every_capacity_are_rays_own() -> None:
    for replicas in range(60):
        for percent in range(101):
            assert of_capacity(replicas, percent) == get_capacity_adjusted_num_replicas(replicas, percent)
