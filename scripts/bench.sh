#!/usr/bin/env bash
# bench.sh [rollout | monitoring | backup | idle]: measures the figures of docs/benchmarks.md (test/bench says
# which variables choose what), or those of releases under load (test/e2e/peers_test.go),
# side by side with their peers, or what the monitoring and the
# continuous backup cost (test/e2e/cost_test.go, backup_cost_test.go), or what
# prod costs while nobody uses it (test/e2e/idle_test.go). Of these, Docker Compose may be
# missing here: then Debian's package is taken, into the cache folder; kamal-proxy is built there.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../setup/lib.sh"
# shellcheck source=/dev/null
. "$here/debian.sh"
root=$(cd "$here/.." && pwd)

# Its package needs nothing but the C library.
download_compose() {
  local folder=$1
  debian_package "$folder.new" docker-compose &&
    package/usr/libexec/docker/cli-plugins/docker-compose version &&
    rm -rf "$folder" &&
    mkdir "$folder" &&
    mv package/usr/libexec/docker/cli-plugins/docker-compose "$folder/" &&
    rm -rf "$folder.new"
}

find_compose() {
  local folder
  folder=$(cache_dir)/compose
  if docker compose version >/dev/null 2>&1; then
    compose='docker compose'
  elif [ -x "$folder/docker-compose" ]; then
    compose=$folder/docker-compose
  elif can_unpack &&
    (run_logged "Docker Compose from Debian" "15 s" download_compose "$folder"); then
    compose=$folder/docker-compose
  else
    warn "no Docker Compose: the first figure can not be measured"
    note "install it as a plugin of docker (Debian 13: docker-compose, elsewhere docker-compose-plugin)"
    compose=''
  fi
}

step "Benchmark"
if [ "${1:-}" = monitoring ]; then PART=TestMonitoring exec "$here/test.sh" cost; fi
if [ "${1:-}" = backup ]; then PART=TestBackup exec "$here/test.sh" cost; fi
if [ "${1:-}" = idle ]; then PART=TestIdle exec "$here/test.sh" cost; fi
find_compose
if [ "${1:-}" = rollout ]; then
  [ -n "$compose" ] || fail "without Docker Compose there is no comparison"
  proxy=$(cache_dir)/kamal-proxy
  run_logged "build kamal-proxy" "1 min" env CGO_ENABLED=0 GOWORK=off go -C "$root/test/peers" build -o "$proxy" github.com/basecamp/kamal-proxy/cmd/kamal-proxy ||
    fail "kamal-proxy could not be built"
  PEERS_KAMAL_PROXY=$proxy PEERS_COMPOSE=$compose exec "$here/test.sh" peers
fi
mkdir -p "$root/build"
run_logged "compile the benchmark" "30 s" env GOWORK=off go -C "$root/test/bench" build -buildvcs=false -o "$root/build/bench" . ||
  fail "the benchmark could not be compiled"
BENCH_ROOT=$root BENCH_COMPOSE=$compose exec "$root/build/bench"
