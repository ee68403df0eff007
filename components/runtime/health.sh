# shellcheck shell=sh disable=SC2034 # hc_ takes the rest of a line
# What the engine runs as a health check:
#   sh -c "$script" health PAUSE HOLD LIMIT CHECK...      (times in seconds)
# Until CHECK has passed, and after it has failed, it runs once. After it has passed it
# runs each PAUSE seconds, for HOLD seconds or until it fails: the engine starts this once
# for many checks. CHECK's last output and exit code are the answer; one that takes longer
# than LIMIT is killed.
hc_pause=$1 hc_hold=$2 hc_limit=$3
shift 3
hc_passed=/tmp/.health-passed hc_output=/tmp/.health-output
hc_check='' hc_guard='' hc_nap=''
# A process that is left behind becomes a zombie where process 1 does not look for it.
trap 'kill $hc_check $hc_guard $hc_nap 2>/dev/null; wait; exit 143' TERM

hc_run() {
  "$@" &
  hc_check=$!
  (
    trap 'kill $!; wait; exit 1' TERM
    sleep "$hc_limit" &
    wait $! && trap '' TERM && kill -KILL "$hc_check"
  ) >/dev/null 2>&1 &
  hc_guard=$!
  wait "$hc_check" 2>/dev/null # where some shells say how it ended
  hc_code=$?
  hc_check=''
  kill "$hc_guard" 2>/dev/null
  if wait "$hc_guard" 2>/dev/null && [ "$hc_code" = 137 ]; then
    echo "the health check took longer than its timeout of $hc_limit s"
  fi
  hc_guard=''
}

# A start that is cut off leaves the mark empty, so that the next one is no long one.
if [ -s "$hc_passed" ] && command -v sleep >/dev/null && true >"$hc_passed"; then
  read -r hc_now hc_ </proc/uptime
  hc_end=$((${hc_now%.*} + hc_hold))
  while :; do
    sleep "$hc_pause" &
    hc_nap=$!
    wait "$hc_nap" 2>/dev/null
    hc_nap=''
    hc_run "$@" >"$hc_output" 2>&1
    read -r hc_now hc_ </proc/uptime
    if [ "$hc_code" != 0 ] || [ $((${hc_now%.*} + hc_pause)) -gt "$hc_end" ]; then break; fi
  done
  cat "$hc_output"
else
  hc_run "$@"
fi
# Where /tmp is full there is no mark, and so no need of room for the output.
if [ "$hc_code" = 0 ]; then { echo yes >"$hc_output" && echo yes >"$hc_passed"; } 2>/dev/null; fi
exit "$hc_code"
