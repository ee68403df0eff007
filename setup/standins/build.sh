#!/usr/bin/env bash
# shellcheck disable=SC2016 # the hooks expand in mmdebstrap's shell, not here
#
# Builds the root file system of a stand-in from Debian's archive:
#
#   build.sh python|nginx ARCHITECTURE OUT.tar
#
# mmdebstrap checks the archive's signatures with Debian's keyring. As root it
# uses a chroot; for other users it takes a user namespace.
set -euo pipefail
umask 022

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../lib.sh"
# shellcheck source=setup/standins/archive.sh
. "$here/archive.sh"

kind=$1 arch=$2 out=$3
cache="$(cache_dir)/debian/$kind-$arch"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case $kind in
  python)
    suites=(trixie trixie-updates)
    security=trixie-security
    # The libraries at the end are what the compiled wheels are linked to.
    include=(ca-certificates netbase tzdata python3 python3-venv python3-pip libpq5 libuv1t64 libyaml-0-2)
    ;;
  nginx)
    suites=(forky)
    security=forky-security
    include=(ca-certificates curl libnginx-mod-http-js nginx tzdata)
    ;;
  *) fail "build.sh: no stand-in is called '$kind'" ;;
esac

# The sources of the finished image, in the words of Debian's own images.
image_sources() {
  cat <<SOURCES
Types: deb
URIs: http://deb.debian.org/debian
Suites: ${suites[*]}
Components: main
Signed-By: $keyring

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: $security
Components: main
Signed-By: $keyring
SOURCES
}

# --- downloading ------------------------------------------------------------

wheel_packages() { sed '/^#/d' "$here/python/packages.txt" | tr '\n' ' '; }

# mmdebstrap could download by itself, but throws all away when it is interrupted:
# on a slow line that would be for ever.
download() (
  fetch_lists
  apt-get --quiet --yes --download-only install '?essential' '?priority(required)' apt "${include[@]}"
  if [ "$kind" = python ]; then
    cd "$cache/wheels"
    apt-get --quiet -o Dir::Cache::archives="$PWD" autoclean
    # shellcheck disable=SC2046 # the names are words
    apt-get --quiet download $(wheel_packages)
  fi
)

# --- building ---------------------------------------------------------------

build() {
  local option
  local options=(--variant=minbase --architectures="$arch" --include="${include[*]}")
  for option in "${apt_options[@]}"; do options+=(--aptopt="$option"); done

  options+=(
    # As in Debian's slim images: no documents, but the copyright files.
    --dpkgopt='path-exclude=/usr/share/doc/*'
    --dpkgopt='path-include=/usr/share/doc/*/copyright'
    --dpkgopt='path-exclude=/usr/share/man/*'
    --dpkgopt='path-exclude=/usr/share/info/*'
    --dpkgopt='path-exclude=/usr/share/locale/*'
    --dpkgopt='path-exclude=/usr/share/lintian/*'
    --dpkgopt='path-exclude=/usr/lib/python3*/EXTERNALLY-MANAGED'

    # What has been downloaded above.
    --skip=update --skip=download/empty
    --setup-hook='mkdir -p "$1/var/cache/apt/archives" "$1/var/lib/apt/lists"'
    --setup-hook="sync-in '$cache/archives' /var/cache/apt/archives"
    --setup-hook="sync-in '$cache/lists' /var/lib/apt/lists"

    # The image's own touch.
    --customize-hook='mkdir "$1/standin"'
    --customize-hook="sync-in '$here/$kind' /standin"
  )
  if [ "$kind" = python ]; then
    options+=(--customize-hook='mkdir "$1/standin/debs" "$1/standin/fixed"')
    options+=(--customize-hook="sync-in '$cache/wheels' /standin/debs" --customize-hook="sync-in '$work/fixed' /standin/fixed")
  fi
  image_sources >"$work/debian.sources"
  options+=(
    --customize-hook='chroot "$1" sh /standin/customize.sh'

    # Away with what only the build needed, and what it took over from this machine.
    --customize-hook='cd "$1" && rm -rf standin etc/apt/sources.list etc/apt/sources.list.d/* etc/apt/apt.conf.d/99mmdebstrap'
    --customize-hook='cd "$1" && rm -rf etc/hostname etc/resolv.conf var/cache/debconf/*-old var/lib/dpkg/*-old'
    --customize-hook='cd "$1" && find var/log -type f -delete'
    --customize-hook="copy-in '$work/debian.sources' /etc/apt/sources.list.d"
    --customize-hook="copy-in '$here/90docker' /etc/apt/apt.conf.d"
  )
  sources | mmdebstrap "${options[@]}" "${suites[0]}" "$out" -
}

download
if [ "$kind" = python ]; then
  mkdir "$work/fixed"
  bash "$here/python/sqlite.sh" "$arch" "$work/fixed"
fi
build
