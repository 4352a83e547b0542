"""Runs that take longer than CI has: what each is about, what it last gave, and whether its files have changed since.

    python -m tools.long_runs run fuzz          its parts one after the other, each kept as soon as it has passed
    python -m tools.long_runs run ways affinity  of these parts only
    python -m tools.long_runs changed           which parts are of an earlier state of their files; no exit code

A part whose files are those of its last result is not run again, so a run that was stopped goes on where it was.
Results are in tests/long-runs.json: commit, date and figures of every part.
"""
