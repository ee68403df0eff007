#!/usr/bin/env bash
# Builds parts of the toolchain from the Go module proxy alone.
#
#   toolchain/build.sh FOLDER [cli] [docker] [random]     all of them by default
#   toolchain/build.sh --key                              what the result depends on, as a short hash
#
# cli is the Pulumi CLI and the Go language host; docker and random are plugins. A part appears in FOLDER when it is
# whole. How long it takes: README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export GOWORK=off    # a workspace above the repository is not meant for this module
export CGO_ENABLED=0 # no C compiler is needed then
cli_version=$(sed -n 's|^[[:space:]]*github.com/pulumi/pulumi/pkg/v3 v\([0-9.]*\).*|\1|p' go.mod)

sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }

if [ "${1-}" = --key ]; then
  {
    go env GOVERSION GOOS GOARCH
    find . -type f \( -name '*.go' -o -name 'go.*' -o -name build.sh \) ! -name '*_test.go' | LC_ALL=C sort |
      while read -r file; do printf '%s ' "$file" && sha256 <"$file"; done
  } | sha256 | cut -c 1-12
  exit
fi

# no_compose leaves Docker Compose, which the upstream provider can drive, out of the docker plugin. No version control
# stamp: it fails in a repository of another user. -v names packages as they are compiled, so that the log shows life.
build() {
  local output=$1 package=$2 flags=${3-}
  go build -v -buildvcs=false -tags no_compose -ldflags "-s -w $flags" -o "$output.new" "$package"
  mv -f "$output.new" "$output"
}

folder=${1:?where to put the result}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
shift
if [ $# -eq 0 ]; then set -- cli docker random; fi
for part in "$@"; do
  case $part in
  cli)
    build "$folder/pulumi-language-go" ./cmd/pulumi-language-go
    build "$folder/pulumi" github.com/pulumi/pulumi/pkg/v3/cmd/pulumi \
      "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$cli_version"
    ;;
  docker | random) build "$folder/pulumi-resource-$part" "./cmd/pulumi-resource-$part" ;;
  *) echo "build.sh: no part is called $part" >&2 && exit 2 ;;
  esac
done
