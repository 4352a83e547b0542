"""What of one LLMConfig Ray or vLLM refuse together. Data, looked up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from generator.facts.files import read_data
from generator.facts.releases import releases


@dataclass(frozen=True, kw_only=True)
class LlmConfigRule:
    at: str
    """The path of the key that the message is about."""
    where: dict[str, Any]
    """By the path of a key, what must stand there."""
    why: str
    instead: str
    source: str
    knows: str = ""
    """Of an LLMConfig's keys the one whose releases have the rule; empty: all."""


@cache
def llm_config_rules(ray: str) -> tuple[LlmConfigRule, ...]:
    """Those of a Ray release."""
    keys = releases()[ray].arguments()["LLMConfig"]["properties"]
    rules = (LlmConfigRule(**row) for row in read_data("llm_config_rules.yaml"))
    return tuple(rule for rule in rules if not rule.knows or rule.knows in keys)


def llm_config_defaults(ray: str) -> dict[str, Any]:
    """What Ray takes where an LLMConfig does not say it, by path."""
    defaults: dict[str, Any] = releases()[ray].facts["llmConfigDefaults"]
    return defaults
