"""The shape of a pool's worker pods for what is on it, and how many of them that takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from generator.plan.packing import bins_in_any_order, bins_needed
from generator.plan.pools import Hardware


@dataclass(frozen=True, kw_only=True)
class WorkerShape:
    """Worker pods of one size. All figures but `slots` are pods."""

    slots: int
    """GPUs of a pod; on a CPU pool replicas."""
    most: int
    least: int
    """Pods that the smallest number of replicas takes, as the autoscaler brings them."""
    sure: int
    """Pods with which these replicas find room in whatever order they come."""
    peak: int
    """Pods that all replicas at once would take; may be more than there are."""

    @property
    def slots_short(self) -> int:
        """Slots that the least replicas lack."""
        return max(0, self.least - self.most) * self.slots

    @property
    def slots_unsure(self) -> int:
        """Slots without which the order decides whether the least replicas find room."""
        return max(0, self.sure - self.most) * self.slots

    @property
    def slots_taken(self) -> int:
        return self.least * self.slots

    @property
    def slots_short_at_peak(self) -> int:
        return max(0, self.peak - self.most) * self.slots


def worker_shape(hardware: Hardware, least: Counter[int], peak: Counter[int]) -> WorkerShape:
    """The pods for these pieces (units by size, at the least replicas and at the most).

    Every piece fits a pod; then the least replicas find room, in any order, on the fewest GPUs, within an island of
    directly connected GPUs; then the peak does; then the smallest pods, which pack nodes and scale in small steps.
    """
    units = hardware.units
    widest = -(-max((size for size in (*least, *peak)), default=1) // units)
    sizes = [slots for slots in hardware.worker_sizes if slots >= widest] or hardware.worker_sizes[-1:]
    shapes = (
        WorkerShape(
            slots=slots,
            most=hardware.pool.nodes * (hardware.slots_per_node // slots),
            least=bins_needed(least, slots * units),
            sure=bins_in_any_order(least, slots * units),
            peak=bins_needed(peak, slots * units),
        )
        for slots in sizes
    )
    island = hardware.pool.gpusPerIsland or hardware.slots_per_node
    return min(
        shapes,
        key=lambda one: (
            one.slots_short,
            one.slots_unsure,
            one.slots_taken,
            one.slots > island,
            one.slots_short_at_peak,
            one.slots,
        ),
    )
