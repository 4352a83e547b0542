"""What a pod that holds models writes to its node's disk: `data/disk.yaml`, looked up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from generator.facts.files import read_data


@dataclass(frozen=True, kw_only=True)
class DiskFacts:
    allowance_gib: int
    """Of each worker pod, beside the files of its models."""
    streamed_formats: frozenset[str]
    """Values of `load_format` with which a bucket's weights never lie on the disk."""
    adapter_folder: str
    """Where adapters lie that requests ask for."""
    adapters_of_a_replica: int
    """How many of them, where `lora_config` does not say it."""


@cache
def disk_facts() -> DiskFacts:
    row = read_data("disk.yaml")
    return DiskFacts(
        allowance_gib=row["allowanceGiB"],
        streamed_formats=frozenset(row["streamedFormats"]),
        adapter_folder=row["adapterFolder"],
        adapters_of_a_replica=row["adaptersOfAReplica"],
    )
