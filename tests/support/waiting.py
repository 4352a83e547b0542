"""How long tests wait for a command."""

HANGS_S = 600
"""Seconds after which a command that a test starts is taken to hang.

None takes a tenth of that. The chart tier runs in the time that engines leave (tools/spare_time.sh), though, and a
command that got no processor for a minute does not hang.
"""
