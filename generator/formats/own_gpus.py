"""`gpus.yaml` of a project: GPU types and prices of its own, in the words of the data that comes with the package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from generator.documents.files import text_or_none
from generator.documents.load import location
from generator.errors import UserError, UserErrors
from generator.facts.gpus import shipped_gpus
from generator.facts.own import OwnFacts
from generator.formats.bounds import EXACT
from generator.formats.environment import PositiveFloat
from generator.formats.faults import parse_text
from generator.formats.fields import Closed
from generator.formats.texts import text

GpuName = Annotated[
    str,
    text(
        r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        "the name of a GPU type: letters, digits, dots, _ and -, such as L4-24GB",
    ),
]
_Words = Annotated[str, Field(min_length=1)]


class GpuRow(Closed):
    """One GPU type."""

    memoryGiB: PositiveFloat
    """The total as CUDA reports it to a process (`torch.cuda.mem_get_info`), less than what it is sold as."""
    labelGB: PositiveFloat
    """The size as sold: GPU types are compared by it where no price is known."""
    computeCapability: Annotated[float, Field(ge=3, le=EXACT)]
    """NVIDIA's, as 8.9; of AMD's the digits of the gfx name."""
    bandwidthGBs: PositiveFloat
    """Of its memory, GB/s."""
    tflops: dict[Literal["fp16", "bf16", "fp8", "int8", "fp4"], PositiveFloat] = {}
    """Dense tera-operations per second by type, as far as it has them; without, `expect` decides no replicas."""
    amd: bool = False
    """AMD's; otherwise NVIDIA's."""
    arm64: bool = False
    """The processor of its host is Arm's (NVIDIA's Grace); otherwise x86-64."""
    nvlink: bool = False
    """GPUs of a node reach each other's memory."""
    mig: str | None = None
    """The MIG profile, such as 3g.40gb, where it is a slice of a GPU."""
    source: _Words
    """Where this is stated, or how it was measured."""


class OwnPrices(Closed):
    """What GPUs cost here, instead of the list that comes with the package."""

    currency: Annotated[str, text(r"^[A-Z]{3}$", "a currency in three capitals, such as USD")]
    list: _Words
    """Whose prices these are: a contract, a list."""
    date: _Words
    """When they were read."""
    perGpuHour: dict[GpuName, PositiveFloat]
    """By GPU type, its share of the node included."""


class GpuFile(Closed):
    """GPU types and prices of a project's own."""

    gpus: dict[GpuName, GpuRow] = {}
    """By name; one that is known already is replaced, and that is said."""
    prices: OwnPrices | None = None


def read_own_gpus(path: Path) -> OwnFacts:
    """What a project's file says; nothing where there is none. Raises UserErrors for every fault."""
    written = text_or_none(path)
    if written is None:
        return OwnFacts()
    file = parse_text(written, str(path), GpuFile)
    faults = list(_faults(file, written, path))
    if faults:
        raise UserErrors(faults)
    return OwnFacts(
        file=str(path),
        gpus={name: row.model_dump() for name, row in file.gpus.items()},
        prices=file.prices.model_dump() if file.prices else None,
    )


def _faults(file: GpuFile, written: str, path: Path) -> Iterator[UserError]:
    for name, row in file.gpus.items():
        if row.memoryGiB > row.labelGB:
            yield UserError(
                f"GPU type '{name}' has {row.memoryGiB:g} GiB, more than the {row.labelGB:g} GB that it is sold as",
                where=location(written, str(path), ["gpus", name, "memoryGiB"]),
                fix="Give what CUDA reports as its total, in GiB: nvidia-smi's MiB / 1024, or a little less.",
            )
    known = {**shipped_gpus(), **file.gpus}
    for name in file.prices.perGpuHour if file.prices else ():
        if name not in known:
            where = location(written, str(path), ["prices", "perGpuHour", name])
            yield UserError.unknown("GPU type", name, known, where=where)
