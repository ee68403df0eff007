#!/usr/bin/env bash
# The images that ours are built from.
#
#   base-images.sh              have them: here already, else pulled, else stand-ins
#   base-images.sh --list       print what they really are
#   base-images.sh renew        build the stand-ins again, with Debian's latest updates
#   base-images.sh save FILE    write them to a file, for a machine without a network
#   base-images.sh load FILE    read them from such a file
#
# TAROT_BASE_IMAGES       auto (default), pull (a registry or nothing), standin (no registry),
#                         local (only what is here: touches no network)
# TAROT_REGISTRY_MIRROR   what to put before the names: registry.example.cn/library/
# TAROT_PULL_PATIENCE     seconds in which a registry has to begin to answer (20)
# APT_MIRROR              the stand-ins' source instead of http://deb.debian.org
#
# docs/offline.md explains them.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/lib.sh"

python_image=python:3.11-slim
nginx_image=nginx:1.30 # needs 1.29.7 or newer: `resolve`, and keepalive to upstreams by default

mode=${TAROT_BASE_IMAGES:-auto}
patience=${TAROT_PULL_PATIENCE:-20}
mirror=${TAROT_REGISTRY_MIRROR:-}
if [ -n "$mirror" ]; then mirror="${mirror%/}/"; fi
registry=${mirror:-Docker Hub}
registry_answers=unknown

work=''
pull_pid=''
cleanup() {
  if [ -n "$pull_pid" ]; then kill "$pull_pid" 2>/dev/null || true; fi
  if [ -n "$work" ]; then rm -rf "$work"; fi
}
trap cleanup EXIT

# --- what is here -----------------------------------------------------------

exists() { docker image inspect "$1" >/dev/null 2>&1; }
image_id() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true; }
label() { docker image inspect --format "{{index .Config.Labels \"tarot.standin$2\"}}" "$1" 2>/dev/null; }
is_standin() { [ "$(label "$1" '')" = true ]; }

# The version that the image's own program reports.
version_inside() {
  local run=(docker run --rm --network none --entrypoint)
  case $2 in
    python) "${run[@]}" python3 "$1" -V ;;
    nginx) "${run[@]}" nginx "$1" -v 2>&1 | sed 's|.*nginx/|nginx |' ;;
  esac
}

describe() {
  if is_standin "$1"; then
    printf '%s, a stand-in built %s' "$(label "$1" .version)" "$(label "$1" .built)"
  else
    printf '%s, as pulled or loaded' "$(version_inside "$1" "$2")"
  fi
}

list() {
  local image kind
  for kind in python nginx; do
    image=$(image_of "$kind")
    if exists "$image"; then
      printf '%s\t%s\n' "$image" "$(describe "$image" "$kind")"
    else
      printf '%s\tnot here\n' "$image"
    fi
  done
}

image_of() { case $1 in python) echo "$python_image" ;; nginx) echo "$nginx_image" ;; esac }

# A stand-in that a newer image has taken the name of is of no use any more.
forget() {
  if [ -n "$1" ] && [ "$1" != "$(image_id "$2")" ] && is_standin "$1"; then
    docker image rm "$1" >/dev/null 2>&1 || note "the old stand-in stays while something uses it: ${1#sha256:}"
  fi
}

# --- pulling ----------------------------------------------------------------

# Starts `docker pull` and waits until the engine has the manifest (its first line
# on stdout) or gives up. Only this part is bounded: a download may take hours.
# It is the engine that pulls, with its proxies and its mirrors, so asking the
# registry from here would prove nothing.
begin_pull() {
  local ticks=$((patience * 5))
  : >"$pull_log"
  docker pull "$1" >"$pull_log" 2>"$pull_log.errors" </dev/null &
  pull_pid=$!
  while kill -0 "$pull_pid" 2>/dev/null; do
    if [ -s "$pull_log" ]; then return 0; fi
    if [ "$ticks" -le 0 ]; then
      kill "$pull_pid" 2>/dev/null || true
      echo "no answer in $patience s" >"$pull_log.errors"
      break
    fi
    ticks=$((ticks - 1))
    sleep 0.2
  done
  [ -s "$pull_log" ]
}

# What a person without a terminal sees of it; "Retrying in 9 seconds" only once.
follow_pull() {
  local line last='' status=0
  while kill -0 "$pull_pid" 2>/dev/null; do
    line=$(tail -n 1 "$pull_log")
    line=${line%% in [0-9]*}
    if [ "$line" != "$last" ]; then echo "$line"; fi
    last=$line
    sleep 1
  done
  wait "$pull_pid" || status=$?
  cat "$pull_log.errors"
  return "$status"
}

end_pull() {
  if [ -t 2 ]; then
    # A second client joins the download under way, and draws bars.
    docker pull "$1" >&2
  else
    run_logged "pull $1" "1 to 10 min" follow_pull
  fi
}

# pull IMAGE KIND: 1 when no registry has it; ends the script when a download breaks.
pull() {
  local source="$mirror$1" before try
  if [ "$registry_answers" = no ]; then return 1; fi
  before=$(image_id "$1")
  pull_log="$(cache_dir)/logs/pull-$2.log"
  for try in 1 2 3; do
    note "asking $registry for $source (at most $patience s) ..."
    if begin_pull "$source"; then
      registry_answers=yes
      if end_pull "$source"; then
        pull_pid=''
        if [ "$source" != "$1" ]; then docker tag "$source" "$1"; fi
        forget "$before" "$1"
        ok "$1: $(describe "$1" "$2")"
        return 0
      fi
    elif [ "$registry_answers" != yes ]; then
      pull_pid=''
      registry_answers=no
      note "$registry: $(tail -n 1 "$pull_log.errors")"
      return 1
    fi
    note "attempt $try of 3 broke off; what has arrived is kept"
  done
  fail "the download of $source broke off three times" \
    "run it again to go on; or name a nearer mirror in TAROT_REGISTRY_MIRROR;" \
    "or TAROT_BASE_IMAGES=standin to build stand-ins from Debian's archive."
}

# --- stand-ins --------------------------------------------------------------

# Changes when a stand-in has to be built anew.
recipe() {
  local sum=(sha256sum)
  if ! have sha256sum; then sum=(shasum -a 256); fi
  (cd "$here/standins" && find build.sh 90docker "$1" -type f | LC_ALL=C sort | xargs cat) | "${sum[@]}" | cut -c 1-16
}

ways_without_registry() {
  printf '%s\n' \
    "One of these helps:" \
    "- TAROT_REGISTRY_MIRROR=registry.example.cn/library/  a mirror of Docker Hub that you can reach" \
    "- on a connected machine: setup/base-images.sh save base-images.tar.gz" \
    "  then here:              setup/base-images.sh load base-images.tar.gz"
}

need_tools() {
  if have mmdebstrap && [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then return; fi
  if is_debian && is_root; then
    apt_install mmdebstrap debian-archive-keyring ||
      fail "mmdebstrap could not be installed" "stand-ins are built with it." "$(ways_without_registry)"
  elif is_debian; then
    fail "stand-ins need mmdebstrap and Debian's keyring" \
      "sudo apt-get install mmdebstrap debian-archive-keyring uidmap" "$(ways_without_registry)"
  else
    fail "stand-ins can only be built on Debian or Ubuntu" "$(ways_without_registry)"
  fi
}

# Does it do what the Dockerfiles and the stack want of it, without a network?
try_standin() {
  local run=(docker run --rm --network none "$1")
  case $2 in
    python) "${run[@]}" sh -ec "pip install fastapi 'uvicorn[standard]' && python -c 'import fastapi, uvicorn, uvloop, yaml, ssl, sqlite3'" ;;
    nginx) "${run[@]}" sh -ec "nginx -t && curl --version" ;;
  esac
}

build_standin() {
  local image=$1 kind=$2 before version
  need_tools
  before=$(image_id "$image")
  work=$(mktemp -d "$(cache_dir)/build.XXXXXX") || fail "no temporary folder in $(cache_dir)"
  run_logged "file system for $image" "1 min; the first time as long as 60 MB take" \
    bash "$here/standins/build.sh" "$kind" "$(docker version --format '{{.Server.Arch}}')" "$work/rootfs.tar" ||
    fail "the stand-in for $image could not be built" \
      "If a download failed: run it again (what has arrived is kept), or name a mirror of" \
      "Debian's archive: APT_MIRROR=https://mirrors.example.cn (debian/ and debian-security/ below it)." \
      "If a signature could not be checked: apt-get install debian-archive-keyring."
  version=$(tar -xOf "$work/rootfs.tar" ./etc/standin-version) ||
    fail "the file system for $image does not say what is in it"
  run_logged "image $image" "10 s" docker build --tag "$image" --file "$here/standins/$kind/Dockerfile" \
    --label tarot.standin=true --label "tarot.standin.for=$image" --label "tarot.standin.version=$version" \
    --label "tarot.standin.recipe=$(recipe "$kind")" --label "tarot.standin.built=$(date -u +%Y-%m-%d)" "$work" ||
    fail "the engine could not make an image of the file system" "the log above says why."
  rm -rf "$work"
  is_standin "$image" ||
    fail "the image was built, but is not in the engine" "use a builder that keeps images there: docker buildx use default"
  run_logged "try $image" "5 s" try_standin "$image" "$kind" || fail "the stand-in for $image does not work" "the log above says why."
  forget "$before" "$image"
  ok "$image: $(describe "$image" "$kind")"
}

# An older stand-in is better than none, on a machine that has no network any more.
renew_standin() {
  if ! exists "$1"; then
    build_standin "$1" "$2"
  elif ! (trap cleanup EXIT && build_standin "$1" "$2"); then
    warn "$1 stays as it is: $(describe "$1" "$2"), from other files than setup/standins has now"
    note "TAROT_BASE_IMAGES=local uses what is here without trying"
  fi
}

# --- one image --------------------------------------------------------------

# Present and as it should be. An old stand-in is not.
is_current() { ! is_standin "$1" || [ "$(label "$1" .recipe)" = "$(recipe "$2")" ]; }

ensure() {
  local image=$1 kind=$2
  case $mode in
    auto)
      if exists "$image" && is_current "$image" "$kind"; then
        ok "$image: $(describe "$image" "$kind")"
      elif ! pull "$image" "$kind"; then
        renew_standin "$image" "$kind"
      fi
      ;;
    local)
      exists "$image" || fail "$image is not here" "$(ways_without_registry)"
      ok "$image: $(describe "$image" "$kind")"
      ;;
    pull)
      pull "$image" "$kind" || fail "$image is not to be had from $registry" "$(ways_without_registry)"
      ;;
    standin)
      if exists "$image" && is_standin "$image" && is_current "$image" "$kind"; then
        ok "$image: $(describe "$image" "$kind")"
      else
        build_standin "$image" "$kind"
      fi
      ;;
  esac
}

renew() {
  local kind image
  for kind in python nginx; do
    image=$(image_of "$kind")
    if exists "$image" && ! is_standin "$image"; then
      skip "$image is not a stand-in"
    else
      build_standin "$image" "$kind"
    fi
  done
}

check_settings() {
  case $mode in
    auto | pull | standin | local) ;;
    *) fail "TAROT_BASE_IMAGES=$mode" "it is auto, pull, standin or local." ;;
  esac
  case $mirror in
    *://*) fail "TAROT_REGISTRY_MIRROR=$mirror" "an image name has no https:// before it: registry.example.cn/library/" ;;
  esac
  docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
    fail "no Docker engine answers" "setup/engine.sh says why."
}

save() {
  local file=$1
  local image
  for image in "$python_image" "$nginx_image"; do
    exists "$image" || fail "$image is not here" "setup/base-images.sh gets it."
  done
  # shellcheck disable=SC2016 # expands in the inner shell
  run_logged "save to $file" "30 s" bash -c 'set -o pipefail; docker save "$2" "$3" | gzip >"$1.part" && mv "$1.part" "$1"' \
    - "$file" "$python_image" "$nginx_image" || fail "$file could not be written"
  ok "$(du -h "$file" | cut -f 1) in $file; on the other machine: setup/base-images.sh load $(basename "$file")"
}

load() {
  [ -r "$1" ] || fail "$1 cannot be read" "make it on a connected machine with: setup/base-images.sh save $1"
  run_logged "load $1" "20 s" docker load --input "$1" || fail "$1 could not be loaded"
  list >&2
}

main() {
  case ${1:-} in
    '')
      step "Base images"
      check_settings
      ensure "$python_image" python
      ensure "$nginx_image" nginx
      ;;
    --list) list ;;
    renew)
      step "Base images: renew"
      check_settings
      renew
      ;;
    save | load)
      [ $# -eq 2 ] || fail "which file?" "setup/base-images.sh $1 base-images.tar.gz"
      step "Base images: $1"
      check_settings
      "$1" "$2"
      ;;
    *) fail "usage: base-images.sh [--list | renew | save FILE | load FILE]" ;;
  esac
}

main "$@"
