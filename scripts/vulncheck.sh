#!/usr/bin/env bash
# Known vulnerabilities in what the programs of this project call, by govulncheck, of the Go module
# proxy alone: Go's database of them is a module there, too. Minutes the first time.
#
#   scripts/vulncheck.sh            the program and its commands, and what is a module of its own
#   scripts/vulncheck.sh FOLDER...  these modules
#
# Exit code 0: none; 1: there are some; 2: it was not looked for.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../setup/lib.sh"
cd "$here/.."

readonly tool_version=v1.9.0 database=golang.org/x/vulndb
store=$(cache_dir)/vulndb

not_scanned() {
  (fail "not scanned: $1" "${@:2}") || true
  exit 2
}

# The newest version; without a network the newest that is here, and it says of when that is.
version=$(cd / && go list -m -f '{{.Version}}' "$database@latest" 2>/dev/null) || version=
if [ -z "$version" ]; then
  version=$(find "$store" -mindepth 1 -maxdepth 1 -name 'v[0-9]*' 2>/dev/null | sed 's|.*/||' | sort | tail -n 1)
  if [ -z "$version" ]; then not_scanned "the Go module proxy has no $database" "name one that answers: export GOPROXY=https://goproxy.cn,direct"; fi
  warn "the Go module proxy does not answer: the database is the one that is here"
fi

# gendb takes the time of an entry from git, which a module has no more: all have the module's.
if [ ! -e "$store/$version/index/db.json" ]; then
  made=$(mktemp -d)
  trap 'rm -rf "$made"' EXIT
  module=$(cd / && go mod download -json "$database@$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p') || true
  if [ -z "$module" ]; then not_scanned "$database $version can't be had"; fi
  mkdir -p "$made/repository/data" "$store"
  cp -R "$module/data/osv" "$made/repository/data/"
  chmod -R u+w "$made"
  git -C "$made/repository" init --quiet
  git -C "$made/repository" add .
  git -C "$made/repository" -c user.name=vulncheck -c user.email=vulncheck@localhost -c commit.gpgsign=false commit --quiet --message "$version"
  run_logged "The database of Go's vulnerabilities" "2 min" go run "$database/cmd/gendb@$version" -repo "$made/repository" -out "$made/out" ||
    not_scanned "the database could not be made"
  rm -rf "${store:?}/$version"
  mv "$made/out" "$store/$version"
fi

govulncheck=$store/tools/$tool_version/govulncheck
if [ ! -x "$govulncheck" ]; then
  run_logged "govulncheck $tool_version" "1 min" env GOBIN="${govulncheck%/*}" go install "golang.org/x/vuln/cmd/govulncheck@$tool_version" ||
    not_scanned "govulncheck could not be built"
fi

step "govulncheck, with the database of $(printf '%s' "$version" | sed -E 's/.*-([0-9]{4})([0-9]{2})([0-9]{2})[0-9]{6}-.*/\1-\2-\3/')"
if [ $# -eq 0 ]; then set -- . cmd/acme; fi
worst=0
for folder; do
  status=0
  # What the tests and the toolchain call is nobody's to attack.
  (cd "$folder" && "$govulncheck" -db "file://$store/$version" ./...) || status=$?
  case $status in
  0) ok "$folder: nothing is known against what it calls" ;;
  3) worst=1 ;;
  *) not_scanned "$folder: govulncheck ended with $status" ;;
  esac
done
exit "$worst"
