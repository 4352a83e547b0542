"""What keeps a release up: pods that stay in a drain, the head's Redis, and how a changed cluster comes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from generator.formats.bounds import PodsPositive, PositiveSeconds
from generator.formats.fields import Closed, DataKey, ObjectName
from generator.formats.texts import text

# ray/_private/services.py, get_address. A login would be readable in the RayService.
REDIS_ADDRESS = r"^((rediss?://)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[0-9]{1,5})?$"
REDIS_USER = r"^[A-Za-z0-9_.@:-]*$"
RedisAddress = Annotated[
    str,
    text(
        REDIS_ADDRESS,
        "empty, or host and port without a login, rediss:// before them for TLS, such as redis.data.svc:6379",
        longest=253,
    ),
]
RedisUser = Annotated[
    str,
    text(REDIS_USER, "empty, or the name of a user: letters, digits and any of _ . @ : -", longest=253),
]


class PodDisruptionBudget(Closed):
    """Pods that stay while nodes are drained. Kubernetes counts them over all clusters of the release."""

    enabled: bool | None = None
    """Unset: where two or more pods are ready at the least. `true`: also of one, and a drain then waits for it."""
    minAvailable: PodsPositive | None = None
    """Pods that stay; unset: one less than there are at the least."""


class Redis(Closed):
    address: RedisAddress = ""
    """Host and port, `rediss://` before them for TLS; empty: the head keeps what it knows in its memory."""
    username: RedisUser = ""
    """Who logs in; empty: Redis' own `default`."""
    existingSecret: ObjectName = ""
    """Name of a Secret with the password; empty: Redis asks for none."""
    key: DataKey = "redis-password"
    """Key of the password in the Secret."""


class GcsFaultTolerance(Closed):
    """KubeRay's `gcsFaultToleranceOptions`: a head that is lost comes back to the cluster that it had."""

    redis: Redis = Redis()


IN_STEPS = "NewClusterWithIncrementalUpgrade"
# KubeRay takes 0 as well, with which an update never ends.
Percent = Annotated[int, Field(ge=1, le=100)]


class ClusterUpgradeOptions(Closed):
    """KubeRay's, of `NewClusterWithIncrementalUpgrade`."""

    gatewayClassName: Annotated[ObjectName, Field(min_length=1)]
    """Name of an existing GatewayClass. KubeRay makes a Gateway of it, `<name>-gateway`, which clients ask."""
    maxSurgePercent: Percent = 100
    """How much of the new cluster comes at a time, and of the old one goes: so many replicas are more meanwhile."""
    stepSizePercent: Percent
    """How much of the requests moves over at a time."""
    intervalSeconds: PositiveSeconds
    """Seconds between two such steps."""


class UpgradeStrategy(Closed):
    type: Literal["NewCluster", "NewClusterWithIncrementalUpgrade", "None"] = "NewCluster"
    clusterUpgradeOptions: ClusterUpgradeOptions | None = None
    """Of `NewClusterWithIncrementalUpgrade`, which needs them."""
