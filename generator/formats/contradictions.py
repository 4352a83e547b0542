"""Values that are each right and contradict each other: nothing runs with them, and no schema can say it.

They are told of a document whose words are right otherwise. Only what is given is compared: a file may be a part, and
another one, or a default, may say the rest. The chart's checks (`chart/templates/checks`) see all of it, and say the
same of what is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from generator.facts.orders import orders
from generator.formats.container_rules import added_containers, mount_options, mounts, refused_kinds
from generator.formats.explain import Fault
from generator.formats.pod_rules import (
    Path,
    addresses,
    egress_ports,
    label_requirements,
    reserved_names,
    resource_names,
    root_user,
    spread_constraints,
    token_folder,
    tolerations,
)

# Below them is whatever people's own code wants.
_FREE = {"args", "user_config", "files"}
# Below them Kubernetes' words are those of other objects than pods.
_OTHERS = {"extraObjects", "volumeClaimTemplate"}


def contradictions(data: Any, path: Path = ()) -> Iterator[Fault]:
    """Every fault of the document, wherever a mapping of such a name stands in it."""
    if isinstance(data, list):
        for index, item in enumerate(data):
            yield from contradictions(item, (*path, index))
    if not isinstance(data, dict):
        return
    for key, value in data.items():
        if key in _FREE:
            continue
        below = (*path, key)
        for check in _CHECKS.get(key, ()):
            yield from check(value, below)
        if key not in _OTHERS:
            yield from contradictions(value, below)


def _out_of_order(value: Any, path: Path) -> Iterator[Fault]:
    if not isinstance(value, dict):
        return
    rules = orders()[str(path[-1])]
    for order in rules.orders:
        small, large = _number(value.get(order.small)), _number(value.get(order.large))
        read = not order.where or value.get(order.where)
        if read and small is not None and large is not None and small > large:
            what = f"'{order.small}' is {small}, and '{order.large}' beside it is {large}"
            yield Fault(what, (*path, order.small), f"Raise {order.large}, or lower {order.small}.")
    for need in rules.needs:
        if value.get(need.key) is True and value.get(need.other) is False:
            what = f"'{need.key}' is on, and '{need.other}', which it needs, is off"
            yield Fault(what, (*path, need.key), f"Set {need.other} to true, or remove {need.key}.")


def _number(value: Any) -> int | float | None:
    """The number, or None where it is none."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


_CHECKS: dict[str, tuple[Callable[[Any, Path], Iterator[Fault]], ...]] = {
    "autoscaling_config": (_out_of_order,),
    "engine_kwargs": (_out_of_order,),
    "limits": (resource_names,),
    "requests": (resource_names,),
    "tolerations": (tolerations,),
    "topologySpreadConstraints": (spread_constraints,),
    "matchExpressions": (label_requirements,),
    "podSecurityContext": (root_user,),
    "securityContext": (root_user,),
    "volumes": (token_folder, mount_options),
    "volumeMounts": (token_folder, mounts),
    "extraContainers": (added_containers,),
    "initContainers": (added_containers,),
    "podLabels": (reserved_names,),
    "podAnnotations": (reserved_names,),
    "commonAnnotations": (reserved_names,),
    "ipBlock": (addresses,),
    "egress": (egress_ports,),
    "extraObjects": (refused_kinds,),
}
"""By the name of the key."""
