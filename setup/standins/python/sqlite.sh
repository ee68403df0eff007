#!/usr/bin/env bash
# Gets the SQLite of the Debian after the stand-in's, which has a bug that loses data:
#
#   sqlite.sh ARCHITECTURE FOLDER    into FOLDER/libsqlite3-0.deb
#
# It is got as ../layers.sh gets its packages, and kept beside them.
set -euo pipefail
umask 022

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../../lib.sh"
# shellcheck source=setup/standins/archive.sh
. "$here/../archive.sh"

arch=$1 folder=$2
# shellcheck disable=SC2034 # for archive.sh
suites=(forky) security=forky-security
cache="$(cache_dir)/debian/tools-$arch"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch_lists
(cd "$cache/archives" && apt-get --quiet download libsqlite3-0)
# Its name, asked for where it is not: apt does not tell one that it finds.
cd "$work"
apt-get --quiet --print-uris download libsqlite3-0 | while read -r _ name _; do
  cp "$cache/archives/$name" "$folder/libsqlite3-0.deb"
done
