"""What a part of a long run (tools/long_runs) keeps of its tests: figures by the test's name."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def keep_figures(figures: Mapping[str, Any]) -> None:
    """Write them where the long run reads them; nothing where none has asked."""
    kept_in = os.environ.get("LONG_RUN_FIGURES")
    if kept_in:
        Path(kept_in).write_text(json.dumps(figures))
