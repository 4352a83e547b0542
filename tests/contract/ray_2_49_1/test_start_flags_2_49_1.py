"""The flags that the chart knows are those of `ray start`."""

from __future__ import annotations

from tests.support.start_flags import flags_of_ray, known_flags


def test_every_flag_of_this_release_is_free_or_refused() -> None:
    assert flags_of_ray() <= known_flags()
