"""Containers beside Ray's, and what Ray's own takes of Kubernetes (v1.34).

Lists whose entries have a name in Kubernetes are mappings by that name here, so that several values files merge.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from generator.formats.bounds import Count, Seconds
from generator.formats.fields import (
    AbsolutePath,
    Closed,
    DnsLabel,
    EnvName,
    Subdomain,
    Text,
)
from generator.formats.kubernetes import (
    EnvVar,
    PortName,
    PortNumber,
    ResourceRequirements,
    SecurityContext,
    exactly_one,
)
from generator.formats.texts import text
from generator.formats.volumes import VolumeMount


class EnvObject(Closed):
    """A Secret or a ConfigMap, all keys of which are variables."""

    name: Subdomain
    optional: bool | None = None


class EnvFrom(Closed):
    model_config = exactly_one("secretRef", "configMapRef")

    prefix: Annotated[
        str,
        text(
            r"^([A-Za-z_.-][A-Za-z0-9_.-]*)?$",
            "empty, or what the names of variables begin with, such as APP_",
            longest=253,
        ),
    ] = ""
    """What the names of the variables begin with, before the keys."""
    secretRef: EnvObject | None = None
    configMapRef: EnvObject | None = None


class ClaimRequest(Closed):
    request: DnsLabel | None = None
    """One of the claim's requests; left out: all that it has."""


class ContainerResources(ResourceRequirements):
    claims: dict[DnsLabel, ClaimRequest] | None = None
    """Of the pod's `resourceClaims`, by name: devices of dynamic resource allocation."""


class ResourceClaim(Closed):
    """Devices of dynamic resource allocation (Kubernetes 1.34): a claim that is there, or one made for each pod."""

    model_config = exactly_one("resourceClaimName", "resourceClaimTemplateName")

    resourceClaimName: Subdomain | None = None
    resourceClaimTemplateName: Subdomain | None = None


class Exec(Closed):
    command: Annotated[list[str], Field(min_length=1)]


class HttpHeader(Closed):
    name: Text
    value: str


class HttpGet(Closed):
    port: PortNumber | PortName
    path: str | None = None
    host: str | None = None
    scheme: Literal["HTTP", "HTTPS"] | None = None
    httpHeaders: list[HttpHeader] | None = None


class TcpSocket(Closed):
    port: PortNumber | PortName
    host: str | None = None


class Grpc(Closed):
    port: PortNumber
    service: str | None = None


class Sleep(Closed):
    seconds: Seconds


class LifecycleHandler(Closed):
    model_config = exactly_one("exec", "httpGet", "sleep")

    exec: Exec | None = None
    httpGet: HttpGet | None = None
    sleep: Sleep | None = None


class Lifecycle(Closed):
    postStart: LifecycleHandler | None = None
    preStop: LifecycleHandler | None = None


Times = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Probe(Closed):
    model_config = exactly_one("exec", "httpGet", "tcpSocket", "grpc")

    exec: Exec | None = None
    httpGet: HttpGet | None = None
    tcpSocket: TcpSocket | None = None
    grpc: Grpc | None = None
    initialDelaySeconds: Count | None = None
    periodSeconds: Times | None = None
    timeoutSeconds: Times | None = None
    failureThreshold: Times | None = None


class LivenessProbe(Probe):
    terminationGracePeriodSeconds: Times | None = None


class ReadinessProbe(Probe):
    successThreshold: Times | None = None


class ContainerPort(Closed):
    containerPort: PortNumber
    protocol: Literal["TCP", "UDP", "SCTP"] | None = None
    hostPort: PortNumber | None = None


class Container(Closed):
    """A container of one's own in a pod that runs Ray. It has no GPU."""

    image: Annotated[
        str, text(r"^([^\s:@/][^\s]*)?$", "an image as in a pod, such as fluent/fluent-bit:4.1", longest=4096)
    ] = ""
    """As in a pod, with tag or digest. Empty: the image of the pod's Ray container."""
    imagePullPolicy: Literal["Always", "IfNotPresent", "Never"] | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    workingDir: AbsolutePath | None = None
    env: dict[EnvName, str | EnvVar] = {}
    """As `pods.env`, of this container alone."""
    envFrom: dict[DnsLabel, EnvFrom] = {}
    ports: dict[PortName, ContainerPort] = {}
    """By name. All containers of a pod share its address: those of Ray and Serve are taken."""
    resources: ResourceRequirements | None = None
    volumeMounts: dict[DnsLabel, VolumeMount] = {}
    """Volumes of the pod (`volumes`), by name."""
    livenessProbe: LivenessProbe | None = None
    readinessProbe: ReadinessProbe | None = None
    startupProbe: LivenessProbe | None = None
    lifecycle: Lifecycle | None = None
    securityContext: SecurityContext | None = None
    """Over the chart's: no privilege escalation, all capabilities dropped."""
    terminationMessagePolicy: Literal["File", "FallbackToLogsOnError"] | None = None


class InitContainer(Container):
    """A container that ends before Ray's starts, or, with `restartPolicy: Always`, one that stays beside it."""

    restartPolicy: Literal["Always"] | None = None
    """`Always`: it starts before Ray's container, is started again when it ends, and ends after it."""


class HostAlias(Closed):
    ip: Text
    hostnames: Annotated[list[Subdomain], Field(min_length=1)]


class DnsOption(Closed):
    name: Text
    value: str | None = None


class DnsConfig(Closed):
    nameservers: list[Text] | None = None
    searches: list[Text] | None = None
    options: list[DnsOption] | None = None


class ExtraMetadata(Closed):
    """Any text may be a template, so of what else it is the API server tells."""

    name: Text | None = None
    """Left out: the key of the object in the values."""
    namespace: Text | None = None
    """None but the release's, which it is without."""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[Text] | None = None


class ExtraObject(Closed):
    """An object of one's own in the release: a manifest, of which only these keys are the chart's to read."""

    model_config = ConfigDict(extra="allow")

    apiVersion: Text
    kind: Text
    metadata: ExtraMetadata | None = None
