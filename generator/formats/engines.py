"""Engines that nothing here serves, wherever a catalog, an environment or values name one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from generator.documents.load import KeyPath
from generator.errors import cut
from generator.facts.other_engines import other_engine
from generator.formats.explain import Fault


def other_engines_in(data: Any, path: KeyPath = ()) -> Iterator[Fault]:
    """A fault for each; apps are people's own code, and run what they like."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if (*path, key) == ("apps",):
            continue
        if engine := other_engine(key, value):
            what = f"'{key}' is {cut(value)}: models run on vLLM, and {engine} is not served"
            yield Fault(what, (*path, key), "Remove it. An engine of your own can run as an app (`apps`).")
        yield from other_engines_in(value, (*path, key))
