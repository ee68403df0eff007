#!/usr/bin/env bash
# endpoints.sh STACK [STARTED]: where the stack answers, and what to type next; and how long all of it took
# that began then, in seconds of the epoch.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/lib.sh"
stack=$1 started=${2-}

step "The stack $stack answers"
for name in url apiUrl docsUrl adminUrl healthUrl; do
  printf '%-10s %s\n' "$name" "$(pulumi stack output "$name" --stack "$stack")"
done
if grafana=$(pulumi stack output grafanaUrl --stack "$stack" 2>/dev/null); then printf '%-10s %s\n' grafanaUrl "$grafana"; fi
note "the password of the admin pages (user: admin; Grafana's is grafanaPassword):"
note "  pulumi stack output adminPassword --show-secrets -s $stack"

if [ -n "$started" ]; then took "in all" $((SECONDS - ($(date +%s) - started))); fi

# The host's rules are no part of the stack: who wants some and has none is told.
if grep -Eqs '^ *allowFrom: *$|^ *allowFrom: *\[ *[^] ]' "Pulumi.$stack.yaml"; then go run ./cmd/stack firewall "$stack" --check; fi
