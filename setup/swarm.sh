#!/usr/bin/env bash
# Production runs on Swarm: is the engine a manager? On a single machine without
# a swarm this offers to start one; it never joins and never leaves one.
#
# TAROT_SWARM_INIT=yes      start one without asking
# TAROT_SWARM_ADVERTISE     the address under which other machines reach this one;
#                           without it the swarm listens on 127.0.0.1 only
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/lib.sh"

# On loopback the manager is not opened to the network, and on a machine with
# several addresses, where `docker swarm init` asks for one, there is nothing to
# choose. (The kernel opens 4789/udp for overlay networks all the same.)
if [ -n "${TAROT_SWARM_ADVERTISE:-}" ]; then
  init=(docker swarm init --advertise-addr "$TAROT_SWARM_ADVERTISE")
else
  init=(docker swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1:2377 --data-path-addr 127.0.0.1)
fi

wants_swarm() {
  local reply
  if [ "${TAROT_SWARM_INIT:-}" = yes ]; then return 0; fi
  if ! [ -t 0 ]; then return 1; fi
  note "This engine is not part of a swarm. To make it a swarm of one machine:"
  note "  ${init[*]}"
  printf '        Do that now? [y/N] ' >&2
  read -r reply
  case $reply in y | Y | yes) return 0 ;; *) return 1 ;; esac
}

offer() {
  wants_swarm || fail "this engine is not part of a swarm, and production needs one" \
    "to start one on this machine alone:" \
    "  ${init[*]}" \
    "or run this again with TAROT_SWARM_INIT=yes. (To undo it: docker swarm leave --force)" \
    "For several machines: TAROT_SWARM_ADVERTISE=<this machine's address>, then \`docker swarm join\` on the others."
  run_logged "docker swarm init" "5 s" "${init[@]}" || fail "the swarm could not be started" \
    "With several network addresses name one: TAROT_SWARM_ADVERTISE=192.0.2.10"
}

main() {
  local answer state control nodes
  step "Swarm"
  answer=$(docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}} {{.Swarm.Nodes}}' 2>/dev/null) ||
    fail "no Docker engine answers" "setup/engine.sh says why."
  read -r state control nodes <<<"$answer"
  case $state/$control in
    active/true) ok "manager of a swarm of $nodes" ;;
    active/*)
      fail "this engine is a worker of a swarm, and services can only be deployed through a manager" \
        "use a manager's engine: DOCKER_HOST or docker context; the managers are:" \
        "$(docker info --format '{{range .Swarm.RemoteManagers}}{{.Addr}} {{end}}')"
      ;;
    inactive/*)
      offer
      ok "manager of a swarm of 1"
      ;;
    locked/*) fail "the swarm is locked" "docker swarm unlock" ;;
    *) fail "the swarm's state is '$state'" "docker info says more; a manager that lost the others may need: docker swarm init --force-new-cluster" ;;
  esac
}

main "$@"
