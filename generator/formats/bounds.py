"""How large a number in the files here can be, each bound with its source.

Beyond them nothing runs: an API server refuses the object, or no machine has as much. They also keep what a typing
error makes of a number from rendering into something that waits forever.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

# Pods of one cluster: https://kubernetes.io/docs/setup/best-practices/cluster-large/
_PODS = 150_000
# Nodes of one cluster: https://cloud.google.com/kubernetes-engine/docs/concepts/planning-large-clusters
_NODES = 65_000
# A field of type int32, such as the seconds in KubeRay's RayCluster (config/crd/bases/ray.io_rayclusters.yaml).
_INT32 = 2**31 - 1
# Devices of one node. The largest have 16 GPUs; of a shared one there are up to 7 (MIG) or as many as its plugin says.
_DEVICES = 128
# CPUs that a Linux kernel can count: NR_CPUS in arch/x86/Kconfig.
_CPUS = 8192
# Of one resource on one worker: MAX_RESOURCE_QUANTITY in ray/_private/ray_constants.py.
_RAY_RESOURCE = 10**14
# Whole numbers above it are not exact: Helm reads every number as a double.
EXACT = 2**53

Nodes = Annotated[int, Field(ge=1, le=_NODES)]
Pods = Annotated[int, Field(ge=0, le=_PODS)]
PodsPositive = Annotated[int, Field(ge=1, le=_PODS)]
Devices = Annotated[int, Field(ge=0, le=_DEVICES)]
RayAmount = Annotated[int, Field(ge=1, le=_RAY_RESOURCE)]
Cpus = Annotated[float, Field(ge=0, le=_CPUS)]
Bytes = Annotated[int, Field(ge=0, le=EXACT)]
Count = Annotated[int, Field(ge=0, le=_INT32)]
Seconds = Annotated[int, Field(ge=0, le=_INT32)]
PositiveSeconds = Annotated[int, Field(ge=1, le=_INT32)]
# Users and groups of a container: IsValidUserID and IsValidGroupID of k8s.io/apimachinery/pkg/util/validation.
Id = Annotated[int, Field(ge=0, le=_INT32)]
# The same package's, of a preference: ValidatePreferredSchedulingTerms.
Weight = Annotated[int, Field(ge=1, le=100)]
# An int32 that is at least one: maxSkew and minDomains.
Skew = Annotated[int, Field(ge=1, le=_INT32)]
