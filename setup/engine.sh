#!/usr/bin/env bash
# A Docker engine that answers: the one that DOCKER_HOST or the docker context
# names; else the local one, which is installed and started if need be (Debian
# and Ubuntu, as root). It never changes the settings of an engine.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/lib.sh"

minimum_api=1.41 # Docker 20.10: what the platform is tested with, at the lowest
local_socket=unix:///var/run/docker.sock
dockerd_log=/var/log/dockerd.log

# --- asking -----------------------------------------------------------------

address() {
  if [ -n "${DOCKER_HOST:-}" ]; then
    printf '%s\n' "$DOCKER_HOST"
  else
    docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || printf '%s\n' "$local_socket"
  fi
}

# "VERSION API ARCHITECTURE" of the engine, or the reason why not in $problem.
answer=''
problem=''
ask() {
  local out
  out=$(bounded "${1:-10}" docker version --format '{{.Server.Version}} {{.Server.APIVersion}} {{.Server.Arch}}' 2>&1) || {
    problem=$(printf '%s\n' "$out" | grep -v '^ *$' | tail -n 1)
    problem=${problem:-no answer in ${1:-10} s}
    return 1
  }
  answer=$(printf '%s\n' "$out" | tail -n 1)
}

report() {
  local version api arch
  read -r version api arch <<<"$answer"
  at_least "$api" "$minimum_api" ||
    fail "the engine at $(address) is $version, with API $api" "API $minimum_api is needed: Docker 20.10 or newer."
  ok "Docker $version ($arch, API $api) at $(address)"
}

# at_least 1.51 1.41
at_least() {
  [ "${1%%.*}" -gt "${2%%.*}" ] || { [ "${1%%.*}" -eq "${2%%.*}" ] && [ "${1#*.}" -ge "${2#*.}" ]; }
}

# --- the local engine -------------------------------------------------------

has_package() { dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
in_archive() { apt-cache show "$1" >/dev/null 2>&1; }
with_systemd() { [ -d /run/systemd/system ]; }

install_engine() {
  local packages=(docker.io ca-certificates)
  if has_package docker-ce; then
    fail "docker-ce is installed without its ${1:-daemon}" "apt-get install docker-ce docker-ce-cli"
  fi
  # From Debian 13 on the client is a package of its own; where the kernel has
  # AppArmor, containers do not start without its parser.
  if in_archive docker-cli; then packages+=(docker-cli); fi
  if [ -d /sys/kernel/security/apparmor ]; then packages+=(apparmor); fi
  apt_install "${packages[@]}" || fail "Docker could not be installed" \
    "apt's message is above. Behind a slow network, point apt at a mirror near you" \
    "(/etc/apt/sources.list*), then run this again."
}

# Without an init system nobody may have mounted the control groups.
mount_cgroups() {
  if grep -q ' /sys/fs/cgroup' /proc/mounts; then return; fi
  note "mounting the control groups: mount -t cgroup2 cgroup2 /sys/fs/cgroup"
  mount -t cgroup2 cgroup2 /sys/fs/cgroup || warn "that failed; the engine will hardly start without them"
}

# Detached from this script's terminal and from its files: make waits for
# everybody who holds its output, or its job server, open.
dockerd_pid=''
start_dockerd() {
  log_before=$(wc -c 2>/dev/null <"$dockerd_log" || echo 0)
  (
    cd /
    exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    exec setsid dockerd >>"$dockerd_log" 2>&1 </dev/null
  ) &
  dockerd_pid=$! # setsid and dockerd keep the number; dockerd writes it to its pid file
}

# A dockerd that somebody has started, and that may still be on its way.
running_dockerd() {
  local pid
  pid=$(cat /var/run/docker.pid 2>/dev/null) || return 1
  # One that was killed keeps its name until somebody takes note of its death.
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] && ! grep -q '^State:.*Z' "/proc/$pid/status" && dockerd_pid=$pid
}

wait_for_engine() {
  local deadline=$((SECONDS + 60))
  while [ "$SECONDS" -lt "$deadline" ]; do
    if ask 5; then return 0; fi
    echo "$problem"
    # Dead is dead: its log says why.
    if [ -n "$dockerd_pid" ] && ! kill -0 "$dockerd_pid" 2>/dev/null; then return 1; fi
    sleep 0.5
  done
  return 1
}

start_service() {
  local hint="journalctl -u docker -n 50 says why."
  run_logged "start the docker service" "5 s" systemctl enable --now docker || fail "the docker service does not start" "$hint"
  run_logged "wait for the engine" "5 s" wait_for_engine || fail "the docker service runs, but does not answer: $problem" "$hint"
}

start_alone() {
  log_before=0
  if ! running_dockerd; then
    mount_cgroups
    start_dockerd
  fi
  run_logged "start dockerd" "5 s" wait_for_engine && return
  note "$dockerd_log, without the chatter:"
  tail -c "+$((log_before + 1))" "$dockerd_log" 2>/dev/null | grep -v 'level=info' | tail -n 20 | sed 's/^/        | /' >&2 || true
  fail "dockerd does not answer" "The lines above say why. (In a container it needs --privileged.)"
}

start_engine() { if with_systemd; then start_service; else start_alone; fi; }

how_to_install() {
  case $(uname -s) in
    Darwin)
      fail "no Docker engine answers at $(address): $problem" \
        "Install and start Docker Desktop, or: brew install colima docker docker-buildx && colima start" \
        "An engine elsewhere does as well: export DOCKER_HOST=ssh://you@host"
      ;;
    Linux) ;;
    *) fail "no Docker engine, and this is $(uname -s)" "Use Linux, macOS or WSL 2; or export DOCKER_HOST=ssh://you@host" ;;
  esac
  if is_debian; then
    fail "no Docker engine answers at $(address): $problem" \
      "It takes root to install and start one: run this as root once, or" \
      "  sudo apt-get install docker.io && sudo systemctl enable --now docker" \
      "  sudo usermod -aG docker $(id -un)    then log in again"
  fi
  fail "no Docker engine answers at $(address): $problem" \
    "Install Docker 20.10 or newer with your system's packages, start it, and let $(id -un) use it:" \
    "  Fedora: sudo dnf install moby-engine    Arch: sudo pacman -S docker    Alpine: sudo apk add docker" \
    "  sudo systemctl enable --now docker && sudo usermod -aG docker $(id -un)    then log in again"
}

local_engine() {
  case $problem in
    *'permission denied'*)
      fail "the engine is there, but $(id -un) may not use it" "sudo usermod -aG docker $(id -un)    then log in again"
      ;;
    *'Minimum supported API'* | *'is too new'* | *'is too old'*)
      fail "the docker client and the engine do not speak the same API: $problem" \
        "Update the older of the two: $(command -v docker), and the engine at $(address)."
      ;;
  esac
  if ! { is_debian && is_root; }; then how_to_install; fi
  if ! have dockerd; then install_engine; fi
  if ! have docker; then install_engine client; fi
  if ! ask 5; then start_engine; fi
}

main() {
  step "Docker engine"
  if have docker; then
    if ask; then
      report
      return
    fi
    if [ -n "${DOCKER_HOST:-}" ]; then
      fail "the engine that DOCKER_HOST names does not answer: $DOCKER_HOST" "$problem" \
        "Start it, correct the address, or unset DOCKER_HOST to use the local engine."
    fi
    if [ "$(address)" != "$local_socket" ]; then
      fail "the engine of the docker context '$(docker context show 2>/dev/null)' does not answer: $(address)" "$problem" \
        "Start it, or choose another: docker context ls; docker context use default"
    fi
  elif [ -n "${DOCKER_HOST:-}" ]; then
    fail "DOCKER_HOST is $DOCKER_HOST, but there is no docker client here" "install the docker command (Debian: docker-cli or docker.io)."
  else
    problem='the docker command is not installed'
  fi
  local_engine
  report
}

main "$@"
