"""What an environment says of how a model is served, in words of its own: adapters, the request router, KV offload."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from generator.formats.fields import Closed, MemoryQuantity, PositiveInt, Text
from generator.formats.texts import text

RouterName = Literal["roundRobin", "leastBusy", "prefixAffinity", "sessionAffinity", "kvAware"]
AdapterName = Annotated[
    str,
    text(
        r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$",
        "a name of letters, digits, dots, _ and - (at most 63 characters), such as pirate",
    ),
]


class Adapters(Closed):
    """LoRA adapters of a model. Clients ask for one as `<model>:<adapter>`, wherever it comes from."""

    sources: Annotated[dict[AdapterName, Text], Field(min_length=1)] | None = None
    """By name: a path in the image or in a volume, or a hub id. Every replica loads all of them when it starts."""
    bucket: Text | None = None
    """Or a folder of a bucket (s3://…, gs://…) with a folder for each adapter, named after it. A replica loads one when
    the first request asks for it."""
    maxAtOnce: PositiveInt | None = None
    """Adapters that one step of the engine may mix; more take turns. Default: all `sources`, and at most 4."""
    maxRank: PositiveInt = 16
    """The largest rank that one of them has."""

    @model_validator(mode="after")
    def _from_one_place(self) -> Adapters:
        if (self.sources is None) == (self.bucket is None):
            raise ValueError("needs exactly one of them: sources or bucket")
        return self


class KvOffload(Closed):
    """Memory of the host to which the engine moves cached keys and values that its GPUs have no room for."""

    memory: MemoryQuantity
    """Of one replica."""
    backend: Literal["native", "lmcache"] = "native"
    """vLLM's own connector, or LMCache, which the image must have."""
