#!/usr/bin/env bash
# Runs a command in the time that nothing else wants: tools/spare_time.sh COMMAND...
# Linux shares processors among sessions before it looks at priorities (autogroups), so the command gets a session of its
# own, the last of them, and in it the class of what is idle. Whoever ends this script ends that session.
set -euo pipefail

if [ "$1" != --session ]; then
    setsid "$0" --session "$@" &
    trap 'kill -- -$! 2>/dev/null || true' EXIT
    trap 'exit 143' TERM
    trap 'exit 130' INT
    wait $!
    exit
fi
shift
echo 19 2>/dev/null >/proc/self/autogroup || true
exec chrt --idle 0 "$@"
