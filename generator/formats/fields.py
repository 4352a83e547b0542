"""What every file format here shares: closed pydantic models, and the names that Kubernetes and Ray accept."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from generator.formats.bounds import EXACT
from generator.formats.texts import text


class Closed(BaseModel):
    """A mapping whose keys are all known: an unknown one is an error, never ignored."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )


Text = Annotated[str, Field(min_length=1)]
_ENDS = "a letter or digit at both ends"
# A family names a ConfigMap (`<family>-family-config`) and a volume (`family-<family>`, at most 63 characters). An app
# names a ConfigMap (`<name>-app-files`), a volume (`app-<name>`) and Ray's application; a URL path segment too.
_NAME = text(
    r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$",
    f"a name of small letters, digits and - (at most 40 characters, {_ENDS}), such as falcon3",
)
FamilyName = Annotated[str, _NAME]
AppName = Annotated[str, _NAME]
EnvironmentName = Annotated[str, _NAME]
# A key of a ConfigMap that is also a file's name.
FileName = Annotated[
    str,
    text(
        r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$",
        "the name of a file: letters, digits, dots, _ and - (at most 253 characters), such as app.py",
    ),
]
# A model id is a file in a ConfigMap, a URL path segment, and what clients ask for where no other name is said.
ModelId = Annotated[
    str,
    text(
        r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$",
        f"a name of small letters, digits, dots, _ and - (at most 63 characters, {_ENDS}), such as falcon3-1b-instruct",
    ),
]
# What clients name a model, and Ray's `model_id`: its deployment is named so, "/" and "." replaced. Ray splits LoRA
# requests at ':' (ray/llm/_internal/common/utils/lora_utils.py:46), no name has '#' (ray/serve/deployment.py:143).
ServedModelName = Annotated[
    str,
    text(
        r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$",
        "what clients name the model: letters, digits, dots, _, - and / between them, such as Qwen/Qwen2.5-7B-Instruct",
        longest=128,
    ),
]
# A worker group is a Kubernetes label value, part of a pod's name and a custom Ray resource.
WorkerGroupName = Annotated[
    str,
    text(
        r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$",
        "a name of small letters, digits and - (at most 40 characters, a letter first, no - last), such as l4-workers",
    ),
]
# A quantity of CPUs: whole ones, a part of one, or thousandths (500m). Kubernetes counts no finer.
CpuQuantity = Annotated[
    str,
    text(
        r"^([0-9]{1,4}(\.[0-9]{1,3})?|[0-9]{1,7}m)$", "a number of CPUs, such as 4, 0.5 or 500m; none is finer than 1m"
    ),
]
# A quantity of bytes, such as 24Gi. No `m`: 512m would be half a byte, and Kubernetes takes it for one.
BytesQuantity = Annotated[
    str,
    text(
        r"^([0-9]{1,18}|[0-9]{1,9}(\.[0-9]{1,9})?(k|Ki|M|Mi|G|Gi|T|Ti|P|Pi))$",
        "bytes: a number with Ki, Mi, Gi, Ti, Pi, k, M, G, T or P behind it, such as 24Gi",
    ),
]
# A quantity of anything else, which is counted in whole ones.
CountQuantity = Annotated[str, text(r"^[0-9]{1,9}(k|Ki|M|Mi|G|Gi|T|Ti)?$", "a whole number, such as 8")]
_SUBDOMAIN = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
_OBJECT = f"the name of an object: small letters, digits, - and dots ({_ENDS}), such as hf-token"
# The name of an object, such as a Secret or a claim.
Subdomain = Annotated[str, text(rf"^{_SUBDOMAIN}$", _OBJECT, longest=253)]
# The same, or nothing.
ObjectName = Annotated[str, text(rf"^({_SUBDOMAIN})?$", f"empty, or {_OBJECT}", longest=253)]
# The name of a volume, of a container or of a namespace.
_LABEL = "small letters, digits and - (at most 63 characters, a letter or digit at both ends), such as ai-models"
DnsLabel = Annotated[str, text(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", f"a name of {_LABEL}")]
OptionalDnsLabel = Annotated[str, text(r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$", f"empty, or a name of {_LABEL}")]
# Memory of a node: whole bytes, or with a unit from kilo to tera.
MemoryQuantity = Annotated[
    str,
    text(
        r"^[0-9]{1,18}(\.[0-9]{1,9})?(k|Ki|M|Mi|G|Gi|T|Ti)?$",
        "bytes: a number with Ki, Mi, Gi, Ti, k, M, G or T behind it, such as 64Gi",
    ),
]
PositiveInt = Annotated[int, Field(ge=1, le=EXACT)]

_QUALIFIED = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_PART = f"letters, digits, -, _ and dots (at most 63 characters, {_ENDS})"
# The key of a label or of an annotation: a name, or a domain's, `<domain>/<name>`.
QUALIFIED_NAME = rf"^({_SUBDOMAIN}/)?{_QUALIFIED}$"
LabelKey = Annotated[
    str,
    text(
        QUALIFIED_NAME, f"a key of Kubernetes: {_PART}, alone or behind a domain, such as example.com/team", longest=317
    ),
]
LabelValue = Annotated[str, text(rf"^({_QUALIFIED})?$", f"empty, or {_PART}")]
# Kubernetes' name of a device, which has a domain: nvidia.com/gpu.
DeviceName = Annotated[
    str,
    text(rf"^{_SUBDOMAIN}/{_QUALIFIED}$", "the name of a device with its domain, such as nvidia.com/gpu", longest=317),
]
# The name of an environment variable, as every supported Kubernetes takes it.
EnvName = Annotated[
    str,
    text(
        r"^[A-Za-z_.-][A-Za-z0-9_.-]*$",
        "the name of a variable: letters, digits, _, - and dots, no digit first, such as LOG_LEVEL",
        longest=253,
    ),
]
# A key of a Secret or of a ConfigMap. It is a file's name where it is mounted, so it is neither `.` nor `..`.
DataKey = Annotated[
    str,
    text(
        r"^\.?[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        "a key of a Secret or ConfigMap: letters, digits, dots, _ and -, such as token",
        longest=253,
    ),
]
_STEP = r"\.*[^/:.\s][^/:\s]*"
_STEPS = "without spaces, colons and steps that are empty, . or .."
# An absolute path without `.`, `..` and empty steps. A mount has no `:` in its path.
AbsolutePath = Annotated[
    str, text(rf"^(/{_STEP})+$", f"an absolute path {_STEPS}, no / last, such as /data/models", longest=4096)
]
HostFolder = Annotated[
    str, text(rf"^(/|(/{_STEP})+/?)$", f"the absolute path of a folder {_STEPS}, such as /var/lib/models", longest=4096)
]
OptionalPath = Annotated[
    str, text(rf"^(/{_STEP})*$", f"empty, or an absolute path {_STEPS}, no / last, such as /mnt/models", longest=4096)
]
MountPath = Annotated[str, text(rf"^(/{_STEP})+/?$", f"an absolute path {_STEPS}, such as /data", longest=4096)]
RelativePath = Annotated[
    str, text(rf"^{_STEP}(/{_STEP})*$", f"a relative path {_STEPS}, such as certs/ca.crt", longest=4096)
]
