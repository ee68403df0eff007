#!/usr/bin/env bash
# releases.sh: what a stack has run, and the way back. Each is a change of the
# configuration and a `pulumi up`, as docs/releases.md has it without this script.
#
#   scripts/releases.sh list STACK
#   scripts/releases.sh rollback STACK [RELEASE]     to the one before, or the one named;
#                                                    after an `up` that failed, to the last that didn't
#   scripts/releases.sh forward STACK                to what the stack file says
#   scripts/releases.sh rotate STACK SECRET          jwtSecretKey, adminPassword or grafanaPassword
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../setup/lib.sh"
cd "$here/.."

action=${1:?list, rollback, forward or rotate} stack=${2:?a stack}
project=$(go run ./cmd/stack project)

# TIME NAME IMAGE BEFORE, the one that ran last first. The records are volumes, and one that ran
# again has two for a while: internal/engine/releases.go
records() {
  local volumes
  volumes=$(docker volume ls --quiet --filter label=tarot.release --filter "label=tarot.stack=$project-$stack")
  if [ -z "$volumes" ]; then return; fi
  # shellcheck disable=SC2086 # one name a line, none with a space
  docker volume inspect --format '{{or (index .Labels "tarot.sequence") "0"}} {{.CreatedAt}} {{index .Labels "tarot.release"}} {{index .Labels "tarot.image"}} {{index .Labels "tarot.before"}}' $volumes |
    sort -k1,1nr -k2,2r | awk '!seen[$3]++ { print $2, $3, $4, $5 }'
}

current() { pulumi stack output release --stack "$stack" 2>/dev/null || true; }

setting() { pulumi config set --stack "$stack" --path "$1" "$2"; }

up() { pulumi up --stack "$stack" --yes --skip-preview; }

list() {
  local now mark
  now=$(current)
  printf '  %-12s %-21s %s\n' RELEASE "RUNS SINCE" IMAGE
  records | while read -r time name image _; do
    mark=' '
    if [ "$name" = "$now" ]; then mark='*'; fi
    if ! docker image inspect "$image" >/dev/null 2>&1; then image="$image (not on this engine)"; fi
    printf '%s %-12s %-21s %s\n' "$mark" "$name" "${time%%+*}" "$image"
  done
}

failed() {
  pulumi stack history --stack "$stack" --json --page-size 1 2>/dev/null | grep -q '^    "result": "failed"'
}

rollback() {
  local to=${1:-} column=4
  if [ -z "$to" ]; then
    # The last release ran as wanted: that is what its record says. An `up` that failed
    # since may have gone as far as the users, and is what somebody wants to get rid of.
    if failed; then
      note "the last \`up\` has failed: back to the release that ran as wanted before it"
      column=2
    fi
    to=$(records | awk -v column="$column" 'NR == 1 { print $column }')
  fi
  [ -n "$to" ] || fail "there is no release before the current one" "make releases STACK=$stack lists those that there are"
  records | awk -v to="$to" '$2 == to { found = 1 } END { exit !found }' ||
    fail "there is no release $to" "make releases STACK=$stack lists those that there are"
  setting tarot:releases.pin "$to"
  up
  ok "$stack runs the release $to, with its configuration, until tarot:releases.pin is empty: make forward STACK=$stack"
}

forward() {
  setting tarot:releases.pin ''
  up
}

rotate() {
  local secret=$1 version
  case $secret in
    jwtSecretKey | adminPassword | grafanaPassword) ;;
    *) fail "SECRET is $secret" "known are jwtSecretKey, adminPassword and grafanaPassword; one of your own: pulumi config set --secret tarot:NAME, then pulumi up" ;;
  esac
  if pulumi config get --stack "$stack" "tarot:$secret" >/dev/null 2>&1; then
    fail "tarot:$secret is a value of your own" "pulumi config set --secret tarot:$secret, then pulumi up"
  fi
  version=$(pulumi config get --stack "$stack" --path "tarot:secretVersions.$secret" 2>/dev/null || echo 0)
  setting "tarot:secretVersions.$secret" $((version + 1))
  up
}

case $action in
  list) list ;;
  rollback) rollback "${3:-}" ;;
  forward) forward ;;
  rotate) rotate "${3:?SECRET=jwtSecretKey, adminPassword or grafanaPassword}" ;;
  *) fail "releases.sh: nothing is called $action" ;;
esac
