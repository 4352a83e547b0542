"""What manifests of any form say, in one form: models, apps and pools, and what is told of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from generator.documents.merge import JsonObject
from generator.errors import cut, without_long_words
from generator.redaction import redact_shapes


class Line(NamedTuple):
    """One line of the report."""

    where: str
    what: str
    why: str = ""


def _line(where: str, what: str, why: str) -> Line:
    """Lines quote files of strangers."""
    return Line(*(without_long_words(redact_shapes(each)) for each in (where, what, why)))


@dataclass(kw_only=True)
class FoundModel:
    model_id: str
    source: str
    """Hub id, bucket or path, as its engine was told."""
    where: str
    family: str | None = None
    """As the manifests call it; None: they do not."""
    pool: str | None = None
    """The pool that it named; None: any."""
    accelerator: str = ""
    """The type of GPU that it asked for, in its form's own word."""
    replicas: tuple[int, int] | None = None
    """At the least and at the most."""
    context: int | None = None
    sequences: int | None = None
    trusts_code: bool = False
    """Whether code of the model's repository ran."""
    llm_config: JsonObject = field(default_factory=dict)
    """The rest, in Ray's words."""


@dataclass(kw_only=True)
class FoundApp:
    name: str
    where: str
    service: JsonObject
    """As an environment says it below `apps`, but for its pool."""
    pool: str | None = None


@dataclass(kw_only=True)
class FoundPool:
    name: str
    where: str
    gpus: int = 0
    """Of one node; 0: a pool of CPUs."""
    gpu: str | None = None
    """Its type; None: nothing says it."""
    said: str = "by the labels of its nodes"
    """How its type is known."""
    candidates: tuple[str, ...] = ()
    """Types that it may be, where what is said fits several."""
    nodes: int = 1
    words: JsonObject = field(default_factory=dict)
    """The rest, as an environment says it of a pool."""


@dataclass(kw_only=True)
class Findings:
    """What the readers of all forms put together."""

    models: list[FoundModel] = field(default_factory=list)
    apps: list[FoundApp] = field(default_factory=list)
    pools: dict[str, FoundPool] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    """Ray's custom resources, and the pool whose workers have them."""
    config_maps: set[str] = field(default_factory=set)
    """Those of which a file is a model or an app's code."""
    routed: str | None = None
    """What comes before a model's id in the route of each."""
    chart: JsonObject = field(default_factory=dict)
    """Values of the chart."""
    namespaces: dict[str, None] = field(default_factory=dict)
    """In the order in which they were found, as are Ray's versions."""
    rays: dict[str, None] = field(default_factory=dict)
    taken: list[Line] = field(default_factory=list)
    changed: list[Line] = field(default_factory=list)
    left_out: list[Line] = field(default_factory=list)
    models_left_out: list[str] = field(default_factory=list)
    """Whole models among them: their ids, or where each is of which nothing says one."""

    def take(self, where: str, what: str, why: str = "") -> None:
        self.taken.append(_line(where, what, why))

    def change(self, where: str, what: str, why: str) -> None:
        self.changed.append(_line(where, what, why))

    def leave_out(self, where: str, what: str, why: str) -> None:
        self.left_out.append(_line(where, what, why))

    def leave_out_model(self, name: str, where: str, what: str, why: str) -> None:
        """Tell of a whole model, which the report also counts."""
        self.leave_out(where, what, why)
        self.models_left_out.append(cut(without_long_words(redact_shapes(name))))

    def leave_out_unread(self, where: str, data: Mapping[str, Any], read: Collection[str]) -> None:
        """Tell every key that says something and is none of those that are read."""
        why = "import does not read it: where it matters, say it in the chart's words"
        for key, value in data.items():
            if key not in read and value not in (None, "", False, {}, []):
                self.leave_out(where, cut(str(key)), why)

    def gpu_pools(self) -> Iterator[FoundPool]:
        return (pool for pool in self.pools.values() if pool.gpus)
