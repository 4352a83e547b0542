"""What an environment says of scaling beside requests: what the plan has room for, and what the chart is told."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from generator.cli.plan_report import model_line
from generator.errors import UserError
from generator.formats.scaling import Scaling
from generator.plan.plan import Plan, make_plan
from generator.values import family_values
from tests.support.builders import catalog, environment, model
from tests.support.chart_scripts import module

OFFICE = {"days": "mon-fri", "from": "07:30", "to": "19:00", "min": 3}
NIGHT = {"days": "fri", "from": "22:00", "to": "06:00", "min": 5}


@pytest.mark.parametrize(
    ("when", "least"),
    [
        ("2026-11-30 07:29", 0),  # a Monday
        ("2026-11-30 07:30", 3),
        ("2026-11-30 18:59", 3),
        ("2026-11-30 19:00", 0),
        ("2026-12-05 12:00", 0),  # a Saturday
        ("2026-12-04 23:00", 5),
        ("2026-12-05 05:59", 5),  # Friday's window still
        ("2026-12-05 06:00", 0),
        ("2026-07-06 07:30", 3),  # summer time
    ],
)
def test_the_least_replicas_follow_the_clock_of_the_time_zone(when: str, least: int) -> None:
    policy = module("ray_serve_llm_schedule")
    schedule = {"timeZone": "Europe/Berlin", "windows": {"office": OFFICE, "night": NIGHT}}

    moment = datetime.fromisoformat(when).replace(tzinfo=ZoneInfo("Europe/Berlin"))

    assert policy.least(schedule, moment.timestamp()) == least


@pytest.mark.parametrize(
    ("days", "numbers"), [("mon-sun", set(range(7))), ("sat,mon", {0, 5}), ("sat-mon", {0, 5, 6}), ("wed", {2})]
)
def test_days_are_lists_and_ranges(days: str, numbers: set[int]) -> None:
    assert module("ray_serve_llm_schedule").days_of(days) == numbers


def test_of_windows_that_overlap_the_largest_counts() -> None:
    whole = {"from": "00:00", "to": "00:00", "min": 2}
    schedule = {"timeZone": "UTC", "windows": {"always": whole, "office": OFFICE}}

    least = module("ray_serve_llm_schedule").least

    assert least(schedule, datetime(2026, 11, 30, 12, tzinfo=ZoneInfo("UTC")).timestamp()) == 3
    assert least(schedule, datetime(2026, 11, 30, 21, tzinfo=ZoneInfo("UTC")).timestamp()) == 2


def test_a_time_without_quotes_is_read_as_it_was_meant() -> None:
    scaling = Scaling.model_validate({"schedule": {"windows": {"late": {"from": 1140, "to": "23:00", "min": 1}}}})

    assert scaling.schedule is not None
    assert scaling.schedule.windows["late"].from_ == "19:00"


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        ({}, "needs one of schedule, policy, external"),
        ({"external": True, "policy": {"function": "a:b"}}, "has policy and external; keep one of them"),
        ({"schedule": {"windows": {"w": {**OFFICE, "from": "25:00"}}}}, r"windows\.w\.from"),
        ({"schedule": {"windows": {"w": {**OFFICE, "days": "weekdays"}}}}, r"windows\.w\.days"),
        ({"schedule": {"timeZone": "../etc", "windows": {"w": OFFICE}}}, r"schedule\.timeZone"),
    ],
)
def test_what_is_no_scaling_is_refused(scaling: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Scaling.model_validate(scaling)


def planned(scaling: dict[str, Any], *, nodes: int = 4, most: int = 4, ray: str = "2.60.0") -> Plan:
    """The plan of one model on its pool."""
    serve = {"family": {"replicas": {"min": 1, "max": most}, "scaling": scaling}}
    pools = {"small": {"gpu": "L4-24GB", "nodes": nodes}}
    return make_plan("test", environment(pools, serve=serve, ray=ray), catalog(family={"m": model()}), where="test")


SCHEDULE = {"schedule": {"timeZone": "Europe/Berlin", "windows": {"office": OFFICE}}}


def test_there_is_room_for_the_replicas_of_the_schedules_busiest_time() -> None:
    plan = planned(SCHEDULE)

    assert plan.pools["small"].workers_min == 3
    assert "replicas 1 to 4, at least 3 by its schedule" in model_line(plan.models["m"])
    with pytest.raises(UserError, match="need"):
        planned(SCHEDULE, nodes=2)


def test_the_chart_is_told_the_schedule_and_the_least_without_it() -> None:
    told = family_values(planned(SCHEDULE), "family")["models"]["m"]

    assert told["scaling"] == SCHEDULE
    assert told["llmConfig"]["deployment_config"]["autoscaling_config"]["min_replicas"] == 1


def test_a_policy_of_ones_own_is_told_in_rays_words() -> None:
    policy = {"function": "queues:Depth", "kwargs": {"of": "jobs"}}
    told = family_values(planned({"policy": policy}), "family")["models"]["m"]

    assert "scaling" not in told
    assert told["llmConfig"]["deployment_config"]["autoscaling_config"]["policy"] == {
        "policy_function": "queues:Depth",
        "policy_kwargs": {"of": "jobs"},
    }


def test_what_someone_else_scales_has_a_number_to_begin_with_and_no_autoscaling() -> None:
    told = family_values(planned({"external": True}), "family")["models"]["m"]

    assert told["scaling"] == {"external": True}
    assert told["llmConfig"]["deployment_config"]["num_replicas"] == 1
    assert "autoscaling_config" not in told["llmConfig"]["deployment_config"]


@pytest.mark.parametrize(
    ("scaling", "fields", "message"),
    [
        (SCHEDULE, {"most": 2}, "window 'office' asks for 3 replicas, and 2 are the most"),
        (SCHEDULE, {"ray": "2.49.1"}, "a schedule is a scaling policy, and Ray 2.49.1 knows no policies"),
        ({"policy": {"function": "a:b"}}, {"ray": "2.49.1"}, "Ray 2.49.1 knows no policies"),
        ({"external": True}, {"ray": "2.49.1"}, "takes no number of replicas by its API"),
    ],
)
def test_what_cannot_be_had_is_refused(scaling: dict[str, Any], fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        planned(scaling, **fields)
