"""Volumes of pods, as Kubernetes has them (v1.34), and where they are mounted.

A source that Kubernetes still takes and no kubelet mounts any more is left out, since its pods would never start:
cephfs and rbd (until 1.30), glusterfs (1.25), flocker, quobyte and storageos (1.24), scaleIO, photonPersistentDisk,
and gitRepo, which is off unless the kubelet is told.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from generator.formats.bounds import Count
from generator.formats.fields import (
    BytesQuantity,
    Closed,
    DataKey,
    DnsLabel,
    HostFolder,
    LabelKey,
    LabelValue,
    MountPath,
    RelativePath,
    Subdomain,
    Text,
)
from generator.formats.kubernetes import LabelSelector, ResourceFieldSelector, exactly_one
from generator.formats.texts import text


class EmptyDir(Closed):
    medium: Literal["", "Memory"] | None = None
    sizeLimit: BytesQuantity | None = None


class PersistentVolumeClaim(Closed):
    claimName: Subdomain
    readOnly: bool | None = None


class HostPath(Closed):
    path: HostFolder
    type: (
        Literal["", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"]
        | None
    ) = None


# Who may read a file: 0 to 511, in YAML also octal (0440).
FileMode = Annotated[int, Field(ge=0, le=0o777)]


class KeyToPath(Closed):
    key: DataKey
    path: RelativePath
    mode: FileMode | None = None


class SecretVolume(Closed):
    secretName: Subdomain
    items: list[KeyToPath] | None = None
    defaultMode: FileMode | None = None
    optional: bool | None = None


class ConfigMapVolume(Closed):
    name: Subdomain
    items: list[KeyToPath] | None = None
    defaultMode: FileMode | None = None
    optional: bool | None = None


class ProjectedObject(Closed):
    """A Secret or a ConfigMap, one of several in a volume."""

    name: Subdomain
    items: list[KeyToPath] | None = None
    optional: bool | None = None


class VolumeFieldSelector(Closed):
    fieldPath: Annotated[
        str,
        text(
            r"^metadata\.(name|namespace|uid|(labels|annotations)(\['[A-Za-z0-9_./-]+'\])?)$",
            "a field of the pod that a file can have, such as metadata.labels or metadata.name",
        ),
    ]


class DownwardApiFile(Closed):
    model_config = exactly_one("fieldRef", "resourceFieldRef")

    path: RelativePath
    mode: FileMode | None = None
    fieldRef: VolumeFieldSelector | None = None
    resourceFieldRef: ResourceFieldSelector | None = None


class ProjectedDownwardApi(Closed):
    items: list[DownwardApiFile]


class DownwardApiVolume(ProjectedDownwardApi):
    defaultMode: FileMode | None = None


class ProjectedToken(Closed):
    """A token of the pod's ServiceAccount for somebody else, such as a vault."""

    audience: Annotated[str, Field(min_length=1)]
    """Who takes it. Without one it is for Kubernetes' own API, of which no container that runs Ray has a token."""
    path: RelativePath
    expirationSeconds: Annotated[int, Field(ge=600, le=2**32)] | None = None


class TrustBundle(Closed):
    """Certificates that the cluster trusts (ClusterTrustBundle, beta in 1.33)."""

    path: RelativePath
    name: Text | None = None
    signerName: Text | None = None
    labelSelector: LabelSelector | None = None
    optional: bool | None = None


class ProjectedSource(Closed):
    model_config = exactly_one("secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle")

    secret: ProjectedObject | None = None
    configMap: ProjectedObject | None = None
    downwardAPI: ProjectedDownwardApi | None = None
    serviceAccountToken: ProjectedToken | None = None
    clusterTrustBundle: TrustBundle | None = None


class ProjectedVolume(Closed):
    sources: Annotated[list[ProjectedSource], Field(min_length=1)]
    defaultMode: FileMode | None = None


class NfsVolume(Closed):
    server: Annotated[str, text(r"^[^\s/]+$", "a host, such as nfs.example.com")]
    path: Annotated[str, text(r"^/\S*$", "an absolute path without spaces, such as /exports/models")]
    readOnly: bool | None = None


class LocalSecret(Closed):
    name: Subdomain


class CsiVolume(Closed):
    driver: Annotated[
        str,
        text(
            r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$",
            "the name of a CSI driver: letters, digits, - and dots (at most 63 characters), such as efs.csi.aws.com",
        ),
    ]
    readOnly: bool | None = None
    fsType: str | None = None
    volumeAttributes: dict[str, str] | None = None
    nodePublishSecretRef: LocalSecret | None = None


class ImageVolume(Closed):
    """What is in an OCI image, read-only (Kubernetes 1.33 on, where the node's runtime can)."""

    reference: Annotated[str, text(r"^[^\s:@/][^\s]*$", "an image, such as registry.example/models/falcon3:1")]
    pullPolicy: Literal["Always", "IfNotPresent", "Never"] | None = None


class StorageAmount(Closed):
    storage: BytesQuantity


class StorageRequest(Closed):
    requests: StorageAmount


AccessMode = Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]


class DataSource(Closed):
    """What a new volume begins with, such as a VolumeSnapshot."""

    kind: Text
    name: Subdomain
    apiGroup: Subdomain | None = None


class ClaimSpec(Closed):
    accessModes: Annotated[list[AccessMode], Field(min_length=1)]
    resources: StorageRequest
    storageClassName: Subdomain | None = None
    volumeAttributesClassName: Subdomain | None = None
    volumeMode: Literal["Filesystem"] | None = None
    selector: LabelSelector | None = None
    dataSource: DataSource | None = None


class ClaimMetadata(Closed):
    labels: dict[LabelKey, LabelValue] | None = None
    annotations: dict[LabelKey, str] | None = None


class ClaimTemplate(Closed):
    metadata: ClaimMetadata | None = None
    spec: ClaimSpec


class EphemeralVolume(Closed):
    """A claim of each pod's own, which goes with the pod."""

    volumeClaimTemplate: ClaimTemplate


class Disk(Closed):
    """What all volumes on a disk of the network have."""

    fsType: str | None = None
    readOnly: bool | None = None


class FibreChannel(Disk):
    lun: Count | None = None
    targetWWNs: list[Text] | None = None
    wwids: list[Text] | None = None


class Iscsi(Disk):
    targetPortal: Text
    iqn: Text
    lun: Count
    portals: list[Text] | None = None
    iscsiInterface: str | None = None
    initiatorName: str | None = None
    chapAuthDiscovery: bool | None = None
    chapAuthSession: bool | None = None
    secretRef: LocalSecret | None = None


class FlexVolume(Disk):
    driver: Text
    options: dict[str, str] | None = None
    secretRef: LocalSecret | None = None


class AwsDisk(Disk):
    volumeID: Text
    partition: Count | None = None


class AzureDisk(Disk):
    diskName: Text
    diskURI: Text
    cachingMode: Literal["None", "ReadOnly", "ReadWrite"] | None = None
    kind: Literal["Shared", "Dedicated", "Managed"] | None = None


class AzureFile(Closed):
    secretName: Subdomain
    shareName: Text
    readOnly: bool | None = None


class CinderDisk(Disk):
    volumeID: Text
    secretRef: LocalSecret | None = None


class GceDisk(Disk):
    pdName: Text
    partition: Count | None = None


class PortworxDisk(Disk):
    volumeID: Text


class VsphereDisk(Closed):
    volumePath: Text
    fsType: str | None = None
    storagePolicyName: str | None = None
    storagePolicyID: str | None = None


VOLUME_SOURCES = (
    "emptyDir",
    "persistentVolumeClaim",
    "hostPath",
    "secret",
    "configMap",
    "downwardAPI",
    "projected",
    "nfs",
    "csi",
    "image",
    "ephemeral",
    "fc",
    "iscsi",
    "flexVolume",
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cinder",
    "gcePersistentDisk",
    "portworxVolume",
    "vsphereVolume",
)


class MountOptions(Closed):
    """How a volume is mounted, beside where."""

    readOnly: bool | None = None
    subPath: RelativePath | None = None
    """A file or folder of the volume in place of all of it. One of a ConfigMap or Secret is never renewed."""
    subPathExpr: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """The same with the container's variables in it: `$(POD_NAME)`."""
    mountPropagation: Literal["None", "HostToContainer", "Bidirectional"] | None = None
    recursiveReadOnly: Literal["Disabled", "IfPossible", "Enabled"] | None = None


class VolumeMount(MountOptions):
    mountPath: MountPath
    name: DnsLabel | None = None
    """The volume, where the key is not its name: one volume may be mounted several times."""


class Volume(MountOptions):
    """One volume and where Ray's container has it, with exactly one source."""

    model_config = exactly_one(*VOLUME_SOURCES)

    mountPath: MountPath | None = None
    """Left out: Ray's container does not have it; `volumeMounts` of others may."""
    emptyDir: EmptyDir | None = None
    persistentVolumeClaim: PersistentVolumeClaim | None = None
    hostPath: HostPath | None = None
    secret: SecretVolume | None = None
    configMap: ConfigMapVolume | None = None
    downwardAPI: DownwardApiVolume | None = None
    projected: ProjectedVolume | None = None
    nfs: NfsVolume | None = None
    csi: CsiVolume | None = None
    image: ImageVolume | None = None
    ephemeral: EphemeralVolume | None = None
    fc: FibreChannel | None = None
    iscsi: Iscsi | None = None
    flexVolume: FlexVolume | None = None
    awsElasticBlockStore: AwsDisk | None = None
    azureDisk: AzureDisk | None = None
    azureFile: AzureFile | None = None
    cinder: CinderDisk | None = None
    gcePersistentDisk: GceDisk | None = None
    portworxVolume: PortworxDisk | None = None
    vsphereVolume: VsphereDisk | None = None
