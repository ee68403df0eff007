#!/usr/bin/env bash
# test-alert.sh: sends an alert through a stack's Alertmanager to every receiver,
# and fails where one of them was not reached.
#
#   scripts/test-alert.sh STACK
#
# It is called TestAlert, is a page, and ends by itself after a minute, which is
# told as well.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../setup/lib.sh"
cd "$here/.."

stack=${1:?a stack}
project=$(go run ./cmd/stack project)
address=http://127.0.0.1:9093

container=$(docker ps --quiet --filter "label=tarot.stack=$project-$stack" --filter label=tarot.workload=alertmanager | head -n 1)
[ -n "$container" ] || fail "$stack runs no Alertmanager here" "tarot:monitoring.enabled turns it on; for a Swarm of several nodes, ask the engine that runs it"

inside() { docker exec "$container" "$@"; }

amtool() { inside /bin/amtool --alertmanager.url="$address" "$@"; }

# What the webhooks are called, in the order in which the log counts them.
receivers() { sed -n 's|^[ -]*url_file: */run/secrets/alert_\(.*\)_url$|\1|p' <<<"$config"; }

# count email|webhook ['' | _failed]: requests that were made, or that failed.
count() {
  inside wget -q -O - "$address/metrics" |
    awk -v name="alertmanager_notification_requests$2_total{integration=\"$1\"" 'index($0, name) == 1 { n += $NF } END { print n + 0 }'
}

# Sets taken and failed, since the script began.
look() {
  failed=$(($(count "$1" _failed) - $2))
  taken=$(($(count "$1" '') - $3 - failed))
}

# Each failure of a receiver, once.
errors() {
  docker logs --since "$((SECONDS + 1))s" "$container" 2>&1 |
    sed -n 's/.*"integration":"\([a-z]*\)\[\([0-9]*\)\]".*"err":"\(.*\)"}.*/\1 \2 \3/p' | sed 's/\\n$//' |
    while read -r kind index text; do
      if [ "$kind" = webhook ]; then kind=$(receivers | sed -n "$((index + 1))p"); fi
      echo "$kind: $text"
    done | sort -u
}

config=$(amtool config show)
webhooks=$(receivers | grep -c . || true)
emails=$(grep -c '^[ -]*smarthost:' <<<"$config" || true)
[ $((webhooks + emails)) -gt 0 ] || fail "$stack tells nobody: no receiver is configured" "docs/alerts.md says how to set one"

step "an alert to $(receivers | tr '\n' ' ')$([ "$emails" = 0 ] || echo email)"
failed_before=$(count webhook _failed) sent_before=$(count webhook '')
email_failed_before=$(count email _failed) email_sent_before=$(count email '')
# rfc3339 SECONDS: macOS and busybox disagree about date's options, so the container's is asked.
rfc3339() { inside date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ; }
now=$(date +%s)
amtool alert add alertname=TestAlert severity=page "run=$now" --start="$(rfc3339 "$now")" --end="$(rfc3339 $((now + 60)))" \
  --annotation="summary=\"A test of the alerts of $stack. It ends by itself.\"" \
  --annotation='impact="None. 测试,请忽略。"' --annotation='runbook="docs/alerts.md"'

# A group that has told something waits for its interval: a second test within two
# minutes takes longer than the first one.
note "waiting for the first message, and for the answers; at most two minutes"
deadline=$((SECONDS + 120))
while :; do
  look webhook "$failed_before" "$sent_before"
  webhooks_taken=$taken webhooks_failed=$failed
  look email "$email_failed_before" "$email_sent_before"
  if [ $((webhooks_failed + failed)) -gt 0 ]; then break; fi
  if [ "$webhooks_taken" -ge "$webhooks" ] && [ "$taken" -ge "$emails" ]; then break; fi
  if [ "$SECONDS" -ge "$deadline" ]; then fail "not every receiver has been tried" "webhooks $webhooks_taken of $webhooks, email $taken of $emails; docker logs $container"; fi
  sleep 1
done
if [ $((webhooks_failed + failed)) -gt 0 ]; then
  sleep 3 # for the others, and for the log
  fail "not every receiver took it" "$(errors)"
fi
if [ "$webhooks" -gt 0 ]; then ok "$webhooks_taken of $webhooks webhooks answered with 2xx"; fi
if [ "$emails" -gt 0 ]; then ok "the mail server took the mail"; fi
note "Now look for TestAlert in each group, and in a minute for its end. A robot that"
note "refuses (keyword, signature, address list, too many messages) answers 200 all the"
note "same: its group then shows nothing."
