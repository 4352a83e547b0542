"""Folders import along the data: the contracts of pyproject.toml, as `lint-imports` holds them."""

from __future__ import annotations

import contextlib

import pytest
from importlinter import cli

from tests.support.paths import ROOT


def test_every_import_runs_one_way(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.chdir(ROOT):
        status = cli.lint_imports(config_filename="pyproject.toml", no_cache=True)

    assert status == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out
