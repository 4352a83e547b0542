"""What keeps a release up: how many pods stay while nodes are drained."""

from __future__ import annotations

from generator.formats.bounds import PodsPositive
from generator.formats.fields import Closed


class PodDisruptionBudget(Closed):
    """Pods that stay while nodes are drained. Kubernetes counts them over all clusters of the release."""

    enabled: bool | None = None
    """Unset: where two or more pods are ready at the least. `true`: also of one, and a drain then waits for it."""
    minAvailable: PodsPositive | None = None
    """Pods that stay; unset: one less than there are at the least."""
