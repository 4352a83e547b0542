"""Contract tests run inside the Ray release that they speak of, one folder for each: `make contract`."""

import os

import pytest

# Read when ray is imported: no token file in the home of whoever runs the tests, and no report to anyone.
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Where Ray starts itself to build an application: one of its own, whatever else runs on the machine.
os.environ["RAY_ADDRESS"] = "local"


def pytest_configure(config: pytest.Config) -> None:
    # Ray's own use of pydantic is Ray's affair.
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning")
