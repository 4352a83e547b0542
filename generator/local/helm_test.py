"""`helm test` of a release on this machine: its pod's script and words, told where Serve answers here."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.chart import Manifest
from generator.errors import RunFailed
from generator.process import supervised

SECONDS = 120
"""For one model, which is there already."""


@dataclass(frozen=True, kw_only=True)
class HelmTest:
    script: str
    config: dict[str, Any]
    ids: dict[str, str]
    """Of models, by the names that clients use."""

    @classmethod
    def of(cls, manifests: Sequence[Manifest]) -> HelmTest | None:
        """That of the rendered objects; None where their chart has none."""
        for each in manifests:
            if each["kind"] == "Pod" and each["metadata"].get("annotations", {}).get("helm.sh/hook") == "test":
                script, words, *ids = each["spec"]["containers"][0]["args"]
                config = json.loads(words)
                return cls(script=script, config=config, ids={config["names"].get(each, each): each for each in ids})
        return None

    def asks(self, model: str) -> str | None:
        """What the values say that this model is asked; None where that is to be found out."""
        word: str | None = self.config["asked"].get(self.ids.get(model))
        return word

    def run(self, model: str, base_url: str, folder: Path) -> None:
        """Raise RunFailed unless the model answers what it is asked, or has only to be listed."""
        here = {
            "url": base_url,
            "applications": [],
            "serviceAccount": "",
            "asksForKey": False,  # Secrets are a cluster's
            "timeoutSeconds": SECONDS,
        }
        command = [sys.executable, "-u", "-c", self.script, json.dumps(self.config | here), self.ids[model]]
        log = folder / "helm-test.log"
        process = supervised.start(command, log=log, folder=folder, environment=os.environ)
        try:
            failed = process.wait()
        finally:
            supervised.end(process)
        if failed:
            raise RunFailed(log.read_text(encoding="utf-8").rstrip().rpartition("\n")[2], where=base_url)
