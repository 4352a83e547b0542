"""The command line, run in this process, which has imported it once for all tests."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from click.testing import CliRunner

from generator.cli.cli import main
from tests.support.paths import ROOT


def generator(*arguments: object, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """As `python -m generator` run in `folder`, for tests to which a process of its own is not the point.

    An exception that the command line does not answer itself is the test's: no traceback can pass for an answer.
    """
    words = [str(each) for each in arguments]
    collecting = gc.get_threshold()
    with (
        contextlib.chdir(folder),
        patch.object(sys, "argv", ["__main__.py", *words]),
        CliRunner().isolation() as streams,
    ):
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            gc.set_threshold(*collecting)
        sys.stdout.flush()
        out, err = (stream.getvalue().decode() for stream in streams[:2])
    return subprocess.CompletedProcess(words, code, out, err)
