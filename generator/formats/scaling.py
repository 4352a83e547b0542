"""What scales a model beside requests: the clock, code of one's own, or a program outside."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from generator.documents.merge import JsonObject
from generator.formats.bounds import PodsPositive
from generator.formats.fields import Closed, Text
from generator.formats.texts import text

_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
Days = Annotated[
    str,
    text(rf"^{_DAY}(-{_DAY})?(,{_DAY}(-{_DAY})?)*$", "days by three letters, such as mon-fri or sat,sun", longest=64),
]


def _clock(stated: object) -> object:
    """YAML 1.1 reads `19:00` without quotes as a number of base 60: the minutes since midnight, if it is a time."""
    if isinstance(stated, int) and not isinstance(stated, bool) and 0 <= stated <= 24 * 60:
        return f"{stated // 60:02}:{stated % 60:02}"
    return stated


Clock = Annotated[
    str,
    text(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "a time of the day, such as 07:30"),
    BeforeValidator(_clock),
]
TimeZone = Annotated[
    str,
    text(
        r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
        "a time zone of the IANA database, such as Europe/Berlin or UTC",
        longest=64,
    ),
]
WindowName = Annotated[
    str,
    text(r"^[a-z]([a-z0-9-]*[a-z0-9])?$", "a name of small letters, digits and -, such as office-hours", longest=40),
]


class Window(Closed):
    """A time of the week with more replicas at the least."""

    days: Days = "mon-sun"
    """The days on which it begins, such as `mon-fri` or `sat,sun`."""
    from_: Annotated[Clock, Field(alias="from")]
    """When it begins."""
    to: Clock
    """When it ends; at or before `from`: on the next day."""
    min: PodsPositive
    """The least replicas meanwhile. Of windows that overlap the largest counts."""


class Schedule(Closed):
    """The least replicas by the clock."""

    timeZone: TimeZone = "UTC"
    windows: Annotated[dict[WindowName, Window], Field(min_length=1)]

    @property
    def most(self) -> int:
        """The largest least."""
        return max(window.min for window in self.windows.values())


class Policy(Closed):
    """A scaling policy of one's own: code that Ray asks how many replicas there should be."""

    function: Text
    """`module:name` of a function, or of a class that is called, in the image."""
    kwargs: JsonObject = {}
    """What the class is made with."""


class ChartScaling(Closed):
    """What decides how many replicas of a model there are, beside requests; a policy of one's own is Ray's word."""

    schedule: Schedule | None = None
    external: bool = False
    """Whether a program of one's own sets the number, by Ray's REST API. Ray itself changes it no more."""

    @model_validator(mode="after")
    def _one_way(self) -> ChartScaling:
        ways = [name for name in type(self).model_fields if name != "external"] + ["external"]
        said = [name for name in ways if getattr(self, name)]
        if len(said) != 1:
            found = f"has {' and '.join(said)}; keep one of them" if said else f"needs one of {', '.join(ways)}"
            raise ValueError(found)
        return self


class Scaling(ChartScaling):
    """The same of an environment."""

    policy: Policy | None = None
