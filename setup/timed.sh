#!/usr/bin/env bash
# timed.sh NAME COMMAND...: runs a step of set-up, and says how long it took. What it prints and its
# exit code are the command's.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/lib.sh"

name=$1
shift
start=$SECONDS status=0
"$@" || status=$?
if [ "$status" -eq 0 ]; then took "$name" "$start"; else took "$name failed" "$start"; fi
exit "$status"
