#!/usr/bin/env bash
# with.sh COMMAND...: runs a command with what set-up has found: tools on the
# PATH, and the engine of the selected Docker context.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

if ! command -v pulumi >/dev/null || ! command -v go >/dev/null; then
  PATH="$("$here/pulumi.sh"):$PATH"
  export PATH
fi

# Pulumi's Docker provider reads the variables, and not the selected context.
if [ -z "${DOCKER_HOST:-}${DOCKER_CONTEXT:-}" ] && command -v docker >/dev/null; then
  context=$(docker context show 2>/dev/null || echo default)
  if [ "$context" != default ]; then export DOCKER_CONTEXT=$context; fi
fi

exec "$@"
