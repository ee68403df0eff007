#!/usr/bin/env bash
# The operator's tool, as `stack` on the PATH: a few lines that run the program of this checkout,
# which is built when its sources are newer. Where another program has the name, it is left alone.
#
#   setup/stack.sh           install
#   setup/stack.sh remove    take it away again
#
# TAROT_TOOL_FOLDER          where it goes, in place of the folders that are tried
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/lib.sh"
checkout=$(cd "$here/.." && pwd)
mark="# tarot-platform's operator's tool"

on_path() { case ":$PATH:" in *":$1:"*) true ;; *) false ;; esac; }
is_ours() { [ -f "$1" ] && [ "$(sed -n 2p "$1" 2>/dev/null)" = "$mark" ]; }

# The folders that it may be in: the first of them that is on the PATH, or the first.
folders=("$HOME/.local/bin" "$HOME/bin")
if is_root; then folders=(/usr/local/bin "${folders[@]}"); fi
if [ -n "${TAROT_TOOL_FOLDER:-}" ]; then folders=("$TAROT_TOOL_FOLDER"); fi

if [ "${1:-}" = remove ]; then
  for folder in "${folders[@]}"; do
    if is_ours "$folder/stack"; then rm -f "$folder/stack" && ok "$folder/stack is removed"; fi
  done
  exit
fi
[ $# -eq 0 ] || fail "usage: setup/stack.sh, or setup/stack.sh remove"

folder=${folders[0]}
for candidate in "${folders[@]}"; do
  if on_path "$candidate"; then folder=$candidate && break; fi
done
target=$folder/stack
if [ -e "$target" ] && ! is_ours "$target"; then
  warn "$target is another program, and stays: the operator's tool is $checkout/build/stack-tool"
  target=$checkout/build/stack-tool
fi
mkdir -p "$(dirname "$target")"
cat >"$target.new" <<LAUNCHER
#!/usr/bin/env bash
$mark
# of $checkout (setup/stack.sh). In another checkout of the project, it is that one's program.
set -euo pipefail
checkout=$(printf '%q' "$checkout")
folder=\$PWD
while [ -n "\$folder" ] && [ ! -e "\$folder/setup/stack-run.sh" ]; do folder=\${folder%/*}; done
exec "\${folder:-\$checkout}/setup/stack-run.sh" "\$@"
LAUNCHER
chmod 755 "$target.new"
mv -f "$target.new" "$target"
if [ "$(command -v stack || true)" -ef "$target" ]; then
  ok "stack is on the PATH: $target"
else
  ok "stack: $target"
  if [ "$target" = "$folder/stack" ] && ! on_path "$folder"; then
    note "it is not on the PATH of your shell. Put this into its profile:"
    note "export PATH=\"$(dirname "$target"):\$PATH\""
  fi
fi
