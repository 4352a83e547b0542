#!/usr/bin/env bash
# Runs two commands beside each other: tools/beside.sh FIRST... -- SECOND...
# What the first one prints comes when the second one is done. Fails where one of them fails.
set -euo pipefail

first=()
while [ "$1" != -- ]; do
    first+=("$1")
    shift
done
shift
log=$(mktemp)
"${first[@]}" >"$log" 2>&1 &
beside=$!
trap 'kill "$beside" 2>/dev/null || true; rm -f "$log"' EXIT
code=0
"$@" || code=$?
wait "$beside" || code=$?
cat "$log"
exit "$code"
