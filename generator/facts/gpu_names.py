"""What others call GPU types: names, node labels and machines (`data/gpu_names.yaml`)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.facts.files import read_data
from generator.facts.gpus import Gpu, gpus

_MIG = re.compile(r"^nvidia\.com/mig-([0-9]g\.[0-9]{1,3}gb)$")
_MEMORY = re.compile(r"^([0-9]{1,4})gi?b?$")


def gpus_named(name: str) -> tuple[str, ...]:
    """The types that have this name: `nvidia-l4`, `NVIDIA-A100-SXM4-80GB`, `H100`. Several where it fits them alike."""
    if known := read_data("gpu_names.yaml")["names"].get(name.lower().strip()):
        return (known["gpu"],)
    words = re.split(r"[^a-z0-9]+", name.lower())
    memory = next((float(found[1]) for word in words if (found := _MEMORY.match(word))), None)
    fitting: dict[str, int] = {}
    for gpu in gpus().values():
        own = _words(gpu)
        if not gpu.mig and own <= set(words) and memory in (None, gpu.label_gb):
            fitting[gpu.name] = len(own)
    most = max(fitting.values(), default=0)  # H100-PCIe says more than H100
    return tuple(each for each, count in fitting.items() if count == most)


def gpus_of_nodes(labels: Mapping[str, str]) -> tuple[str, ...]:
    """The types that nodes with these labels may have; none where no label tells."""
    table = read_data("gpu_names.yaml")
    for label in table["labels"]:
        if label in labels and (named := gpus_named(str(labels[label]))):
            return named
    for label in table["instanceLabels"]:
        if found := _of_machine(str(labels.get(label, "")), table["machines"]):
            return (found,)
    return ()


def slices_named(resource: str, of: tuple[str, ...]) -> tuple[str, ...]:
    """The MIG types that Kubernetes calls so (nvidia.com/mig-3g.40gb), of these GPUs where they are known."""
    found = _MIG.match(resource)
    types = [gpu.name for gpu in gpus().values() if found and gpu.mig == found[1]]
    return tuple(name for name in types if not of or any(name.startswith(f"{each}-") for each in of))


def _words(gpu: Gpu) -> set[str]:
    """`h100`, `pcie` of H100-PCIe-80GB: the type's name without its memory."""
    return {word for word in gpu.name.lower().split("-") if not _MEMORY.match(word)}


def _of_machine(machine: str, table: Mapping[str, Mapping[str, str]]) -> str | None:
    beginning = machine.partition(".")[0]
    names = (beginning, "-".join(beginning.split("-")[:2]))
    return next((table[name]["gpu"] for name in names if name in table), None)
