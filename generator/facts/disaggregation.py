"""How prefill hands its cache over to decode, and what both must have alike: `data/disaggregation.yaml`, looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from generator.facts.files import read_data


@dataclass(frozen=True, kw_only=True)
class SideChannel:
    """Ports at which replicas of a half listen for the other one."""

    option: str
    """Of an LLMConfig's `experimental_configs`, the first port."""
    variable: str
    """Of the environment, one port for every replica."""
    first: Mapping[str, int]
    """By half, where nothing is said."""
    ports: int
    """Of each half of a model, where several models have halves."""

    @property
    def most_models(self) -> int:
        return (self.first["decode"] - self.first["prefill"]) // self.ports


@dataclass(frozen=True, kw_only=True)
class Disaggregation:
    connector: str
    """vLLM's KV connector."""
    packages: tuple[str, ...]
    """What the image has for it."""
    roles: Mapping[str, str]
    """By half, vLLM's `kv_role`."""
    cpu_buffer: str
    """vLLM's `kv_buffer_device` of an engine on CPUs."""
    state_layout: Mapping[str, str]
    """Variables of an engine whose model has recurrent layers."""
    side_channel: SideChannel
    alike: Mapping[str, str]
    """By engine argument that both halves must have alike, why."""
    backends: Mapping[str, Mapping[str, str]]
    """For keys and values and for latents, the attention backend by the GPU's generation."""

    def backend(self, compute_capability: float, *, latents: bool) -> str:
        """The attention backend that vLLM takes on such a GPU where none is asked for."""
        known = self.backends["latents" if latents else "keysAndValues"]
        return known.get(str(int(compute_capability)), known["other"])


@cache
def disaggregation() -> Disaggregation:
    row = read_data("disaggregation.yaml")
    return Disaggregation(
        connector=row["connector"],
        packages=tuple(row["packages"]),
        roles=row["roles"],
        cpu_buffer=row["bufferOnCpus"],
        state_layout=row["stateLayout"],
        side_channel=SideChannel(**row["sideChannel"]),
        alike={each["argument"]: each["because"] for each in row["alike"]},
        backends=row["attentionBackends"],
    )
