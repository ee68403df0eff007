#!/usr/bin/env bash
# Installs Go into FOLDER (bin/go and so on) from the Go module proxy, which has Go itself as a module: for machines
# that reach a module mirror but not go.dev.
#
#   toolchain/install-go.sh FOLDER
#
# GOPROXY is honoured, as Go does (https://goproxy.cn,direct). What arrives is compared with the hash that is written
# here, taken from sum.golang.org, so any mirror will do.
set -euo pipefail

version=1.26.8
# The hash "h1:…" of golang.org/toolchain@v0.0.1-go$version.$platform, in hexadecimal.
case $(uname -s)-$(uname -m) in
Linux-x86_64) platform=linux-amd64 hash=64e9867b53a77d110330875bd508b81bd252b833c12c613164c4389e2b354573 ;;
Linux-aarch64 | Linux-arm64) platform=linux-arm64 hash=b182ff3ba32a4baf0c2f4923b10dfa5a8608a49aa4c3ad13c62cd651850a40c7 ;;
Darwin-x86_64) platform=darwin-amd64 hash=efff4a3cf37c3dc91c03db3dd619b68e640c8735b82b24c95c722ce392f40bd3 ;;
Darwin-arm64) platform=darwin-arm64 hash=7458c6858e9ff034ec63cfeb2dc8544c34517e324fe290ab182c31bc7153d858 ;;
*) echo "install-go.sh: no Go for $(uname -sm) is known here; see https://go.dev/dl/" >&2 && exit 1 ;;
esac

folder=${1:?where to put Go}
module=golang.org/toolchain@v0.0.1-go$version.$platform
work=$(mktemp -d "${folder%/*}/go.XXXXXX")
trap 'rm -rf "$work"' EXIT

if command -v sha256sum >/dev/null; then sum=(sha256sum); else sum=(shasum -a 256); fi

fetch() { # URL FILE. A mirror that does not answer is given up soon; a slow one is not, as long as data comes.
  if command -v curl >/dev/null; then
    curl -fL --connect-timeout 8 --speed-limit 1 --speed-time 60 --retry 2 -sS -o "$2" "$1"
  else
    wget -q --connect-timeout=8 --read-timeout=60 --tries=2 -O "$2" "$1"
  fi
}

unpack() {
  if command -v unzip >/dev/null; then
    unzip -q "$1" -d "$2"
  elif command -v python3 >/dev/null; then
    python3 -m zipfile -e "$1" "$2"
  else
    echo "install-go.sh: unzip (or python3) is needed to unpack Go" >&2 && return 1
  fi
}

# The module hash is that of the list of the files' hashes.
module_hash() (
  cd "$1" && find golang.org -type f | LC_ALL=C sort | tr '\n' '\0' | xargs -0 "${sum[@]}" | "${sum[@]}" | cut -d' ' -f1
)

got=''
for proxy in $(printf %s "${GOPROXY:-https://proxy.golang.org}" | tr ',|' '  '); do
  case $proxy in http://* | https://*) ;; *) continue ;; esac
  echo "downloading ${proxy%/}/${module%@*}/@v/${module#*@}.zip"
  fetch "${proxy%/}/${module%@*}/@v/${module#*@}.zip" "$work/go.zip" && got=yes && break
done
[ -n "$got" ] || { echo "install-go.sh: Go could not be downloaded; is there a mirror? GOPROXY=https://goproxy.cn,direct" >&2 && exit 1; }

unpack "$work/go.zip" "$work/unpacked"
if [ "$(module_hash "$work/unpacked")" != "$hash" ]; then
  echo "install-go.sh: what $proxy sent is not Go $version for $platform; it was thrown away" >&2
  exit 1
fi
chmod +x "$work/unpacked/$module"/bin/* "$work/unpacked/$module"/pkg/tool/*/* # module archives keep no modes
rm -rf "$folder"
mv "$work/unpacked/$module" "$folder"
"$folder/bin/go" version
