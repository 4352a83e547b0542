"""Build a release's artefacts, and check what they rest on.

    build [--output DIR] [--source URL]    wheel, sdist, chart archive, CycloneDX document, SHA256SUMS
    extras WHEEL                           whether every extra installs from the package index alone
    tag TAG                                whether a tag is this version's, and the changelog tells of it
    notes                                  what the changelog says of this version
    version [--check]                      write the version into chart/Chart.yaml, or say whether it is there

Times in the artefacts are SOURCE_DATE_EPOCH, else the time of the last commit.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from generator import __version__
from generator.errors import UserError
from tools.release import chart, python
from tools.release.changelog import UNRELEASED, changes, section
from tools.release.version import CHANGELOG, CHART_YAML, ROOT, ReleaseError, check_tag, stamped

ARTEFACTS = ("ray[-_]serve[-_]llm-*", "SHA256SUMS")


def build(output: Path, *, source: str, validate: bool) -> None:
    """Write everything that is published into a folder, in the place of an earlier release, and SHA256SUMS over it."""
    output.mkdir(parents=True, exist_ok=True)
    for pattern in ARTEFACTS:
        for old in output.glob(pattern):
            old.unlink()
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _commit_time())
    changelog = CHANGELOG.read_text(encoding="utf-8")
    say(f"building {__version__} into {output}")
    chart.package(
        output, changes=changes(changelog, UNRELEASED) or changes(changelog, __version__), source=source, epoch=epoch
    )
    wheel = python.build(output, epoch=epoch, environment=dict(os.environ))
    say("the bill of materials, of an environment with the wheel")
    python.bill_of_materials(wheel, output, validate=validate)
    files = sorted(output.glob(ARTEFACTS[0]))
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (output / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    print(*(str(file) for file in [*files, output / "SHA256SUMS"]), sep="\n")


def write_version(*, check: bool) -> None:
    text = CHART_YAML.read_text(encoding="utf-8")
    if check and stamped(text) != text:
        raise ReleaseError(f"chart/Chart.yaml has another version than {__version__}: run make generate")
    if not check:
        CHART_YAML.write_text(stamped(text), encoding="utf-8")


def notes() -> str:
    return section(CHANGELOG.read_text(encoding="utf-8"), __version__)


def _commit_time() -> str:
    command = ["git", "log", "-1", "--format=%ct"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def say(line: str) -> None:
    print(f"release: {line}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.release", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    built = commands.add_parser("build")
    built.add_argument("--output", type=Path, default=ROOT / "dist")
    built.add_argument("--source", default="", help="address of the repository, for the chart's metadata")
    built.add_argument("--unvalidated", action="store_true", help="do not check the bill of materials")
    commands.add_parser("extras").add_argument("wheel", type=Path)
    commands.add_parser("tag").add_argument("tag")
    commands.add_parser("notes")
    commands.add_parser("version").add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    if options.command == "build":
        build(options.output, source=options.source, validate=not options.unvalidated)
    elif options.command == "extras":
        print(*python.check_extras(options.wheel), sep="\n")
    elif options.command == "tag":
        check_tag(options.tag, CHANGELOG.read_text(encoding="utf-8"))
    elif options.command == "notes":
        print(notes())
    else:
        write_version(check=options.check)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ReleaseError, UserError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
