"""What the fleet makes of one pool."""

from __future__ import annotations

from dataclasses import dataclass

from generator.plan.pools import Hardware
from generator.worker_shape import WorkerShape


@dataclass(frozen=True, kw_only=True)
class PoolPlan:
    """One pool as a worker group: the shape of its pods, and what the fleet asks of it."""

    hardware: Hardware
    shape: WorkerShape

    @property
    def name(self) -> str:
        return self.hardware.name

    @property
    def slots_per_worker(self) -> int:
        """GPUs (on a CPU pool: replicas) of one worker pod."""
        return self.shape.slots

    @property
    def units_per_worker(self) -> int:
        """The same in the units of pieces."""
        return self.shape.slots * self.hardware.units

    @property
    def most_workers(self) -> int:
        return self.shape.most

    @property
    def least_workers(self) -> int:
        """Pods that the smallest number of replicas takes."""
        return self.shape.least

    @property
    def peak_workers(self) -> int:
        """Pods that all replicas at once would take; may be more than there are."""
        return self.shape.peak
