#!/usr/bin/env bash
# Runs a command in the time that nothing else wants: tools/spare_time.sh COMMAND...
# Linux shares processors among sessions before it looks at priorities (autogroups), so the command gets a session of its
# own, the last of them, and in it the class of what is idle.
set -euo pipefail

if [ "$1" != --session ]; then
    exec setsid --wait "$0" --session "$@"
fi
shift
echo 19 2>/dev/null >/proc/self/autogroup || true
exec chrt --idle 0 "$@"
