#!/usr/bin/env bash
# Go, the Pulumi CLI and the two plugins: what is installed is used; what is
# missing is downloaded from Pulumi, or built from the Go module proxy alone
# where Pulumi cannot be reached (toolchain/README.md).
#
# Prints, on stdout, the folders that hold `go` and `pulumi`:
#     PATH="$(setup/pulumi.sh):$PATH"
#
#   TAROT_TOOLCHAIN       auto (the default), official (never build), registry (always build)
#   TAROT_PULUMI_MIRROR   in place of https://get.pulumi.com
#   TAROT_GITHUB_MIRROR   in place of https://github.com, which has the lists of checksums
#   GOPROXY               as Go takes it, for instance https://goproxy.cn,direct
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/lib.sh"
# shellcheck source=/dev/null
. "$here/download.sh"
toolchain=$here/../toolchain

pulumi_version=3.259.0
minimum_pulumi=3.200.0
plugins="docker:4.11.2 random:4.21.1"
minimum_go=$(sed -n 's/^go //p' "$here/../go.mod")
mirror=${TAROT_PULUMI_MIRROR:-https://get.pulumi.com}
github=${TAROT_GITHUB_MIRROR:-https://github.com}
mode=${TAROT_TOOLCHAIN:-auto}
# Where Pulumi looks for plugins: not $HOME, but what the user database says.
pulumi_home=${PULUMI_HOME:-$(eval "printf %s ~$(id -un)")/.pulumi}
store=$(cache_dir)/toolchain

case $mode in auto | official | registry) ;; *) fail "TAROT_TOOLCHAIN is $mode" "known are auto, official and registry" ;; esac

# --- small things ------------------------------------------------------------

# at_least MINIMUM VERSION: 1.26.8 is at least 1.26
at_least() {
  awk -v minimum="$1" -v version="$2" 'BEGIN {
    n = split(minimum, m, "."); split(version, v, ".")
    for (i = 1; i <= n; i++) if (v[i] + 0 != m[i] + 0) exit !(v[i] + 0 > m[i] + 0)
  }'
}

# reachable URL: whether something answers there, in a few seconds. A closed
# network must not hold anybody up; a slow one is let be.
reachable() { curl -sIL -o /dev/null --connect-timeout 4 --max-time 8 "$1" 2>/dev/null; }

# Asked once, because in a closed network the answer takes its time.
mirror_answer=''
mirror_answers() {
  if [ -z "$mirror_answer" ]; then
    ensure_tools
    if reachable "$mirror/"; then mirror_answer=yes; else mirror_answer=no && note "$mirror does not answer"; fi
  fi
  [ "$mirror_answer" = yes ]
}

platform() {
  local arch
  arch=$(uname -m)
  case $arch in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; esac
  printf '%s-%s\n' "$(uname -s | tr '[:upper:]' '[:lower:]')" "$arch"
}

# Ours are links into a folder toolchain/<key>, whoever's home that is in.
is_ours() { [ -L "$1" ] && [[ $(readlink "$1") == */toolchain/*/bin/* ]]; }

on_path() { case ":$PATH:" in *":$1:"*) true ;; *) false ;; esac; }

# put_on_path PROGRAM: links it into a folder of the PATH, so that it can be
# typed in any shell. Never replaces what somebody else has put there.
put_on_path() {
  local program=$1 name folder link folders=("$HOME/.local/bin" "$HOME/bin")
  name=$(basename "$program")
  if is_root; then folders=(/usr/local/bin "${folders[@]}"); fi
  for folder in "${folders[@]}"; do
    link=$folder/$name
    on_path "$folder" || continue
    mkdir -p "$folder" 2>/dev/null || true
    [ -w "$folder" ] || continue
    if [ -e "$link" ] || [ -L "$link" ]; then is_ours "$link" || continue; fi
    ln -sfn "$program" "$link"
    break
  done
  hash -r
  if [ "$(command -v "$name" || true)" -ef "$program" ]; then
    ok "$name is on the PATH: $(command -v "$name")"
  else
    PATH=$(dirname "$program"):$PATH
    warn "$name is not on the PATH of your shell. Put this into its profile:"
    note "export PATH=\"$(dirname "$program"):\$PATH\""
  fi
}

# --- Go ----------------------------------------------------------------------

go_version() { "$1" env GOVERSION 2>/dev/null | sed 's/^go//; s/[^0-9.].*//'; }

# What the downloads need, on a machine that has next to nothing.
ensure_tools() {
  local missing=()
  have curl || missing+=(curl ca-certificates)
  have unzip || have python3 || missing+=(unzip)
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  if is_root && is_debian; then apt_install "${missing[@]}" && return; fi
  fail "needed and not installed: ${missing[*]}" "install them with the system's package manager and run this again"
}

ensure_go() {
  local version=''
  if have go; then version=$(GOTOOLCHAIN=local go_version go); fi
  if [ -n "$version" ] && at_least "$minimum_go" "$version"; then
    ok "go $version: $(command -v go)"
    return
  fi
  if [ -n "$version" ]; then note "go $version is older than $minimum_go, which the program needs"; fi
  # Since 1.21, Go can fetch a newer one by itself, if it is let.
  if at_least 1.21 "${version:-0}" && [ "$(go env GOTOOLCHAIN)" = auto ] &&
    run_logged "Letting go fetch a newer one" "1 min" go -C "$here/.." version; then
    return
  fi
  ensure_tools
  if [ ! -x "$store/go/bin/go" ] || ! at_least "$minimum_go" "$(go_version "$store/go/bin/go")"; then
    mkdir -p "$store"
    run_logged "Downloading Go from the module proxy" "1 min" "$toolchain/install-go.sh" "$store/go" ||
      fail "Go $minimum_go or newer is needed, and could not be downloaded" \
        "install it from https://go.dev/dl/, or name a mirror that answers and run this again:" \
        "export GOPROXY=https://goproxy.cn,direct"
  fi
  put_on_path "$store/go/bin/go"
}

# --- building from the module proxy -------------------------------------------

proxy_answers() {
  local proxy
  proxy=$(go env GOPROXY | tr ',|' '\n' | grep -m 1 '^http') || return 0
  reachable "$proxy/github.com/pulumi/pulumi/sdk/v3/@v/v$pulumi_version.info"
}

# build PART: puts it into toolchain/<key>/libexec
build() {
  local name="the $1 plugin" expected
  case $1 in
  cli) name="the Pulumi CLI" expected="5 to 10 min" ;;
  docker) expected="3 to 6 min" ;;
  *) expected="1 min" ;;
  esac
  if [ "$mode" = official ]; then
    fail "$name cannot be had from $mirror, and TAROT_TOOLCHAIN=official forbids to build it" "unset TAROT_TOOLCHAIN"
  fi
  proxy_answers || fail "the Go module proxy does not answer: $(go env GOPROXY)" \
    "name a mirror that does and run this again:" "export GOPROXY=https://goproxy.cn,direct"
  run_logged "Building $name from the Go module proxy" "$expected" "$toolchain/build.sh" "$store/$key/libexec" "$1" ||
    fail "$name could not be built" "toolchain/README.md says what it needs"
}

# --- the CLI -------------------------------------------------------------------

# A CLI brings its language hosts along, in the same folder or on the PATH.
cli_version=''
usable_cli() {
  local folder
  cli_version=$("$1" version 2>/dev/null) || return 1
  cli_version=${cli_version#v}
  at_least "$minimum_pulumi" "$cli_version" || {
    note "$1 is $cli_version; $minimum_pulumi is the oldest that will do"
    return 1
  }
  folder=$(dirname "$(readlink -f "$1" 2>/dev/null || printf '%s' "$1")")
  is_ours "$1" || have pulumi-language-go || [ -x "$folder/pulumi-language-go" ] || {
    note "$1 has no language host for Go"
    return 1
  }
}

# from_pulumi PATH NAME FILE LIST...: an archive of Pulumi's, PATH/NAME on its server, into
# FILE. The lists of its checksums are asked of GitHub first: a mirror that sends another
# archive would send the list to it as well.
from_pulumi() {
  local path=$1 name=$2 file=$3
  shift 3
  if run_logged "Downloading $name" "1 min" download "$mirror/$path/$name" "$name" "$file" "$here/pulumi.sums" "$@"; then return; fi
  warn "$mirror has no $name, or not the genuine one: the lines above say which"
  return 1
}

download_cli() {
  local name folder=$store/official-$pulumi_version list=pulumi-$pulumi_version-checksums.txt
  name=pulumi-v$pulumi_version-$(platform | sed 's/amd64/x64/').tar.gz
  rm -rf "$folder.new" && mkdir -p "$folder.new/libexec"
  from_pulumi releases/sdk "$name" "$folder.new/$name" \
    "$github/pulumi/pulumi/releases/download/v$pulumi_version/$list" "$mirror/releases/sdk/$list" &&
    tar -xzf "$folder.new/$name" -C "$folder.new/libexec" --strip-components 1 &&
    rm "$folder.new/$name" && rm -rf "$folder" && mv "$folder.new" "$folder" && return
  rm -rf "$folder.new"
  return 1
}

# download_plugin NAME VERSION
download_plugin() {
  local archive file list=pulumi-$1_$2_checksums.txt
  archive=pulumi-resource-$1-v$2-$(platform).tar.gz
  file=$store/$archive
  mkdir -p "$store"
  from_pulumi releases/plugins "$archive" "$file" \
    "$github/pulumi/pulumi-$1/releases/download/v$2/$list" "$mirror/releases/plugins/$list" || return
  if run_logged "Installing the plugin $1 $2" "5 s" pulumi plugin install resource "$1" "$2" --reinstall --file "$file"; then
    rm -f "$file"
    return
  fi
  rm -f "$file"
  return 1
}

# The `pulumi` of folder/libexec, with the launcher in front of it.
launch() {
  mkdir -p "$1/bin"
  sed "s|@libexec@|$1/libexec|g" "$toolchain/launcher.sh" >"$1/bin/pulumi.new"
  chmod 755 "$1/bin/pulumi.new"
  mv -f "$1/bin/pulumi.new" "$1/bin/pulumi"
  put_on_path "$1/bin/pulumi"
}

# what_is_found: the `pulumi` of the PATH, if it is one to keep: anybody else's,
# unless ours is wanted; ours, if it was made from these sources; that of another
# home's set-up, as long as it runs.
what_is_found() {
  local found target
  found=$(command -v pulumi) || return 0
  if ! is_ours "$found"; then
    if [ "$mode" = registry ]; then return 0; fi
  else
    target=$(readlink "$found")
    case $mode:$target in
    official:*/official-*/* | registry:*/"$key"/* | auto:*/official-"$pulumi_version"/* | auto:*/"$key"/*) ;;
    official:* | registry:* | auto:"$store"/*) return 0 ;;
    esac
  fi
  printf '%s\n' "$found"
}

ensure_cli() {
  local found
  found=$(what_is_found)
  if [ -n "$found" ] && usable_cli "$found"; then
    ok "pulumi $cli_version: $found"
  elif [ "$mode" != registry ] && [ -x "$store/official-$pulumi_version/libexec/pulumi" ]; then
    launch "$store/official-$pulumi_version"
  elif [ "$mode" != official ] && [ -x "$store/$key/libexec/pulumi" ]; then
    launch "$store/$key"
  elif [ "$mode" != registry ] && mirror_answers && download_cli; then
    launch "$store/official-$pulumi_version"
  else
    build cli
    launch "$store/$key"
  fi
}

# --- the plugins -----------------------------------------------------------------

# What we have built is marked with what it was built from; an official plugin has
# no such mark.
mark=built-by-tarot-platform

# built NAME: the plugin as built from these sources, by this home or by the one
# whose `pulumi` is on the PATH: a build takes minutes.
built() {
  local folder link
  link=$(command -v pulumi || true)
  for folder in "$store/$key" "$(if is_ours "$link"; then dirname "$(dirname "$(readlink "$link")")"; fi)"; do
    if [ "$(basename "$folder")" = "$key" ] && [ -x "$folder/libexec/pulumi-resource-$1" ]; then
      printf '%s\n' "$folder/libexec/pulumi-resource-$1"
      return
    fi
  done
  return 1
}

# ensure_plugin NAME VERSION
ensure_plugin() {
  local name=$1 version=$2 folder binary
  folder=$pulumi_home/plugins/resource-$name-v$version
  binary=$folder/pulumi-resource-$name
  if [ -x "$binary" ] && [ ! -e "$folder.partial" ]; then
    if [ ! -e "$folder/$mark" ]; then
      ok "plugin $name $version: installed"
      return
    elif [ "$mode" != official ] && [ "$(cat "$folder/$mark")" = "$key" ]; then
      ok "plugin $name $version: built from the Go module proxy"
      return
    fi
  fi

  if [ "$mode" = official ] || { [ "$mode" = auto ] && ! built "$name" >/dev/null; }; then
    if mirror_answers && download_plugin "$name" "$version"; then
      rm -f "$folder/$mark"
      return
    fi
  fi
  if [ "$mode" = official ] || ! built "$name" >/dev/null; then build "$name"; fi
  mkdir -p "$folder"
  cp "$(built "$name")" "$binary.new"
  mv -f "$binary.new" "$binary"
  rm -f "$folder.partial"
  printf '%s\n' "$key" >"$folder/$mark"
  ok "plugin $name $version: built from the Go module proxy, in $folder"
}

step "Go"
ensure_go
step "Pulumi"
key=$("$toolchain/build.sh" --key) # names a build: its sources and the Go that makes it
ensure_cli
for plugin in $plugins; do ensure_plugin "${plugin%%:*}" "${plugin##*:}"; done

printf '%s:%s\n' "$(dirname "$(command -v pulumi)")" "$(dirname "$(command -v go)")"
