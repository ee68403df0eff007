#!/usr/bin/env bash
# A current Docker engine beside the machine's own, for tests: Debian forky's, out of a
# folder, in namespaces and control groups of its own. Linux, as root.
#
#   current-engine.sh up [containerd|overlay2]   starts it, with the machine's base images
#   current-engine.sh exec COMMAND...            runs a command against it, in its network
#   current-engine.sh down                       stops it, and removes what it has stored
#
# up's argument is where it keeps images: containerd's store (as new installations of
# Docker 29 do) or the classic one.
#
# ENGINE_CONTAINERD=system        starts containerd before it, as Debian does; else
#                                 dockerd starts one of its own
# DOCKER_MIN_API_VERSION=1.44     refuses what Docker 29 refuses
# APT_MIRROR                      where the packages come from instead of http://deb.debian.org
#
# The root file system is made once a machine, in set-up's cache. Its network has no
# way out: what a command needs of the network has to be here before.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../../setup/lib.sh"

folder=$(cache_dir)/current-engine
root=$folder/root
work=$folder/work
socket=$work/docker.sock
group=tarot-current-engine # of control groups

# at_engine COMMAND...: with the engine's address.
at_engine() { DOCKER_HOST=unix://$socket DOCKER_CONTEXT='' "$@"; }

first_process() { cat "$work/pid" 2>/dev/null; }
runs() { [ -e "/proc/$(first_process || echo none)/ns" ]; }

# --- the root file system -----------------------------------------------------

need_root() {
  local arch missing=()
  if ! is_root || [ "$(uname -s)" != Linux ]; then
    fail "a current engine beside this one takes root on Linux" "run the tests on Debian or Ubuntu as root, or against an engine that you have: DOCKER_HOST"
  fi
  if ! have mmdebstrap; then missing+=(mmdebstrap); fi
  if [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then missing+=(debian-archive-keyring); fi
  if [ "${#missing[@]}" -gt 0 ]; then
    is_debian || fail "not here: ${missing[*]}" "install them: the engine is made of Debian's packages"
    apt_install "${missing[@]}" || fail "${missing[*]} could not be installed"
  fi
  # Changed instructions make another one.
  if [ "$(cat "$root/etc/made-by" 2>/dev/null)" = "$(cksum <"$here/root.sh")" ]; then return; fi
  arch=$(dpkg --print-architecture)
  run_logged "root file system of the current engine" "2 min" "$here/root.sh" "$arch" "$root" ||
    fail "Debian's Docker engine could not be unpacked" "APT_MIRROR names a mirror of Debian's archive; what has arrived is kept."
  cksum <"$here/root.sh" >"$root/etc/made-by"
}

# --- start and stop -----------------------------------------------------------

# Control groups of its own, or what runs there counts as the caller's. v1 has a
# hierarchy for each controller, and a new cpuset has no processor.
enter_groups() {
  local hierarchy
  for hierarchy in /sys/fs/cgroup/ /sys/fs/cgroup/*/; do
    if [ ! -w "${hierarchy}cgroup.procs" ]; then continue; fi
    # Of v2, what is below the top is a group and no hierarchy.
    if [ "$hierarchy" != /sys/fs/cgroup/ ] && [ -e /sys/fs/cgroup/cgroup.controllers ]; then continue; fi
    mkdir -p "$hierarchy$group"
    if [ -e "$hierarchy$group/cpuset.cpus" ] && [ ! -e "$hierarchy$group/cgroup.controllers" ]; then
      cat "${hierarchy}cpuset.cpus" >"$hierarchy$group/cpuset.cpus"
      cat "${hierarchy}cpuset.mems" >"$hierarchy$group/cpuset.mems"
    fi
    echo "$BASHPID" >"$hierarchy$group/cgroup.procs"
  done
}

leave_groups() {
  local tops=(/sys/fs/cgroup/"$group" /sys/fs/cgroup/*/"$group") top
  for top in "${tops[@]}"; do
    if [ -d "$top" ]; then find "$top" -depth -type d -exec rmdir {} + 2>/dev/null || true; fi
  done
}

# Detached: nobody holds this script's files open, and its end is not the engine's.
start() {
  (
    cd /
    exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    enter_groups
    exec setsid unshare --mount --net --pid --fork --cgroup --uts --ipc --kill-child \
      "$here/namespace.sh" "$root" "$work" "$1" >"$work/log" 2>&1 </dev/null
  ) &
  starter=$!
}

answers() {
  local deadline=$((SECONDS + 60))
  while [ "$SECONDS" -lt "$deadline" ]; do
    if runs && at_engine docker version --format '{{.Server.Version}}' 2>/dev/null; then return; fi
    kill -0 "$starter" 2>/dev/null || return 1
    sleep 0.2
  done
  return 1
}

# The base images of the machine's engine, without a registry.
carry() {
  local images=() image
  while read -r image; do
    if docker image inspect "$image" >/dev/null 2>&1; then images+=("$image"); fi
  done < <("$here/../../setup/base-images.sh" --list | cut -f 1)
  [ "${#images[@]}" -gt 0 ] || fail "the machine's engine has none of the base images" "make base-images gets them"
  # shellcheck disable=SC2016 # expands in the inner shell
  run_logged "carry ${#images[@]} base images over" "30 s" bash -c \
    'set -o pipefail; socket=$1; shift; docker save "$@" | DOCKER_CONTEXT= DOCKER_HOST=unix://$socket docker load' - "$socket" "${images[@]}" ||
    fail "the base images could not be carried over"
}

up() {
  local store=${1:-containerd}
  case $store in containerd | overlay2) ;; *) fail "current-engine.sh up $store" "it is containerd or overlay2." ;; esac
  step "A current Docker engine, store $store"
  need_root
  if runs; then fail "it runs already" "$0 down"; fi
  clean
  mkdir -p "$work/tmp"
  start "$store"
  if ! run_logged "start the current engine" "3 s" answers; then
    tail -n 20 "$work/log" | sed 's/^/        | /' >&2
    stop
    fail "it does not answer" "the lines above say why."
  fi
  carry
  ok "Docker $(at_engine docker info --format '{{.ServerVersion}}, {{.Driver}}, containerd {{.ContainerdCommit.ID}}, runc {{.RuncCommit.ID}}') at unix://$socket"
}

# What it runs is stopped in order, then whatever is left is killed.
stop() {
  local process ticks=150
  process=$(first_process) || return 0
  if [ -e "$work/docker.pid" ]; then
    # Its number is one of the namespace's.
    # shellcheck disable=SC2016 # expands in the inner shell
    nsenter --target "$process" --pid --mount /bin/sh -c 'kill "$1"' - "$(cat "$work/docker.pid")" || true
    while [ "$ticks" -gt 0 ] && [ -e "/proc/$process" ]; do
      ticks=$((ticks - 1))
      sleep 0.2
    done
  fi
  kill -KILL "$process" 2>/dev/null || true
  while [ -e "/proc/$process/ns/net" ]; do sleep 0.1; done
}

clean() {
  stop
  leave_groups
  rm -rf "$work"
}

down() {
  step "Stop the current Docker engine"
  clean
  ok "stopped, and nothing of it is left but its root file system"
}

run() {
  runs || fail "the current engine does not run" "$0 up"
  at_engine env TMPDIR="$work/tmp" nsenter --net="/proc/$(first_process)/ns/net" "$@"
}

main() {
  local command=${1:-}
  if [ $# -gt 0 ]; then shift; fi
  case $command in
    up) up "$@" ;;
    exec) run "$@" ;;
    down) down ;;
    *) fail "usage: current-engine.sh up [containerd|overlay2] | exec COMMAND... | down" ;;
  esac
}

main "$@"
