"""Write what one Ray release accepts, as a closed JSON Schema (draft-07).

Run it with the Python of an environment that has that Ray release and its vLLM (see requirements/):

    <environment>/bin/python -m tools.extract_release            # writes generator/data/releases/<ray>.arguments.json
    <environment>/bin/python -m tools.extract_release --check    # exit 1 and a diff when the file would change

Everything comes from the installed classes themselves: Ray's pydantic models, vLLM's dataclasses, the signatures Ray
calls, and, where Ray decides in code, from trying it (`probe`). What stays by hand are the tables of `left_out` and
`narrowed`, each line with its reason. Ray ignores unknown keys in many places and fails late in others, so every object
with known keys is closed.

Only keywords of draft-07 are used, because Helm reads the result, and every `$ref` points inside `#/definitions/`.
Nothing is downloaded, no cluster is started, and the same environment gives the same bytes.
"""

from __future__ import annotations

import argparse
import difflib
import json
import logging
import sys
from pathlib import Path

from .document import document
from .release import Release

RELEASES = Path(__file__).resolve().parents[2] / "generator" / "data" / "releases"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.extract_release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 with a diff if the file would change"
    )
    parser.add_argument(
        "--output", type=Path, default=RELEASES, metavar="DIRECTORY", help="default: generator/data/releases"
    )
    arguments = parser.parse_args()

    release = Release()
    logging.disable(logging.CRITICAL)  # Ray tells about every deployment that a probe builds
    extracted = document(release)
    path = arguments.output / f"{extracted['generated']['ray']}.arguments.json"
    text = json.dumps(extracted, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if not arguments.check:
        path.write_text(text)
        print(f"{path.name}: {len(extracted['definitions'])} definitions, {len(text):,} bytes")
        return 0
    before = path.read_text() if path.exists() else ""
    diff = difflib.unified_diff(before.splitlines(True), text.splitlines(True), path.name, f"{path.name} (extracted)")
    sys.stdout.writelines(diff)
    return int(before != text)


if __name__ == "__main__":
    sys.exit(main())
