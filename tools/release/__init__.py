"""A release: what it consists of, built the same from the same commit, and whether a tag may be one.

Run as `python -m tools.release` by `make dist` and by the release workflow (docs/releasing.md).
"""
