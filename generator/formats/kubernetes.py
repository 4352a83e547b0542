"""The parts of the Kubernetes API that the chart passes through, closed to the leaf so that Helm catches a typo.

Field names and meanings are the API's own (v1.34, https://kubernetes.io/docs/reference/kubernetes-api/). Only what
people set on Ray pods is here; a missing field is one line to add.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from generator.formats.fields import Closed, NaturalInt, Quantity

StringMap = dict[str, str]


class LabelRequirement(Closed):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: list[str] | None = None


class LabelSelector(Closed):
    matchLabels: StringMap | None = None
    matchExpressions: list[LabelRequirement] | None = None


class NodeSelectorTerm(Closed):
    matchExpressions: list[LabelRequirement] | None = None
    matchFields: list[LabelRequirement] | None = None


class RequiredNodes(Closed):
    nodeSelectorTerms: list[NodeSelectorTerm]


class PreferredNodes(Closed):
    weight: int
    preference: NodeSelectorTerm


class NodeAffinity(Closed):
    requiredDuringSchedulingIgnoredDuringExecution: RequiredNodes | None = None
    preferredDuringSchedulingIgnoredDuringExecution: list[PreferredNodes] | None = None


class PodAffinityTerm(Closed):
    labelSelector: LabelSelector | None = None
    namespaceSelector: LabelSelector | None = None
    namespaces: list[str] | None = None
    topologyKey: str


class WeightedPodAffinityTerm(Closed):
    weight: int
    podAffinityTerm: PodAffinityTerm


class PodAffinity(Closed):
    requiredDuringSchedulingIgnoredDuringExecution: list[PodAffinityTerm] | None = None
    preferredDuringSchedulingIgnoredDuringExecution: list[WeightedPodAffinityTerm] | None = None


class Affinity(Closed):
    nodeAffinity: NodeAffinity | None = None
    podAffinity: PodAffinity | None = None
    podAntiAffinity: PodAffinity | None = None


class Toleration(Closed):
    key: str | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    tolerationSeconds: int | None = None


class TopologySpreadConstraint(Closed):
    maxSkew: int
    topologyKey: str
    whenUnsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    labelSelector: LabelSelector | None = None
    minDomains: int | None = None
    nodeAffinityPolicy: Literal["Honor", "Ignore"] | None = None
    nodeTaintsPolicy: Literal["Honor", "Ignore"] | None = None
    matchLabelKeys: list[str] | None = None


class ResourceRequirements(Closed):
    limits: dict[str, Quantity | int | float] | None = None
    requests: dict[str, Quantity | int | float] | None = None


class KeySelector(Closed):
    name: str
    key: str
    optional: bool | None = None


class FieldSelector(Closed):
    fieldPath: str


class EnvVarSource(Closed):
    secretKeyRef: KeySelector | None = None
    configMapKeyRef: KeySelector | None = None
    fieldRef: FieldSelector | None = None


class EnvVar(Closed):
    value: str | None = None
    valueFrom: EnvVarSource | None = None


class SeccompProfile(Closed):
    type: Literal["RuntimeDefault", "Localhost", "Unconfined"]
    localhostProfile: str | None = None


class PodSecurityContext(Closed):
    runAsNonRoot: bool | None = None
    runAsUser: NaturalInt | None = None
    runAsGroup: NaturalInt | None = None
    fsGroup: NaturalInt | None = None
    fsGroupChangePolicy: Literal["OnRootMismatch", "Always"] | None = None
    supplementalGroups: list[NaturalInt] | None = None
    seccompProfile: SeccompProfile | None = None


class Capabilities(Closed):
    add: list[str] | None = None
    drop: list[str] | None = None


class SecurityContext(Closed):
    allowPrivilegeEscalation: bool | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    readOnlyRootFilesystem: bool | None = None
    runAsNonRoot: bool | None = None
    runAsUser: NaturalInt | None = None
    runAsGroup: NaturalInt | None = None
    seccompProfile: SeccompProfile | None = None


class EmptyDir(Closed):
    medium: Literal["", "Memory"] | None = None
    sizeLimit: Quantity | None = None


class PersistentVolumeClaim(Closed):
    claimName: str
    readOnly: bool | None = None


class HostPath(Closed):
    path: str
    type: str | None = None


class KeyToPath(Closed):
    key: str
    path: str


class SecretVolume(Closed):
    secretName: str
    items: list[KeyToPath] | None = None
    optional: bool | None = None


class ConfigMapVolume(Closed):
    name: str
    items: list[KeyToPath] | None = None
    optional: bool | None = None


class NfsVolume(Closed):
    server: str
    path: str
    readOnly: bool | None = None


class CsiVolume(Closed):
    driver: str
    readOnly: bool | None = None
    fsType: str | None = None
    volumeAttributes: StringMap | None = None


VOLUME_SOURCES = ("emptyDir", "persistentVolumeClaim", "hostPath", "secret", "configMap", "nfs", "csi")


class Volume(Closed):
    """One volume and where it is mounted, with exactly one source."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [source]} for source in VOLUME_SOURCES]})

    mountPath: str
    readOnly: bool | None = None
    emptyDir: EmptyDir | None = None
    persistentVolumeClaim: PersistentVolumeClaim | None = None
    hostPath: HostPath | None = None
    secret: SecretVolume | None = None
    configMap: ConfigMapVolume | None = None
    nfs: NfsVolume | None = None
    csi: CsiVolume | None = None


class NetworkPolicyPeer(Closed):
    podSelector: LabelSelector | None = None
    namespaceSelector: LabelSelector | None = None
