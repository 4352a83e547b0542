"""Ray 2.49.1 is told the replicas beside the application: nothing is lost, and a change restarts nothing."""

from __future__ import annotations

import pytest

from tests.contract.scaling import WAYS, it_is_as_if_in_the_llm_config, other_numbers_restart_nothing

RAY = "2.49.1"


# The chart takes no `num_replicas` for this release, whose builder ignores it.
@pytest.mark.parametrize("way", [way for way in WAYS if "num_replicas" not in WAYS[way]])
def test_ray_has_what_the_values_say_as_if_it_were_in_the_llm_config(way: str) -> None:
    it_is_as_if_in_the_llm_config(RAY, WAYS[way])


def test_other_numbers_of_replicas_and_requests_restart_no_replica() -> None:
    other_numbers_restart_nothing(RAY)
