"""The scripts that the chart's pods run, as modules."""

from __future__ import annotations

import importlib.util
import re
import sys
from types import ModuleType

from generator.redaction import for_chart
from tests.support.paths import ROOT


def module(name: str) -> ModuleType:
    """One of the chart's files of code."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "chart" / "files" / f"{name}.py")
    assert spec and spec.loader
    loaded = sys.modules[name] = importlib.util.module_from_spec(spec)  # there, where dataclasses look for it
    spec.loader.exec_module(loaded)
    return loaded


def chart_script(name: str) -> ModuleType:
    """`helm_test` or `prefetch`, which has been told what secrets look like."""
    loaded = module(name)
    loaded._hidden[:] = [re.compile(pattern) for pattern in for_chart()["hidden"]]
    return loaded
