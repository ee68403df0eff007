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

kind=$1 arch=$2 out=$3
# Only for downloading; the image itself names Debian's own address.
mirror=${APT_MIRROR:-http://deb.debian.org}
mirror=${mirror%/}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
cache="$(cache_dir)/debian/$kind-$arch"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case $kind in
  python)
    suites=(trixie trixie-updates)
    security=trixie-security
    # The libraries at the end are what the compiled wheels are linked to.
    include=(ca-certificates netbase tzdata python3 python3-venv python3-pip libuv1t64 libyaml-0-2)
    ;;
  nginx)
    suites=(forky)
    security=forky-security
    include=(ca-certificates curl nginx tzdata)
    ;;
  *) fail "build.sh: no stand-in is called '$kind'" ;;
esac

# For apt here and for the one of mmdebstrap.
apt_options=(
  'APT::Install-Recommends "false";'
  'Acquire::Languages "none";'
  'Acquire::Retries "3";'
  # Archives on a disk, lagging mirrors and machines with a wrong clock are what
  # this is for. The signatures are checked all the same.
  'Acquire::Check-Valid-Until "false";'
  'Acquire::Check-Date "false";'
)

# The archive as lines of sources.list. (A desktop's apt would fetch icons as well.)
sources() {
  local suite options="[signed-by=$keyring target=Packages]"
  for suite in "${suites[@]}"; do echo "deb $options $mirror/debian $suite main"; done
  echo "deb $options $mirror/debian-security $security main"
}

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

wheel_packages() { sed '/^#/d' "$here/python/packages.txt" | tr '\n' ' '; }

# --- downloading ------------------------------------------------------------

# An apt that keeps everything below $cache, for a machine with nothing installed.
# mmdebstrap could download by itself, but throws all away when it is interrupted:
# on a slow line that would be for ever.
configure_apt() {
  mkdir -p "$cache"/{lists,archives,wheels}/partial
  : >"$work/status"
  sources >"$work/sources.list"
  printf '%s\n' "${apt_options[@]}" \
    "APT::Architecture \"$arch\";" "APT::Architectures \"$arch\";" 'APT::Sandbox::User "root";' 'DPkg::Lock::Timeout "600";' \
    "Dir::State \"$cache\";" "Dir::State::status \"$work/status\";" \
    "Dir::Cache \"$cache\";" 'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' \
    "Dir::Etc::sourcelist \"$work/sources.list\";" 'Dir::Etc::sourceparts "-";' >"$work/apt.conf"
  export APT_CONFIG=$work/apt.conf
}

download() (
  configure_apt
  echo "package lists from $mirror"
  apt-get --quiet update
  # Away with what the archive no longer offers, or the folder grows for ever.
  apt-get --quiet autoclean
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
    options+=(--customize-hook='mkdir "$1/standin/debs"' --customize-hook="sync-in '$cache/wheels' /standin/debs")
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
build
