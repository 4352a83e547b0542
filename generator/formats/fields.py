"""What every file format here shares: closed pydantic models, and the names that Kubernetes and Ray accept."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from generator.formats.bounds import EXACT


class Closed(BaseModel):
    """A mapping whose keys are all known: an unknown one is an error, never ignored."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )


# A family names a ConfigMap (`<family>-family-config`) and a volume (`family-<family>`, at most 63 characters).
FamilyName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
# An app names a ConfigMap (`<name>-app-files`), a volume (`app-<name>`) and Ray's application; a URL path segment too.
AppName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
# A key of a ConfigMap that is also a file's name.
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$")]
# A model id is a file in a ConfigMap, a URL path segment and Ray's deployment name. Ray splits LoRA requests at ':'.
ModelId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$")]
# A worker group is a Kubernetes label value, part of a pod's name and a custom Ray resource.
WorkerGroupName = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")]
# A quantity of CPUs: whole ones, a part of one, or thousandths (500m). Kubernetes counts no finer.
CpuQuantity = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,4}(\.[0-9]{1,3})?|[0-9]{1,7}m)$")]
# A quantity of bytes, such as 24Gi. No `m`: 512m would be half a byte, and Kubernetes takes it for one.
BytesQuantity = Annotated[
    str, StringConstraints(pattern=r"^([0-9]{1,18}|[0-9]{1,9}(\.[0-9]{1,9})?(k|Ki|M|Mi|G|Gi|T|Ti|P|Pi))$")
]
# A quantity of anything else, which is counted in whole ones.
CountQuantity = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}(k|Ki|M|Mi|G|Gi|T|Ti)?$")]
_SUBDOMAIN = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
# The name of an object, such as a Secret or a claim.
Subdomain = Annotated[str, StringConstraints(pattern=rf"^{_SUBDOMAIN}$", max_length=253)]
# The same, or nothing.
ObjectName = Annotated[str, StringConstraints(pattern=rf"^({_SUBDOMAIN})?$", max_length=253)]
# The name of a volume.
DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
# Memory of a node: whole bytes, or with a unit from kilo to tera.
MemoryQuantity = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}(\.[0-9]{1,9})?(k|Ki|M|Mi|G|Gi|T|Ti)?$")]
PositiveInt = Annotated[int, Field(ge=1, le=EXACT)]

_QUALIFIED = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
# The key of a label or of an annotation: a name, or a domain's, `<domain>/<name>`.
QUALIFIED_NAME = rf"^({_SUBDOMAIN}/)?{_QUALIFIED}$"
LabelKey = Annotated[str, StringConstraints(pattern=QUALIFIED_NAME, max_length=317)]
LabelValue = Annotated[str, StringConstraints(pattern=rf"^({_QUALIFIED})?$")]
# Kubernetes' name of a device, which has a domain: nvidia.com/gpu.
DeviceName = Annotated[str, StringConstraints(pattern=rf"^{_SUBDOMAIN}/{_QUALIFIED}$", max_length=317)]
# The name of an environment variable, as every supported Kubernetes takes it.
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_.-][A-Za-z0-9_.-]*$", max_length=253)]
# A key of a Secret or of a ConfigMap. It is a file's name where it is mounted, so it is neither `.` nor `..`.
DataKey = Annotated[str, StringConstraints(pattern=r"^\.?[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=253)]
_STEP = r"\.*[^/:.\s][^/:\s]*"
# An absolute path without `.`, `..` and empty steps. A mount has no `:` in its path.
AbsolutePath = Annotated[str, StringConstraints(pattern=rf"^(/{_STEP})+$", max_length=4096)]
HostFolder = Annotated[str, StringConstraints(pattern=rf"^(/|(/{_STEP})+/?)$", max_length=4096)]
OptionalPath = Annotated[str, StringConstraints(pattern=rf"^(/{_STEP})*$", max_length=4096)]
MountPath = Annotated[str, StringConstraints(pattern=rf"^(/{_STEP})+/?$", max_length=4096)]
RelativePath = Annotated[str, StringConstraints(pattern=rf"^{_STEP}(/{_STEP})*$", max_length=4096)]
