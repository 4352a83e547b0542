"""Prints what each target was given, and how long that took; a long run (tools/long_runs) keeps it."""

from __future__ import annotations

import pytest

from tests.support.long_run import keep_figures


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = [
        (report.nodeid.rpartition("::")[2].removeprefix("test_"), figures)
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, figures in report.user_properties
        if name == "fuzz"
    ]
    if rows:
        terminalreporter.section("fuzz targets")
        terminalreporter.write_line(f"{'target':<60} {'inputs':>8} {'ok':>8} {'refused':>8} {'seconds':>8}")
    for name, figures in sorted(rows):
        numbers = "".join(f" {figures[key]:>8}" for key in ("inputs", "ok", "refused"))
        terminalreporter.write_line(f"{name:<60}{numbers} {figures['seconds']:>8.1f}")
    keep_figures({name: {**each, "seconds": round(each["seconds"])} for name, each in rows})
