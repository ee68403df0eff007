#!/usr/bin/env bash
# shellcheck disable=SC2016 # the hooks expand in mmdebstrap's shell, not here
#
# Builds the root file system that current-engine.sh starts a Docker engine in, from
# Debian's archive:
#
#   root.sh ARCHITECTURE FOLDER
#
# The folder appears when it is whole.
set -euo pipefail
umask 022

here=$(cd "$(dirname "$0")/../../setup" && pwd)
# shellcheck source=/dev/null
. "$here/lib.sh"

arch=$1 out=$2
# The newest that Debian has; archive.sh reads these.
suites=(forky)
security=forky-security
cache="$(cache_dir)/debian/engine-$arch"
work=$(mktemp -d)
# shellcheck source=setup/standins/archive.sh
. "$here/standins/archive.sh"
trap 'rm -rf "$work" "$out.new"' EXIT

include=(containerd docker-cli docker.io iproute2 iptables mount runc)

# Kept when the build is interrupted, and used again without a network.
download() {
  fetch_lists
  apt-get --quiet --yes --download-only install '?essential' '?priority(required)' apt "${include[@]}"
}

build() {
  local option options=(--variant=essential --architectures="$arch" --include="${include[*]}")
  for option in "${apt_options[@]}"; do options+=(--aptopt="$option"); done
  options+=(
    --skip=update --skip=download/empty
    --setup-hook='mkdir -p "$1/var/cache/apt/archives" "$1/var/lib/apt/lists"'
    --setup-hook="sync-in '$cache/archives' /var/cache/apt/archives"
    --setup-hook="sync-in '$cache/lists' /var/lib/apt/lists"
    # What it took over from this machine.
    --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"'
  )
  sources | mmdebstrap "${options[@]}" "${suites[0]}" "$out.new" -
}

rm -rf "$out.new"
mkdir -p "$out.new"
download
build
rm -rf "$out"
mv "$out.new" "$out"
