"""The flags that the chart knows are those of `ray start`."""

from __future__ import annotations

from tests.support.start_flags import flags_of_ray, known_flags


def test_every_flag_is_free_or_refused_and_there_is_no_other() -> None:
    assert flags_of_ray() == known_flags()
