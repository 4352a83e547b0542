"""Ray 2.49.1 is told the replicas beside the application: nothing is lost, and a change restarts nothing."""

from __future__ import annotations

import pytest

from tests.contract.scaling import SCALED, WAYS, all_in_code, application, deployed, options, restarts

RAY = "2.49.1"


# The chart takes no `num_replicas` for this release, whose builder ignores it.
@pytest.mark.parametrize("way", [way for way in WAYS if "num_replicas" not in WAYS[way]])
def test_ray_has_what_the_values_say_as_if_it_were_in_the_llm_config(way: str) -> None:
    told = application(RAY, WAYS[way])

    assert options(deployed(told)) == options(deployed(all_in_code(told, WAYS[way])))


def test_other_numbers_of_replicas_and_requests_restart_no_replica() -> None:
    before, after = (
        deployed(
            application(RAY, {"autoscaling_config": {**SCALED, "min_replicas": least}, "max_ongoing_requests": most})
        )
        for least, most in ((1, 20), (4, 30))
    )

    assert after.deployment_config.autoscaling_config.min_replicas == 4
    assert after.deployment_config.max_ongoing_requests == 30
    assert before.version == after.version, "the application would be built anew"
    assert not restarts(before, after)
