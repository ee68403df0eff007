#!/usr/bin/env bash
# test.sh SUITE...: runs suites, counts their tests, and ends with one line:
# "N passed, N failed, N skipped".
# test.sh --list SUITE: the end-to-end tests of a suite, one a line.
#
#   lint unit app          no engine, or only its builder
#   core                   end to end: what each change is tested with
#   long                   end to end: releases, faults and alerts, under load, and what is rare
#   thorough               end to end: the same in the other runtime, and each alert by its fault
#   data                   end to end: what is stored and backed up, through faults under load
#   rollout monitoring security   parts of these, alone and with their figures
#   engines                parts of both on a current engine beside the machine's own
#   all-engines            the same with more tests, and with both of its image stores
#   peers cost             figures, for scripts/bench.sh
#
# A test with the tag e2e says above itself which of core, long, thorough, data, engines, peers and cost runs
# it: `//suite:core`. test/workflows/suites_test.go holds each to exactly one.
#
# A suite in which no test ran has failed, and so has one with a skipped test:
# nobody reads about it in a green run.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
# shellcheck source=/dev/null
. setup/lib.sh

# tests_of SUITE: the names of the tests that say they are its own.
tests_of() {
  awk -v suite="$1" '
    /^\/\/suite:/ { said = substr($0, 9) }
    /^func Test[A-Z0-9_]/ { name = $2; sub(/\(.*/, "", name); if (said == suite) print name }
    !/^\/\// { said = "" }
  ' test/*/*_test.go
}

if [ "${1:-}" = --list ]; then
  tests_of "${2:?a suite}"
  exit
fi

readonly gotestsum=$PWD/build/tools/gotestsum gotestsum_module=gotest.tools/gotestsum@v1.13.0
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

# What go_tests runs its command through, where that is not the machine itself.
through=()

# have_gotestsum builds it once: `go run` of a module asks the network each time, which is
# not there for what runs on the current engine.
have_gotestsum() {
  if [ "$("$gotestsum" --version 2>/dev/null)" = "gotestsum version ${gotestsum_module#*@}" ]; then return; fi
  GOBIN=${gotestsum%/*} setup/with.sh go install "$gotestsum_module"
}

# go_tests SUITE FORMAT ARGUMENTS...: `go test` with its results counted.
go_tests() {
  local suite=$1 format=$2 status=0 total=0 failures=0 skips=0
  shift 2
  have_gotestsum
  # shellcheck disable=SC2016 # the variables are for the shell that gotestsum starts
  ${through[@]+"${through[@]}"} setup/with.sh "$gotestsum" --format "$format" --hide-summary skipped \
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

unit() {
  go_tests unit pkgname ./...
  # A module of its own.
  # shellcheck disable=SC2016 # $0 is the first word that it is given: setup/with.sh
  through=(bash -c 'cd cmd/acme && exec "../../$0" "$@"')
  go_tests acme pkgname ./...
  through=()
}

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

# end_to_end SUITE FORMAT MINUTES: the tests that say they are the suite's; with PART only
# those whose names begin so.
end_to_end() {
  local names
  names=$(tests_of "$1" | { grep "^${PART:-}" || true; } | paste -sd '|' -)
  [ -n "$names" ] || fail "no test of the suite $1 begins with ${PART:-Test}"
  go_tests "$1" "$2" -tags e2e,peers,cost -count 1 -timeout "$3m" -run "^($names)\$" ./test/...
}

core() {
  borrow_swarm
  end_to_end core testname 60
}

long() {
  setup/base-images.sh tests
  borrow_swarm
  end_to_end long testname 80
}

# have_gocryptfs gets what data at rest are tested with.
have_gocryptfs() {
  if have gocryptfs && have fusermount3; then return; fi
  if ! is_root || ! is_debian; then fail "gocryptfs is not here" "as root: apt-get install gocryptfs fuse3"; fi
  apt_install gocryptfs fuse3
}

thorough() {
  have_gocryptfs
  setup/base-images.sh tests
  borrow_swarm
  end_to_end thorough testname 120
}

data() {
  setup/base-images.sh tests
  borrow_swarm
  end_to_end data standard-verbose 120
}

rollout() {
  borrow_swarm
  go_tests rollout standard-verbose -tags e2e -count 1 -timeout 120m -run 'TestRollout|TestFaults' ./test/e2e
}

monitoring() {
  borrow_swarm
  go_tests monitoring standard-verbose -tags e2e -count 1 -timeout 60m \
    -run 'TestMonitoring|TestPrometheus|TestRules|TestAlertmanager|TestMessages|TestOneFault|TestTestAlert|TestBlackbox' ./test/e2e
}

# What docs/security.md says is checked by what.
security() {
  have_gocryptfs
  setup/base-images.sh tests
  borrow_swarm
  go_tests security standard-verbose -tags e2e -count 1 -timeout 90m \
    -run '^(TestEveryAnswerHasSecurityHeaders|TestStrangersAtTheDoor|TestTheProxyProtocol|TestGradeOfTLS|TestNobodyNoticesWhoHolds|TestNothingIsSmuggledPastTheEdge|TestCertificateByACME|TestCertificateByACMEInSwarm|TestFirewall|TestNginxAcceptsItsConfiguration|TestAuditOnContainers|TestAuditOnSwarm|TestWhoReachesWhomOnContainers|TestWhoReachesWhomOnSwarm|TestASecretInsideAnObjectIsRefused|TestScanOfARelease|TestDataAtRestOnContainers|TestDataAtRestOnSwarm)$' ./test/e2e
}

cost() {
  borrow_swarm
  end_to_end cost standard-verbose 60
}

peers() {
  borrow_swarm
  end_to_end peers standard-verbose 60
}

# The short form: what differs from engine to engine, where images are kept as new
# installations keep them.
engines() { on_engine engines containerd 'TestDevStack|TestEngine'; }

# The long form: whole stacks, on both stores, started by whoever starts containerd.
all-engines() {
  local stacks='TestDevStack|TestProdStack|TestOwnApplication|TestEngine'
  on_engine engine-containerd containerd "$stacks"
  ENGINE_CONTAINERD=system on_engine engine-overlay2 overlay2 "$stacks"
  ENGINE_CONTAINERD=system on_engine engine-containerd-system containerd TestEngine
}

# on_engine SUITE STORE TESTS: on a current engine, which refuses what Docker 29 refuses.
on_engine() {
  local suite=$1 store=$2 tests=$3 engine=test/engines/current-engine.sh
  # Its network has no way out: what is compiled has to be here before.
  have_gotestsum
  if ! setup/with.sh go test -tags e2e,engines -run '^$' ./test/e2e >"$results/$suite.compiled" 2>&1; then
    cat "$results/$suite.compiled" >&2
    count "$suite" 0 1 0
    return
  fi
  trap 'test/engines/current-engine.sh down' EXIT
  DOCKER_MIN_API_VERSION=1.44 "$engine" up "$store"
  # Before a node is in a swarm, as docs/security.md says.
  "$engine" exec docker network create --ipv6 --subnet fdd5:213:1::/64 --subnet 172.31.255.0/24 --opt com.docker.network.bridge.name=docker_gwbridge \
    --opt com.docker.network.bridge.enable_icc=false --opt com.docker.network.bridge.enable_ip_masquerade=true docker_gwbridge >/dev/null
  TAROT_SWARM_INIT=yes "$engine" exec setup/swarm.sh
  through=("$engine" exec)
  go_tests "$suite" testname -tags e2e,engines -count 1 -timeout 60m -run "$tests" ./test/e2e
  through=()
  "$engine" down
  trap - EXIT
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
    lint | unit | app | core | long | thorough | data | rollout | monitoring | security | engines | all-engines | peers | cost)
      step "Tests: $suite"
      "$suite"
      ;;
    *) fail "no suite is called $suite" "known are lint, unit, app, core, long, thorough, data, rollout, monitoring, security, engines, all-engines, peers and cost" ;;
  esac
done

printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
if [ "${#bad[@]}" -gt 0 ]; then fail "not passed, or not run: ${bad[*]}"; fi
