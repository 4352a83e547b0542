"""Values that another version of the generator wrote."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from generator import __version__
from tests.chart.rendering import CHART, MINIMAL, Render, parse


def test_the_chart_and_the_generator_have_one_version() -> None:
    assert parse((CHART / "Chart.yaml").read_text())["version"] == __version__


@pytest.mark.parametrize("version", ["0.1.0", "0.3.0", "1.0.0"])
def test_values_that_it_does_not_read_are_refused_with_the_way_out(
    helm_template: Callable[..., subprocess.CompletedProcess[str]], version: str
) -> None:
    done = helm_template([MINIMAL, {"generatorVersion": version}])

    assert done.returncode != 0 and "at '/generatorVersion'" in done.stderr
    assert "whose values this chart reads: generate them again" in done.stderr
    assert "or take the chart of the version that wrote them" in done.stderr


def test_values_that_it_reads_render_the_same(render_with: Render) -> None:
    texts = {render_with({"generatorVersion": version}).text for version in ("", __version__, "0.2.99")}
    assert len(texts) == 1
