#!/usr/bin/env bash
# test.sh SUITE...: runs suites, counts their tests, and ends with one line:
# "N passed, N failed, N skipped". Suites: lint unit app e2e rollout monitoring peers
# cost; rollout and monitoring are parts of e2e, alone and with their figures, and
# peers and cost are for scripts/bench.sh.
#
# A suite in which no test ran has failed, and so has one with a skipped test:
# nobody reads about it in a green run.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
# shellcheck source=/dev/null
. setup/lib.sh

readonly gotestsum=gotest.tools/gotestsum@v1.13.0
results=$PWD/build/tests
rm -rf "$results"
mkdir -p "$results"

passed=0 failed=0 skipped=0 bad=()

# count SUITE PASSED FAILED SKIPPED
count() {
  passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
  if [ "$2" -eq 0 ] || [ "$3" -ne 0 ] || [ "$4" -ne 0 ]; then bad+=("$1"); fi
  printf '  %s: %d passed, %d failed, %d skipped\n' "$1" "$2" "$3" "$4" >&2
}

# go_tests SUITE FORMAT ARGUMENTS...: `go test` with its results counted.
go_tests() {
  local suite=$1 format=$2 status=0 total=0 failures=0 skips=0
  shift 2
  # shellcheck disable=SC2016 # the variables are for the shell that gotestsum starts
  setup/with.sh go run "$gotestsum" --format "$format" --hide-summary skipped \
    --post-run-command "sh -c 'echo \$TESTS_TOTAL \$((TESTS_FAILED + TESTS_ERRORS)) \$TESTS_SKIPPED >$results/$suite'" \
    -- "$@" || status=$?
  if [ -s "$results/$suite" ]; then read -r total failures skips <"$results/$suite"; fi
  # A package that does not compile has no failed test.
  if [ "$status" -ne 0 ] && [ "$failures" -eq 0 ]; then failures=1; fi
  count "$suite" "$((total > failures + skips ? total - failures - skips : 0))" "$failures" "$skips"
}

lint() {
  if setup/with.sh scripts/lint.sh; then count lint 1 0 0; else count lint 0 1 0; fi
}

unit() { go_tests unit pkgname ./...; }

app() {
  local status=0 total failures skips log=$results/app.xml
  scripts/test-app.sh >"$log" || status=$?
  total=$(attribute tests "$log") failures=$(($(attribute failures "$log") + $(attribute errors "$log")))
  skips=$(attribute skipped "$log")
  if [ "$status" -ne 0 ] && [ "$failures" -eq 0 ]; then failures=1; fi
  count app "$((total > failures + skips ? total - failures - skips : 0))" "$failures" "$skips"
}

# attribute NAME FILE: a number of the first test suite in a JUnit report; 0 where there is none.
attribute() {
  local value
  value=$(grep -o "<testsuite [^>]*" "$2" | head -n 1 | sed -n "s/.* $1=\"\([0-9]*\)\".*/\1/p")
  printf '%d\n' "${value:-0}"
}

e2e() {
  borrow_swarm
  go_tests e2e testname -tags e2e -count 1 -timeout 85m ./test/...
}

rollout() {
  borrow_swarm
  go_tests rollout standard-verbose -tags e2e -count 1 -timeout 120m -run 'TestRollout|TestFaults' ./test/e2e
}

monitoring() {
  borrow_swarm
  go_tests monitoring standard-verbose -tags e2e -count 1 -timeout 60m -run 'TestMonitoring|TestPrometheus|TestRules|TestAlertmanager|TestMessages|TestOneFault|TestTestAlert|TestBlackbox' ./test/e2e
}

cost() { go_tests cost standard-verbose -tags e2e,cost -count 1 -timeout 60m -run TestMonitoringCost ./test/e2e; }

peers() {
  borrow_swarm
  go_tests peers standard-verbose -tags e2e,peers -count 1 -timeout 60m -run TestPeers ./test/e2e
}

# The prod stack needs a Swarm. Where the engine is in none, it gets one on the
# loopback address for the time of the tests, and leaves that one again.
borrow_swarm() {
  case $(docker info --format '{{.Swarm.LocalNodeState}}') in
    inactive)
      note "the engine is in no swarm: making one on 127.0.0.1 for the time of the tests"
      TAROT_SWARM_INIT=yes setup/swarm.sh
      trap 'docker swarm leave --force >/dev/null || true' EXIT
      ;;
    active) ;;
    *) fail "the engine's swarm state is $(docker info --format '{{.Swarm.LocalNodeState}}')" "docker info says more" ;;
  esac
}

for suite in "$@"; do
  case $suite in
    lint | unit | app | e2e | rollout | monitoring | peers | cost)
      step "Tests: $suite"
      "$suite"
      ;;
    *) fail "no suite is called $suite" "known are lint, unit, app, e2e, rollout, monitoring, peers and cost" ;;
  esac
done

printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
if [ "${#bad[@]}" -gt 0 ]; then fail "not passed, or not run: ${bad[*]}"; fi
