"""How requests get in from outside: `httpRoute`, `ingress` and `service` of the chart's values.

Field names and meanings are those of the objects that are made: HTTPRoute (gateway.networking.k8s.io/v1), Ingress
(networking.k8s.io/v1) and Service. Which paths there are is the chart's to say, from the models and apps.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from generator.formats.fields import Closed, DnsLabel, ObjectName, Subdomain
from generator.formats.kubernetes import Annotations, Cidr, PortNumber, exactly_one
from generator.formats.texts import text

Hostname = Annotated[
    str,
    text(
        r"^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
        "the name of a host: small letters, digits, - and dots, *. before it for all below, such as models.example.com",
        longest=253,
    ),
]
# Gateway API's Duration (GEP-2257).
Duration = Annotated[
    str,
    text(r"^(([0-9]{1,5}(h|m|s|ms)){1,4})?$", "empty, or a time: numbers with h, m, s or ms behind each, such as 10m"),
]
# No `/`, which would be everything: what is closed is closed by not being said.
ModelPath = Annotated[
    str,
    text(
        r"^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$",
        "a path below the route of a model: / and letters, digits, dots, _ and -, no / last, such as /rerank",
        longest=256,
    ),
]
ModelPaths = Annotated[list[ModelPath], Field(max_length=63)]
HeaderName = Annotated[
    str, text(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "the name of a header, such as X-Tenant", longest=256)
]
Kind = Annotated[str, text(r"^[A-Za-z][A-Za-z0-9-]*$", "the kind of an object, such as Gateway", longest=63)]
LoadBalancerClass = Annotated[
    str,
    text(
        r"^(([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$",
        "empty, or a class of load balancers, such as service.k8s.aws/nlb",
        longest=317,
    ),
]


class ParentRef(Closed):
    """A Gateway that takes the route."""

    name: Subdomain
    namespace: DnsLabel | None = None
    """Of the Gateway; left out: the release's."""
    sectionName: Subdomain | None = None
    """One of its listeners, such as https; left out: all."""
    port: PortNumber | None = None
    group: ObjectName | None = None
    """Left out: gateway.networking.k8s.io."""
    kind: Kind | None = None
    """Left out: Gateway."""


class Timeouts(Closed):
    """Serve itself ends a request after `http_options.request_timeout_s`. Empty: the gateway's own default."""

    request: Duration = "0s"
    """For a whole request; 0s: the gateway ends none."""
    backendRequest: Duration = "0s"
    """For one try of the gateway; 0s: it ends none."""


class Header(Closed):
    name: HeaderName
    value: Annotated[str, Field(min_length=1, max_length=4096)]


class Headers(Closed):
    set: list[Header] | None = None
    add: list[Header] | None = None
    remove: list[HeaderName] | None = None


class ExtensionRef(Closed):
    """An object of the gateway's own, in the release's namespace: a limit of requests, a login."""

    group: ObjectName
    kind: Kind
    name: Subdomain


class MirrorTarget(Closed):
    name: Subdomain
    namespace: DnsLabel | None = None
    port: PortNumber | None = None


class Mirror(Closed):
    backendRef: MirrorTarget
    percent: Annotated[int, Field(ge=0, le=100)] | None = None


class Filter(Closed):
    """What the gateway does with each request, or with its answer."""

    model_config = exactly_one("requestHeaderModifier", "responseHeaderModifier", "requestMirror", "extensionRef")

    type: Literal["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef"]
    requestHeaderModifier: Headers | None = None
    responseHeaderModifier: Headers | None = None
    requestMirror: Mirror | None = None
    extensionRef: ExtensionRef | None = None


class HttpRoute(Closed):
    """A route of the Gateway API to the release. The cluster must have that API and a Gateway."""

    enabled: bool = False
    annotations: Annotations = {}
    parentRefs: Annotated[list[ParentRef], Field(max_length=32)] = []
    """The Gateways that take it. Needed where `enabled`."""
    hostnames: Annotated[list[Hostname], Field(max_length=16)] = []
    """Hosts for which it is; empty: those of the Gateway's listeners."""
    paths: ModelPaths = []
    """Paths below each model's route that get in beside `/v1`."""
    timeouts: Timeouts = Timeouts()
    filters: Annotated[list[Filter], Field(max_length=16)] = []


class IngressTls(Closed):
    secretName: ObjectName = ""
    """A Secret of type kubernetes.io/tls; empty: the ingress controller's own certificate."""
    hosts: list[Hostname] = []
    """Empty: all of `hosts`."""


class Ingress(Closed):
    """An Ingress to the release. The cluster must have an ingress controller."""

    enabled: bool = False
    className: ObjectName = ""
    """Name of an IngressClass; empty: the cluster's default."""
    annotations: Annotations = {}
    hosts: list[Hostname] = []
    """Empty: every host."""
    tls: list[IngressTls] = []
    paths: ModelPaths = []
    """Paths below each model's route that get in beside `/v1`."""


class Service(Closed):
    """The Service `<release>-serve-svc`, which KubeRay makes. Every path of the Serve port is open behind it."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    annotations: Annotations = {}
    loadBalancerClass: LoadBalancerClass = ""
    """Empty: the cluster's default."""
    loadBalancerSourceRanges: list[Cidr] = []
    """Who may connect; empty: everyone."""
    externalTrafficPolicy: Literal["Cluster", "Local"] | None = None
