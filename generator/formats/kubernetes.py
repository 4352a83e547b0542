"""The parts of the Kubernetes API that the chart passes through, closed to the leaf so that Helm catches a typo.

Field names and meanings are the API's own (v1.34, https://kubernetes.io/docs/reference/kubernetes-api/). Only what
people set on Ray pods is here; a missing field is one line to add.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from generator.formats.bounds import Bytes, Count, Cpus, Id, Skew, Weight
from generator.formats.fields import (
    QUALIFIED_NAME,
    BytesQuantity,
    Closed,
    CountQuantity,
    CpuQuantity,
    DataKey,
    DnsLabel,
    LabelKey,
    LabelValue,
    Subdomain,
)
from generator.formats.texts import text

Labels = dict[LabelKey, LabelValue]
Annotations = dict[LabelKey, str]


def exactly_one(*keys: str) -> ConfigDict:
    """The configuration of a model that has one of the keys, and no other: null is none of them."""

    def narrow(schema: dict[str, Any]) -> None:
        schema["oneOf"] = [{"required": [key]} for key in keys]
        for key in keys:
            without_null = [option for option in schema["properties"][key].pop("anyOf") if option != {"type": "null"}]
            schema["properties"][key].update(*without_null)

    return ConfigDict(json_schema_extra=narrow)


class LabelRequirement(Closed):
    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: list[LabelValue] | None = None


class LabelSelector(Closed):
    matchLabels: Labels | None = None
    matchExpressions: list[LabelRequirement] | None = None


class FieldRequirement(Closed):
    key: Literal["metadata.name"]
    operator: Literal["In", "NotIn"]
    values: Annotated[list[Subdomain], Field(min_length=1, max_length=1)]


class NodeSelectorTerm(Closed):
    matchExpressions: list[LabelRequirement] | None = None
    matchFields: list[FieldRequirement] | None = None


class RequiredNodes(Closed):
    nodeSelectorTerms: Annotated[list[NodeSelectorTerm], Field(min_length=1)]


class PreferredNodes(Closed):
    weight: Weight
    preference: NodeSelectorTerm


class NodeAffinity(Closed):
    requiredDuringSchedulingIgnoredDuringExecution: RequiredNodes | None = None
    preferredDuringSchedulingIgnoredDuringExecution: list[PreferredNodes] | None = None


class PodAffinityTerm(Closed):
    labelSelector: LabelSelector | None = None
    namespaceSelector: LabelSelector | None = None
    namespaces: list[Subdomain] | None = None
    topologyKey: LabelKey


class WeightedPodAffinityTerm(Closed):
    weight: Weight
    podAffinityTerm: PodAffinityTerm


class PodAffinity(Closed):
    requiredDuringSchedulingIgnoredDuringExecution: list[PodAffinityTerm] | None = None
    preferredDuringSchedulingIgnoredDuringExecution: list[WeightedPodAffinityTerm] | None = None


class Affinity(Closed):
    nodeAffinity: NodeAffinity | None = None
    podAffinity: PodAffinity | None = None
    podAntiAffinity: PodAffinity | None = None


class Toleration(Closed):
    key: LabelKey | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    tolerationSeconds: Count | None = None


class TopologySpreadConstraint(Closed):
    maxSkew: Skew
    topologyKey: LabelKey
    whenUnsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    labelSelector: LabelSelector | None = None
    minDomains: Skew | None = None
    nodeAffinityPolicy: Literal["Honor", "Ignore"] | None = None
    nodeTaintsPolicy: Literal["Honor", "Ignore"] | None = None
    matchLabelKeys: list[LabelKey] | None = None


class Resources(Closed):
    """Amounts by resource. Every other resource than CPUs and bytes is counted in whole ones."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"propertyNames": {"pattern": QUALIFIED_NAME}})

    __pydantic_extra__: dict[str, CountQuantity | Count] = Field(init=False)
    cpu: CpuQuantity | Cpus | None = None
    memory: BytesQuantity | Bytes | None = None
    ephemeral_storage: Annotated[BytesQuantity | Bytes | None, Field(alias="ephemeral-storage")] = None


class ResourceRequirements(Closed):
    limits: Resources | None = None
    requests: Resources | None = None


class KeySelector(Closed):
    name: Subdomain
    key: DataKey
    optional: bool | None = None


# What a variable can be of its pod: validEnvDownwardAPIFieldPathExpressions in pkg/apis/core/validation of Kubernetes.
FIELD_PATH = (
    r"^(metadata\.(name|namespace|uid|(labels|annotations)\['[A-Za-z0-9_./-]+'\])"
    r"|spec\.(nodeName|serviceAccountName)|status\.(hostIP|hostIPs|podIP|podIPs))$"
)


class FieldSelector(Closed):
    fieldPath: Annotated[
        str, text(FIELD_PATH, "a field of the pod that a variable can have, such as status.podIP or metadata.name")
    ]


class ResourceFieldSelector(Closed):
    """What the container may take or asks for, such as `limits.memory`."""

    resource: Annotated[
        str,
        text(
            r"^(limits|requests)\.[a-z0-9./-]+$",
            "limits. or requests. and the name of a resource, such as limits.memory",
            longest=253,
        ),
    ]
    divisor: CountQuantity | Count | None = None
    containerName: DnsLabel | None = None


class EnvVarSource(Closed):
    model_config = exactly_one("secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef")

    secretKeyRef: KeySelector | None = None
    configMapKeyRef: KeySelector | None = None
    fieldRef: FieldSelector | None = None
    resourceFieldRef: ResourceFieldSelector | None = None


class EnvVar(Closed):
    model_config = exactly_one("value", "valueFrom")

    value: str | None = None
    valueFrom: EnvVarSource | None = None


class SeccompProfile(Closed):
    type: Literal["RuntimeDefault", "Localhost", "Unconfined"]
    localhostProfile: str | None = None


class PodSecurityContext(Closed):
    runAsNonRoot: bool | None = None
    runAsUser: Id | None = None
    runAsGroup: Id | None = None
    fsGroup: Id | None = None
    fsGroupChangePolicy: Literal["OnRootMismatch", "Always"] | None = None
    supplementalGroups: list[Id] | None = None
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
    runAsUser: Id | None = None
    runAsGroup: Id | None = None
    seccompProfile: SeccompProfile | None = None


Cidr = Annotated[str, text(r"^[0-9a-fA-F.:]+/[0-9]{1,3}$", "a range of addresses, such as 10.0.0.0/8")]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
PortName = Annotated[
    str,
    text(
        r"^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$",
        "the name of a port: small letters, digits and - (at most 15 characters), such as http",
    ),
]


class IpBlock(Closed):
    cidr: Cidr
    except_: Annotated[list[Cidr] | None, Field(alias="except")] = None


class NetworkPolicyPeer(Closed):
    """Who is at the other end: at least one key, since Kubernetes refuses a peer that names nobody."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    podSelector: LabelSelector | None = None
    namespaceSelector: LabelSelector | None = None
    ipBlock: IpBlock | None = None
    """Addresses; alone, without a selector."""


class NetworkPolicyPort(Closed):
    port: PortNumber | PortName | None = None
    endPort: PortNumber | None = None
    protocol: Literal["TCP", "UDP", "SCTP"] | None = None


class NetworkPolicyEgressRule(Closed):
    to: list[NetworkPolicyPeer] | None = None
    ports: list[NetworkPolicyPort] | None = None
