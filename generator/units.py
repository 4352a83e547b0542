"""Amounts: bytes of a GiB, and Kubernetes' quantities as numbers."""

from __future__ import annotations

import math

GIB = 2**30
"""Bytes of a GiB."""

_SUFFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3}
_SUFFIXES |= {prefix: 1000.0**power for power, prefix in enumerate("MGTPE", start=2)}
_SUFFIXES |= {f"{prefix}i": 1024.0**power for power, prefix in enumerate("KMGTPE", start=1)}


def quantity(stated: str | float) -> float:
    """A Kubernetes quantity as a number: 500m is 0.5, 1Gi is 1073741824, 1e3 is 1000. A ValueError where it is none.

    Source: k8s.io/apimachinery, pkg/api/resource/quantity.go.
    """
    text = str(stated)
    number = text.rstrip("munkKMGTPEi")
    factor = _SUFFIXES.get(text[len(number) :], math.nan)
    amount = float(number) * factor if number else math.nan
    if not math.isfinite(amount):  # also what no float holds, such as 1e999
        raise ValueError(f"{stated!r} is not a Kubernetes quantity")
    return amount


def quantity_gib(stated: str) -> float:
    """GiB of a quantity of bytes, such as 24Gi or 500M."""
    return quantity(stated) / GIB
