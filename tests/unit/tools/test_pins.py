"""Versions that are written in two places, because two programs read them, are the same in both."""

from __future__ import annotations

import re

import pytest

from tests.support.paths import ROOT

TOOLS = ROOT / "tools"
VERSIONS = dict(re.findall(r'^(\w+)="?([^"\n]+)"?$', (TOOLS / "versions.env").read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("folder", "module", "version"),
    [
        ("kubernetes", "k8s.io/kubernetes", VERSIONS["KUBERNETES_VERSION"]),
        ("kuberay", "github.com/ray-project/kuberay/ray-operator", VERSIONS["KUBERAY_OPERATOR_VERSION"]),
    ],
)
def test_go_modules_pin_the_versions_of_the_tests(folder: str, module: str, version: str) -> None:
    assert f"{module} {version}\n" in (TOOLS / "go" / folder / "go.mod").read_text()
