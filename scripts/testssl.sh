#!/usr/bin/env bash
# testssl.sh: prints the folder of a testssl.sh, which grades a server's TLS: Debian's, taken into the cache folder once.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../setup/lib.sh"
# shellcheck source=/dev/null
. "$here/debian.sh"

download_testssl() {
  local folder=$1
  debian_package "$folder.new" testssl.sh &&
    rm -rf "$folder" &&
    mkdir "$folder" &&
    mv package/usr/bin/testssl "$folder/testssl" &&
    mv package/etc/testssl "$folder/etc" &&
    rm -rf "$folder.new"
}

folder=$(cache_dir)/testssl
if [ ! -x "$folder/testssl" ]; then
  can_unpack || fail "testssl.sh is taken out of Debian's package, and this is no Debian" "put it and its folder etc into $folder"
  (run_logged "testssl.sh from Debian" "10 s" download_testssl "$folder") >&2 || exit 1
fi
echo "$folder"
