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
# A terminal is not to be asked for its colours: the answer, and what is typed before it comes, would be
# no input of a command's (cmd/stack/main.go).
export STACK_CHECKOUT=$checkout STACK_TERM=${TERM:-} TERM=dumb
exec "$here/with.sh" "$tool" "$@"
