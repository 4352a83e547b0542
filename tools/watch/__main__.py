"""Writes Grafana's dashboards, or with --check says whether they are what tools/watch/panels.py says.

python -m tools.watch [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.watch.grafana import grafana_json
from tools.watch.panels import DASHBOARDS

FOLDER = Path(__file__).resolve().parent.parent.parent / "chart" / "files" / "dashboards"


def main(arguments: list[str]) -> None:
    texts = {FOLDER / f"{dashboard.name}.json": grafana_json(dashboard) for dashboard in DASHBOARDS}
    present = {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    if arguments == ["--check"]:
        if present != texts:
            sys.exit("chart/files/dashboards is not what tools/watch/panels.py says; run: make generate")
        return
    FOLDER.mkdir(exist_ok=True)
    for path in present.keys() - texts.keys():
        path.unlink()
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
