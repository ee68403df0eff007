#!/usr/bin/env bash
# crash-engine.sh: kills the Docker engine of this machine and starts it again, for
# ROLLOUT_RESTART_ENGINE. Only for a machine on which nothing else needs its engine.
set -euo pipefail

kill -KILL "$(cat /var/run/docker.pid)"
# Until its parent takes note of its death, the next one takes it for alive.
for _ in 1 2 3 4 5; do
  sleep 1
  if "$(dirname "$0")/../setup/engine.sh"; then exit 0; fi
done
exit 1
