"""What every file format here shares: closed pydantic models, and the names that Kubernetes and Ray accept."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


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
# A Kubernetes quantity, such as 500m, 24Gi or 2.
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?$")]
# The name of a Secret, ServiceAccount or claim, or nothing.
ObjectName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$")]
# The name of a volume.
DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
# Memory of a node: whole bytes, or with a unit from kilo to tera.
MemoryQuantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(k|Ki|M|Mi|G|Gi|T|Ti)?$")]
PositiveInt = Annotated[int, Field(ge=1)]
NaturalInt = Annotated[int, Field(ge=0)]
