"""Ray 2.60.0 is told the replicas beside the application: nothing is lost, and a change restarts nothing."""

from __future__ import annotations

import pytest

from tests.contract.scaling import (
    WAYS,
    application,
    deployed,
    it_is_as_if_in_the_llm_config,
    other_numbers_restart_nothing,
)

RAY = "2.60.0"


@pytest.mark.parametrize("way", WAYS)
def test_ray_has_what_the_values_say_as_if_it_were_in_the_llm_config(way: str) -> None:
    it_is_as_if_in_the_llm_config(RAY, WAYS[way])


def test_a_fixed_number_of_replicas_is_fixed() -> None:
    info = deployed(application(RAY, {"num_replicas": 3}))

    assert info.deployment_config.num_replicas == 3
    assert info.deployment_config.autoscaling_config is None


def test_other_numbers_of_replicas_and_requests_restart_no_replica() -> None:
    other_numbers_restart_nothing(RAY)
