"""What is said where an answer of the API server is not what its types say."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generator.cluster.api import Cluster
from generator.errors import UserError
from generator.ray_messages import shortened


@contextmanager
def typed_answers(cluster: Cluster) -> Iterator[None]:
    """Reading of objects, which goes by the API's own types: an API server has checked them.

    Where they do not hold, something else answers (a proxy, a gateway), or the fault is in here. The UserError says at
    which line, so that either can be told.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        raise UserError(
            f"an answer is not what the types of the Kubernetes API say ({type(error).__name__}: "
            f"{shortened(str(error))}; read in {Path(line.filename).name}:{line.lineno})",
            where=cluster.address,
            fix="Check that a Kubernetes API answers there, and no proxy. If so, the fault is here: please report it.",
        ) from error
