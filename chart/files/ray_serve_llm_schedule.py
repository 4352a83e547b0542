"""A scaling policy for Ray Serve: as Ray's own, but never fewer replicas than the clock says.

Ray's controller calls it ten times a second. It never raises: what is wrong with a schedule is logged, and the model
scales as without one. The schedule is read from a file that Kubernetes exchanges while Ray runs, so that another
schedule restarts nothing. Ray carries this file's code to the controller, which cannot import it: only Ray and the
standard library are there.
"""

import datetime
import json
import logging
import pathlib
import zoneinfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def minutes(clock):
    """`"07:30"` in minutes since midnight."""
    hours, _, rest = clock.partition(":")
    return int(hours) * 60 + int(rest)


def days_of(text):
    """Numbers of the days (Monday is 0) of such as `mon-fri` or `sat,mon`; a range may pass Sunday."""
    found = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin = DAYS.index(first)
        length = (DAYS.index(last or first) - begin) % 7
        found.update((begin + number) % 7 for number in range(length + 1))
    return found


def is_open(window, local):
    """Whether it is time for the window. One that ends before it begins passes midnight, and is its first day's."""
    begin, end = minutes(window["from"]), minutes(window["to"])
    days = days_of(window.get("days", "mon-sun"))
    now, today = local.hour * 60 + local.minute, local.weekday()
    if begin < end:
        return today in days and begin <= now < end
    return (today in days and now >= begin) or ((today - 1) % 7 in days and now < end)


def least(schedule, timestamp):
    """The least replicas at that time (seconds since 1970): those of the largest window that is open, else 0."""
    local = datetime.datetime.fromtimestamp(timestamp, zoneinfo.ZoneInfo(schedule.get("timeZone", "UTC")))
    return max((window["min"] for window in schedule["windows"].values() if is_open(window, local)), default=0)


class Schedule:
    """The policy of one deployment. `path` is its schedule as JSON: timeZone, and windows by name."""

    def __init__(self, path):
        from ray.serve.autoscaling_policy import replica_queue_length_autoscaling_policy  # where there is Ray

        self.by_requests = replica_queue_length_autoscaling_policy
        self.path = pathlib.Path(path)
        self.read = None  # when the file was changed that was read last
        self.schedule = None
        self.complaint = None

    def __call__(self, context):
        wanted, state = self.by_requests(context)
        floor = 0
        try:
            floor = least(self._current(), context.current_time)
            self.complaint = None
        except Exception as error:  # whatever it is: an exception here would stop the scaling of every application
            self._complain(error)
        return max(wanted, min(floor, context.capacity_adjusted_max_replicas)), state

    def _current(self):
        changed = self.path.stat().st_mtime_ns
        if changed != self.read:
            self.schedule = json.loads(self.path.read_text(encoding="utf-8"))
            self.read = changed
        return self.schedule

    def _complain(self, error):
        """Once for each thing that is wrong, not ten times a second."""
        if repr(error) != self.complaint:
            self.complaint = repr(error)
            logging.getLogger("ray.serve").warning("Schedule %s is left out: %r", self.path, error)
