#!/usr/bin/env bash
# Builds the two layers of a small stand-in, out of unpacked Debian packages:
#
#   layers.sh KIND ARCHITECTURE FOLDER
#
# FOLDER/base.tar is the same for all of them, to the byte, so that the engine
# keeps it once: C library, busybox, certificates, time zones. FOLDER/tool.tar is
# the tool. Nothing of the result is run here, and no root is needed.
#
# What a kind has is in KIND/recipe.sh, which sets
#
#   packages    of Debian's testing: the tool, and what it is linked to
#   stable      of Debian's stable: what testing has no more (may be unset)
#
# and has a function `build`, which makes Debian's names and places in $tool those of the
# official image, and sets `version` (what is in it), and `owned` where something is not
# root's: the user's number, and the paths.
set -euo pipefail
umask 022

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../lib.sh"
# shellcheck source=setup/standins/archive.sh
. "$here/archive.sh"

kind=$1 arch=$2 out=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
base=$work/base tool=$work/tool debs=$work/debs
mkdir "$base" "$tool" "$debs"

# Those of busybox that a health check, a script of the platform's or a person in a container asks for.
applets=(sh ash wget cat ls ps id env date sleep echo printf test true false '[' grep sed awk head tail
  sort uniq wc cut tr xargs find stat du df mkdir rmdir rm cp mv ln chmod chown touch kill top vi less hostname
  nslookup nc ping ip netstat which basename dirname readlink mktemp tar gzip gunzip sha256sum
  mkfifo sync tee timeout)

base_packages=(base-files busybox ca-certificates libc6 tzdata)

[ -e "$here/$kind/recipe.sh" ] || fail "layers.sh: no stand-in is called '$kind'"
packages=() stable=() owned=() version=''
# shellcheck source=/dev/null
. "$here/$kind/recipe.sh"

# --- packages -----------------------------------------------------------------

# download SUITE PACKAGES...: into $debs, as PACKAGE.deb: links to the newest that it offers.
download() (
  local name cache suites=("$1") security=$1-security
  cache="$(cache_dir)/debian/tools-$arch"
  if [ "$1" != forky ]; then cache="$cache-$1"; fi
  shift
  fetch_lists
  (cd "$cache/archives" && apt-get --quiet download "$@")
  # Their names, asked for where none is: apt does not tell those it finds.
  cd "$debs"
  apt-get --quiet --print-uris download "$@" | while read -r _ name _; do
    ln -s "$cache/archives/$name" "${name%%_*}.deb"
  done
)

# unpack FOLDER PACKAGES...: without what only a whole Debian wants of them.
unpack() {
  local folder=$1 name
  shift
  for name in "$@"; do
    echo "unpack $name"
    dpkg-deb --fsys-tarfile "$debs/$name.deb" | tar -x -C "$folder" --no-same-owner \
      --exclude='./usr/share/doc/*/[!c]*' --exclude='./usr/share/doc/*/changelog*' --exclude='./usr/share/man' \
      --exclude='./usr/share/info' --exclude='./usr/share/locale' --exclude='./usr/share/lintian' --exclude='./usr/share/bug' \
      --exclude='./usr/share/bash-completion' --exclude='./usr/share/initramfs-tools' --exclude='./usr/lib/systemd' \
      --exclude='./etc/init.d' --exclude='./etc/default' --exclude='./etc/logrotate.d' --exclude='./etc/cron*' --exclude='./var'
  done
}

# of_debian NAME PACKAGE [SUITE]: the words for what is in it.
of_debian() {
  local number
  number=$(dpkg-deb --field "$debs/$2.deb" Version | sed 's/^[0-9]*://; s/[+-].*//')
  echo "$1 $number (Debian ${3:-forky})"
}

# --- layers ---------------------------------------------------------------------

# pack FOLDER OUT.tar [USER PATH...]: all of root's, but the paths, which are of
# the user with this number. The same files always make the same archive.
pack() {
  local folder=$1 tar=$2 user=${3-}
  local options=(--sort=name --mtime=@0 --numeric-owner --format=gnu -C "$folder")
  tar -cf "$tar" "${options[@]}" --owner=0 --group=0 .
  if [ -z "$user" ]; then return; fi
  shift 3
  tar -rf "$tar" "${options[@]}" --owner="${user%:*}" --group="${user#*:}" "$@"
}

build_base() {
  local name
  unpack "$base" "${base_packages[@]}"
  for name in "${applets[@]}"; do ln -s busybox "$base/usr/bin/$name"; done
  # What ca-certificates would do when it is installed.
  mkdir -p "$base/etc/ssl/certs"
  find "$base/usr/share/ca-certificates" -name '*.crt' | LC_ALL=C sort | xargs cat >"$base/etc/ssl/certs/ca-certificates.crt"
  rm -r "$base/usr/share/ca-certificates" "$base/usr/share/base-files"
  printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'nobody:x:65534:65534:nobody:/home:/bin/false' >"$base/etc/passwd"
  printf '%s\n' 'root:x:0:' 'nobody:x:65534:' >"$base/etc/group"
  echo 'hosts: files dns' >"$base/etc/nsswitch.conf"
  mkdir -p "$base/var/run" "$base/tmp"
  chmod 1777 "$base/tmp"
  pack "$base" "$out/base.tar"
}

# add_user NAME NUMBER HOME: to those that the base knows.
add_user() {
  mkdir -p "$tool/etc"
  [ -e "$tool/etc/passwd" ] || cp "$base/etc/passwd" "$base/etc/group" "$tool/etc/"
  echo "$1:x:$2:$2::$3:/bin/sh" >>"$tool/etc/passwd"
  echo "$1:x:$2:" >>"$tool/etc/group"
}

# find_go WHAT: where set-up puts it, for shells that do not have it on the PATH.
find_go() {
  have go || PATH=$(cache_dir)/toolchain/go/bin:$PATH
  have go || fail "there is no Go to compile $1 with" "make pulumi gets it"
}

# compile FOLDER OUT PACKAGE FLAGS...: a program of the module in a folder beside this one.
compile() (
  local folder=$1 result=$2 package=$3
  shift 3
  cd "$here/$folder"
  # A workspace above the repository is not meant for this module. Nor is the
  # machine meant to stand still.
  GOWORK=off CGO_ENABLED=0 GOOS=linux GOARCH=$arch nice -n 19 go build -v -trimpath -buildvcs=false "$@" -o "$result" "$package"
)

build_tool() {
  if [ $((${#packages[@]} + ${#stable[@]})) -gt 0 ]; then unpack "$tool" ${packages[@]+"${packages[@]}"} ${stable[@]+"${stable[@]}"}; fi
  mkdir -p "$tool/etc" "$tool/usr/bin"
  build
  echo "$version" >"$tool/etc/standin-version"
  pack "$tool" "$out/tool.tar" ${owned[@]+"${owned[@]}"}
}

download forky "${base_packages[@]}" ${packages[@]+"${packages[@]}"}
if [ ${#stable[@]} -gt 0 ]; then download trixie "${stable[@]}"; fi
build_base
build_tool
