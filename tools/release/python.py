"""The wheel and the source distribution, what they are made of, and whether their extras can be had."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

from generator import __version__
from tools.release.version import ROOT, ReleaseError

UV = [sys.executable, "-m", "uv"]


def build(output: Path, *, epoch: int, environment: dict[str, str]) -> Path:
    """Build wheel and source distribution into a folder; returns the wheel. The same bytes for the same `epoch`."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [*UV, "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--out-dir", scratch]
        subprocess.run(
            command, cwd=ROOT, env=environment | {"SOURCE_DATE_EPOCH": str(epoch)}, check=True, stdout=sys.stderr
        )
        built = [*Path(scratch).glob("*.whl"), *Path(scratch).glob("*.tar.gz")]
        for file in built:
            (output / file.name).write_bytes(file.read_bytes())
    return output / built[0].name


def bill_of_materials(wheel: Path, output: Path, *, validate: bool) -> Path:
    """Write the CycloneDX document of an environment with the wheel and requirements/runtime.txt.

    These are the wheel's dependencies, with those of the extras that a laptop takes, in the versions that were tested.
    To `validate` it against CycloneDX's schema takes a quarter of a minute.
    """
    target = output / f"{wheel.name.split('-py3')[0]}.cdx.json"
    with tempfile.TemporaryDirectory() as scratch:
        python = environment(Path(scratch))
        install = [*UV, "pip", "install", "--quiet", "--python", python]
        subprocess.run([*install, "--require-hashes", "-r", ROOT / "requirements" / "runtime.txt"], check=True)
        subprocess.run([*install, "--no-deps", wheel], check=True)
        command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
        command += [] if validate else ["--no-validate"]
        command += ["--pyproject", ROOT / "pyproject.toml", "--output-file", target, python]
        subprocess.run(command, check=True)
    document = json.loads(target.read_text(encoding="utf-8"))
    # pyproject.toml has the version from generator/, where the program does not look.
    document["metadata"]["component"] |= {"version": __version__, "purl": f"pkg:pypi/ray-serve-llm@{__version__}"}
    target.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return target


def check_extras(wheel: Path) -> list[str]:
    """Resolve every extra of the wheel in an empty environment, of built packages alone; returns a line for each.

    Raises ReleaseError for one that the package index of this machine's settings cannot give.
    """
    told = []
    with tempfile.TemporaryDirectory() as scratch:
        python = environment(Path(scratch))
        for extra in metadata(wheel).get_all("Provides-Extra", []):
            command = [*UV, "pip", "install", "--dry-run", "--only-binary", ":all:", "--python", python]
            done = subprocess.run([*command, f"{wheel}[{extra}]"], capture_output=True, text=True, check=False)
            if done.returncode:
                raise ReleaseError(f"the extra {extra} cannot be installed from the index alone:\n{done.stderr}")
            told.append(f"extra {extra}: {sum(line.startswith(' + ') for line in done.stderr.splitlines())} packages")
    return told


def environment(folder: Path) -> str:
    """Make a virtual environment with nothing in it; returns its Python."""
    subprocess.run([*UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    return str(folder / "bin" / "python")


def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return HeaderParser().parsestr(archive.read(name).decode())
