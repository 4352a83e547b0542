"""Rules that data name, and the functions that stand for them."""

from __future__ import annotations

from typing import get_args

from generator.facts.files import read_data
from generator.sizing.cache.rules import RULES
from generator.sizing.cache.specs import StateKind
from generator.sizing.weights.recurrent import MIXERS


def test_architectures_name_every_rule_of_caches_and_no_other() -> None:
    assert set(read_data("cache_layers.yaml")) == set(RULES)


def test_a_rule_is_found_under_its_own_name() -> None:
    assert {name: rule.__name__ for name, rule in RULES.items()} == {name: name for name in RULES}


def test_every_kind_of_state_is_kept_by_a_mixer_whose_matrices_are_known() -> None:
    assert set(get_args(StateKind)) == set(MIXERS)
