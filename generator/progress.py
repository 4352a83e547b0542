"""What is said while something runs; of a release that starts, every change of state and what is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from generator.ray_messages import root_cause

Report = Callable[[str], None]
"""Is told what happens, a line each."""

QUIET_S = 15.0
"""After so long without news, a line says what is waited for."""


def silent(_: str) -> None:
    """A report that nobody reads."""


@dataclass
class Progress:
    """Says what has changed, with the seconds since the start."""

    report: Report
    started: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    states: dict[str, str] = field(default_factory=dict)
    waits: dict[str, str] = field(default_factory=dict)

    def say(self, text: str) -> None:
        self.last = time.monotonic()
        self.report(f"{self.last - self.started:6.1f} s  {text}")

    def follow(self, applications: Mapping[str, Any], logged: Callable[[str], list[str]]) -> None:
        self.waits = {}
        for name, application in applications.items():
            self._changed(name, application["status"])
            if application["status"] != "RUNNING" and not application["deployments"]:
                self.waits[name] = application["status"]
            for deployment, details in application["deployments"].items():
                # LLMServer:<model> is in the application <model>, so that its first word says it all.
                where = f"{name} / {deployment.split(':')[0]}"
                replicas = ", ".join(sorted({replica["state"] for replica in details["replicas"]}))
                self._changed(where, f"{details['status']}{f', replica {replicas}' if replicas else ''}")
                if details["status"] != "HEALTHY":
                    self.waits[where] = details["message"].strip() or details["status"]
                if "Error" in details["message"]:
                    causes = [*logged(name), root_cause(details["message"])]
                    self._changed(f"{where}: a replica failed, Ray may try again", causes[0])

    def _changed(self, name: str, state: str) -> None:
        if self.states.get(name) != state:
            self.states[name] = state
            self.say(f"{name}: {state}")

    def reasons(self) -> str:
        """What is waited for and why, a line each."""
        return "\n".join(f"{name}: {reason}" for name, reason in self.waits.items())

    def heartbeat(self) -> None:
        if time.monotonic() - self.last > QUIET_S:
            self.say(f"waiting for {', '.join(self.waits) or 'Ray'}")
