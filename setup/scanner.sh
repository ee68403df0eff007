#!/usr/bin/env bash
# grype, which looks for known vulnerabilities: what is there is used, and what is missing is built
# from the Go module proxy alone (scanner/go.mod says which). Only who scans needs it: nothing else
# of set-up asks for it.
#
#   TAROT_GRYPE   a grype of one's own: nothing is built then
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/lib.sh"

folder=$(cache_dir)/scanner
version=$(sed -n 's|^[[:space:]]*\(require \)\{0,1\}github.com/anchore/grype v\([0-9.]*\).*|\2|p' "$here/../scanner/go.mod")

step "grype"
if [ -n "${TAROT_GRYPE:-}" ]; then
  if [ ! -x "$TAROT_GRYPE" ]; then fail "TAROT_GRYPE is $TAROT_GRYPE, which can not be run" "unset it, or name a program"; fi
  ok "TAROT_GRYPE: $TAROT_GRYPE"
  exit
fi
if [ "$(cat "$folder/version" 2>/dev/null)" = "$version" ] && [ -x "$folder/grype" ]; then
  ok "grype $version: $folder/grype"
  exit
fi

mkdir -p "$folder"
# -v names packages as they are compiled, so that the log shows life.
run_logged "Building grype $version from the Go module proxy" "3 min" "$here/with.sh" env GOWORK=off CGO_ENABLED=0 \
  go -C "$here/../scanner" build -v -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$version" \
  -o "$folder/grype.new" github.com/anchore/grype/cmd/grype ||
  fail "grype could not be built" "name a module mirror that answers and run this again:" "export GOPROXY=https://goproxy.cn,direct" \
    "or name a grype of your own: export TAROT_GRYPE=/path/to/grype"
rm -f "$folder/version"
mv -f "$folder/grype.new" "$folder/grype"
printf '%s\n' "$version" >"$folder/version"
ok "grype $version: $folder/grype"
