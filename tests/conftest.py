"""Which tiers run here, and which of them in several processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tiers import TIERS, is_named, is_parallel


def _asked(config: pytest.Config) -> list[Path]:
    """The files and folders of the command line, or else testpaths."""
    return [Path(config.invocation_params.dir, each.split("::")[0]).resolve() for each in config.args]


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Before pytest-xdist, where it is installed, reads how many processes there shall be."""
    is_worker = hasattr(config, "workerinput")  # one of these processes, which shall start none itself
    if not is_worker and getattr(config.option, "numprocesses", 0) is None and is_parallel(_asked(config)):
        config.option.numprocesses = "logical"
        config.option.maxprocesses = config.option.maxprocesses or 8
        if config.option.dist == "no":
            config.option.dist = "loadgroup"  # and what shares a costly fixture together


class Unavailable(pytest.Collector):
    """A tier that cannot run in this Python: skipped with its reason, and a failure where it was named."""

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        tier = TIERS[self.path]
        if is_named(tier.folder, _asked(self.config)):
            pytest.fail(tier.missing(), pytrace=False)
        pytest.skip(tier.missing(), allow_module_level=True)


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if path in TIERS and TIERS[path].missing():
        return Unavailable.from_parent(parent, name=path.name, path=path)
    return None
