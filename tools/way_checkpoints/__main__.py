"""`python -m tools.way_checkpoints`: see the package."""

from __future__ import annotations

import argparse
from pathlib import Path

from tools import way_checkpoints
from tools.way_checkpoints.made import MAKERS, make

parser = argparse.ArgumentParser(prog="python -m tools.way_checkpoints", description=way_checkpoints.__doc__)
parser.add_argument("--output", type=Path, required=True, help="folder; each goes to <output>/<name>")
parser.add_argument("--model", action="append", choices=list(MAKERS), help="only this one (can be repeated)")
options = parser.parse_args()
for line in make(options.output, options.model or list(MAKERS)):
    print(line, flush=True)
