#!/usr/bin/env bash
# stack-run.sh ARGUMENTS...: the operator's tool of this checkout, built when its sources are newer
# than it is.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/.." && pwd)
tool=$checkout/build/stack

if [ ! -x "$tool" ] || [ -n "$(find "$checkout"/{cmd,components,internal,assets,go.mod,go.sum} -newer "$tool" -print -quit)" ]; then
  if [ -t 2 ]; then printf '  ...   building the tool\n' >&2; fi
  mkdir -p "$checkout/build"
  # Under a name of its own first: another one may be at work.
  "$here/with.sh" go -C "$checkout" build -o "$tool.$$" ./cmd/stack
  mv -f "$tool.$$" "$tool"
fi
export STACK_CHECKOUT=$checkout
exec "$here/with.sh" "$tool" "$@"
