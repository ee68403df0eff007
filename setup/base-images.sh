#!/usr/bin/env bash
# The images that ours are built from, those of the monitoring, and those of the parts that
# only some stacks have.
#
#   base-images.sh              have them: here already, else pulled, else stand-ins
#   base-images.sh for STACK    only those that this stack's file asks for; with NEXT after it as if
#                               tarot:database.next said that (upgrade: the newest version)
#   base-images.sh tests        those that the end-to-end tests ask for besides
#   base-images.sh only KIND... these alone, by the names of their stand-ins' folders; fails where one is not to be had
#   base-images.sh --list       print what they really are
#   base-images.sh renew        build the stand-ins again, with Debian's latest updates
#   base-images.sh save FILE    write them to a file, for a machine without a network
#   base-images.sh load FILE    read them from such a file
#
# Those that images.lock has are pulled by their digests, wherever from.
#
# TAROT_BASE_IMAGES       auto (default), pull (a registry or nothing), standin (no registry),
#                         local (only what is here: touches no network)
# TAROT_REGISTRY_MIRROR   what to put before python and nginx: registry.example.cn/library/
#                         (without library/ before prom/prometheus and the like)
# TAROT_GHCR_MIRROR       in place of ghcr.io/: ghcr.example.cn/
# TAROT_STANDIN_NAMES     yes, no: whether a stand-in may have the name of what it stands for
#                         (setup/standins/names.sh)
# TAROT_PULL_PATIENCE     seconds in which a registry has to begin to answer (20)
# APT_MIRROR              the stand-ins' source instead of http://deb.debian.org
#
# docs/offline.md explains them.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/lib.sh"
# shellcheck source=/dev/null
. "$here/standins/names.sh"

# What there is to get follows from the platform's parts: images.txt is made of them. Nothing
# works without what is required; without what is optional there is no monitoring, which is
# no reason to stop; what is wanted by some stacks only is got for them, and kept where it is.
# A KIND is what a stand-in's folder is called.
# Those in test-images.txt no part has: the tests' applications are built from them.
base=()
optional=()
some=()
while read -r need kind _; do
  case $need in
    required) base+=("$kind") ;;
    optional) optional+=("$kind") ;;
    some | tests) some+=("$kind") ;;
  esac
done < <(cat "$here/images.txt" "$here/test-images.txt")

is_for_some() { case " ${some[*]} " in *" $1 "*) true ;; *) false ;; esac }

image_of() { awk -v kind="$1" '$2 == kind { print $3; exit }' "$here/images.txt" "$here/test-images.txt"; }

mode=${TAROT_BASE_IMAGES:-auto}
patience=${TAROT_PULL_PATIENCE:-20}
mirror=${TAROT_REGISTRY_MIRROR:-}
if [ -n "$mirror" ]; then mirror="${mirror%/}/"; fi
ghcr=${TAROT_GHCR_MIRROR:-ghcr.io}
ghcr=${ghcr%/}/

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
is_standin() { [ "$(label "$1" '')" = true ]; }

# locked IMAGE: the digest that images.lock has for it, if any.
locked() {
  if [ -e "$here/../images.lock" ]; then awk -v image="$1" '$1 == image { print $2; exit }' "$here/../images.lock"; fi
}

# unlike_lock IMAGE: whether registries have given what is here another digest than images.lock has. What
# none has given one can't be told.
unlike_lock() {
  local digest known
  digest=$(locked "$1")
  if [ -z "$digest" ] || is_standin "$1"; then return 1; fi
  known=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$1" 2>/dev/null | sed '/^$/d')
  [ -n "$known" ] && ! grep -qF "@$digest" <<<"$known"
}

# pinned IMAGE: what a person is told of that, of an image that images.lock has.
pinned() {
  local digest
  digest=$(locked "$1")
  if [ -z "$digest" ]; then return; fi
  if docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$1" 2>/dev/null | grep -qF "@$digest"; then
    printf ', as images.lock says'
  elif unlike_lock "$1"; then
    printf ', not the one of images.lock'
  else
    printf ', not pinned: no registry has given it a digest'
  fi
}

# label IMAGE PART...: of the labels tarot.standin<PART>, one a line. Each question
# to the engine takes a while, and there are ten images.
label() {
  local image=$1 part format=''
  shift
  for part in "$@"; do format="$format{{index .Config.Labels \"tarot.standin$part\"}}{{println}}"; done
  docker image inspect --format "$format" "$image" 2>/dev/null
}

# The version that the image's own program reports, where its tag does not say it.
version_inside() {
  local run=(docker run --rm --network none --entrypoint)
  case $2 in
    python) "${run[@]}" python3 "$1" -V ;;
    nginx) "${run[@]}" nginx "$1" -v 2>&1 | sed 's|.*nginx/|nginx |' ;;
    *) echo "$2 ${1##*:}" ;;
  esac
}

# The image has to be here.
describe() {
  local standin version built
  { read -r standin && read -r version && read -r built; } < <(label "$1" '' .version .built) || true
  if [ "$standin" = true ]; then
    printf '%s, a stand-in built %s' "$version" "$built"
  else
    printf '%s, as pulled or loaded' "$(version_inside "$1" "$2")"
  fi
  pinned "$1"
}

list() {
  local image kind
  for kind in "${base[@]}" "${optional[@]}" "${some[@]}"; do
    image=$(name_here "$kind")
    if exists "$image"; then
      printf '%s\t%s\n' "$image" "$(describe "$image" "$kind")"
    elif ! is_for_some "$kind"; then
      printf '%s\tnot here\n' "$image"
    fi
  done
}

# name_here KIND: upstream's name, or the stand-in's own where only that is here.
name_here() {
  local image
  image=$(image_of "$1")
  if ! exists "$image" && exists "$(own_name "$image")"; then own_name "$image"; else echo "$image"; fi
}

# A stand-in that a newer image has taken the name of is of no use any more.
forget() {
  if [ -n "$1" ] && [ "$1" != "$(image_id "$2")" ] && is_standin "$1"; then
    docker image rm "$1" >/dev/null 2>&1 || note "the old stand-in stays while something uses it: ${1#sha256:}"
  fi
}

# --- registries ---------------------------------------------------------------

registry_of() {
  local hub=${mirror%library/}
  case $1 in ghcr.io/*) echo "${ghcr%/}" ;; *) echo "${hub:-Docker Hub}" ;; esac
}

# The name under which the registry has it. Mirrors of Docker Hub have its official
# images in library/, like Docker Hub itself, and the others beside that folder.
source_of() {
  case $1 in
    ghcr.io/*) echo "$ghcr${1#ghcr.io/}" ;;
    */*) echo "${mirror%library/}$1" ;;
    *) echo "$mirror$1" ;;
  esac
}

# Asked once: one that does not answer costs its patience only for the first image.
silent='|'
answering='|'
is_silent() { case $silent in *"|$1|"*) true ;; *) false ;; esac }
is_answering() { case $answering in *"|$1|"*) true ;; *) false ;; esac }

# The registry does answer, and what it says is no.
says_no() { grep -Eiq 'not found|manifest unknown|does not exist|denied|unauthorized' "$pull_log.errors"; }

# --- pulling ------------------------------------------------------------------

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

# pull IMAGE KIND: 1 when no registry has it, 2 when its download breaks off.
pull() {
  local source registry before try digest
  source=$(source_of "$1")
  digest=$(locked "$1")
  source=$source${digest:+@$digest}
  registry=$(registry_of "$1")
  before=$(image_id "$1")
  if [ -n "$digest" ] && exists "$source"; then
    docker tag "$source" "$1"
    forget "$before" "$1"
    ok "$1: $(describe "$1" "$2")"
    return
  fi
  if is_silent "$registry"; then return 1; fi
  pull_log="$(cache_dir)/logs/pull-$2.log"
  for try in 1 2 3; do
    note "asking $registry for $source (at most $patience s) ..."
    if begin_pull "$source"; then
      answering="$answering$registry|"
      if end_pull "$source"; then
        pull_pid=''
        if [ "$source" != "$1" ]; then docker tag "$source" "$1"; fi
        forget "$before" "$1"
        ok "$1: $(describe "$1" "$2")"
        return 0
      fi
    else
      pull_pid=''
      note "$registry: $(tail -n 1 "$pull_log.errors")"
      if says_no; then return 1; fi
      if ! is_answering "$registry"; then
        silent="$silent$registry|"
        return 1
      fi
    fi
    note "attempt $try of 3 broke off; what has arrived is kept"
  done
  (fail "the download of $source broke off three times" \
    "run it again to go on; or name a nearer mirror in TAROT_REGISTRY_MIRROR;" \
    "or TAROT_BASE_IMAGES=standin to build stand-ins from Debian's archive.") || return 2
}

# --- stand-ins --------------------------------------------------------------

# Changes when a stand-in has to be built anew.
recipe() {
  local sum=(sha256sum) shared=(archive.sh layers.sh)
  if is_whole "$1"; then shared=(archive.sh build.sh 90docker); fi
  if ! have sha256sum; then sum=(shasum -a 256); fi
  # How it is tried is nothing that is in it.
  (cd "$here/standins" && find -L "${shared[@]}" "$1" -type f ! -name try ! -name try.sh | LC_ALL=C sort | xargs cat) | "${sum[@]}" | cut -c 1-16
}

# A whole Debian, or only a tool and what it needs.
is_whole() { case $1 in python | nginx) true ;; *) false ;; esac }

ways_without_registry() {
  printf '%s\n' \
    "One of these helps:" \
    "- TAROT_REGISTRY_MIRROR=registry.example.cn/library/  a mirror of Docker Hub that you can reach" \
    "  (and TAROT_GHCR_MIRROR=ghcr.example.cn/ one of ghcr.io, for cAdvisor)" \
    "- on a connected machine: setup/base-images.sh save base-images.tar.gz" \
    "  then here:              setup/base-images.sh load base-images.tar.gz"
}

need_tools() {
  if have mmdebstrap && [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then return; fi
  if is_debian && is_root; then
    apt_install mmdebstrap debian-archive-keyring ||
      fail "mmdebstrap could not be installed" "stand-ins are built with it."
  elif is_debian; then
    fail "stand-ins need mmdebstrap and Debian's keyring" \
      "sudo apt-get install mmdebstrap debian-archive-keyring uidmap"
  else
    fail "stand-ins can only be built on Debian or Ubuntu"
  fi
}

# can_build: asked, and complained about, once.
builder=''
can_build() {
  if [ -z "$builder" ]; then
    builder=yes
    (need_tools) || builder=no
  fi
  [ "$builder" = yes ]
}

# Does it do what the Dockerfiles and the stack want of it, without a network? Its folder says
# what that is: a script that runs in it (try.sh), or a line of what to look for and how to
# start it (try, the words of standins/try.sh), after a line for each thing to do before.
try_standin() {
  local image=$1 folder=$here/standins/$2 line run=(docker run --rm --network none)
  if [ -e "$folder/try.sh" ]; then
    "${run[@]}" --interactive --entrypoint sh "$image" -s <"$folder/try.sh"
    return
  fi
  while IFS= read -r line; do
    # shellcheck disable=SC2086 # one word a word
    case $line in
      '! '*) "${run[@]}" --entrypoint '' "$image" ${line#! } || return ;;
      *) "${run[@]}" --interactive --read-only --tmpfs /tmp --cap-drop ALL --entrypoint sh "$image" -s $line <"$here/standins/try.sh" || return ;;
    esac
  done < <(sed '/^#/d' "$folder/try")
}

build_standin() {
  local image=$1 kind=$2 before version arch archives
  before=$(image_id "$image")
  work=$(mktemp -d "$(cache_dir)/build.XXXXXX") || fail "no temporary folder in $(cache_dir)"
  arch=$(docker version --format '{{.Server.Arch}}')
  if is_whole "$kind"; then
    archives=rootfs.tar
    run_logged "file system for $image" "1 min; the first time as long as 60 MB take" \
      bash "$here/standins/build.sh" "$kind" "$arch" "$work/rootfs.tar" || build_failed "$image" "$kind"
  else
    archives=tool.tar
    run_logged "layers of $kind" "$(expected_time "$kind")" \
      bash "$here/standins/layers.sh" "$kind" "$arch" "$work" || build_failed "$image" "$kind"
  fi
  version=$(tar -xOf "$work/$archives" ./etc/standin-version) ||
    fail "the file system for $image does not say what is in it"
  run_logged "image $image" "10 s" docker build --tag "$image" --file "$here/standins/$kind/Dockerfile" \
    --label tarot.standin=true --label "tarot.standin.for=$image" --label "tarot.standin.version=$version" \
    --label "tarot.standin.recipe=$(recipe "$kind")" --label "tarot.standin.built=$(date -u +%Y-%m-%d)" "$work" ||
    fail "the engine could not make an image of the file system" "the log above says why."
  rm -rf "$work"
  is_standin "$image" ||
    fail "the image was built, but is not in the engine" "use a builder that keeps images there: docker buildx use default"
  if ! run_logged "try $image" "5 s" try_standin "$image" "$kind"; then
    # Or the next run would find it, and be content.
    if [ -n "$before" ]; then docker tag "$before" "$image"; else docker image rm "$image" >/dev/null; fi
    fail "the stand-in for $image does not work" "the log above says why."
  fi
  forget "$before" "$image"
  ok "$image: $(describe "$image" "$kind")"
}

expected_time() {
  case $1 in
    cadvisor) echo "1 to 2 min" ;;
    litestream) echo "5 to 10 min once on a machine, then 5 s" ;;
    prometheus | postgres | postgres17) echo "5 s; the first time as long as 50 MB take" ;;
    *) echo "5 s; the first time as long as 10 MB take" ;;
  esac
}

build_failed() {
  if [ "$2" = cadvisor ] || [ "$2" = litestream ]; then
    fail "the stand-in for $1 could not be built" \
      "Its program is compiled from Go modules: GOPROXY=https://goproxy.cn,direct names a mirror of them."
  fi
  fail "the stand-in for $1 could not be built" \
    "If a download failed: run it again (what has arrived is kept), or name a mirror of" \
    "Debian's archive: APT_MIRROR=https://mirrors.example.cn (debian/ and debian-security/ below it)." \
    "If a signature could not be checked: apt-get install debian-archive-keyring."
}

# An older stand-in is better than none, on a machine that has no network any more.
renew_standin() {
  if can_build; then
    if (trap cleanup EXIT && build_standin "$1" "$2"); then return; fi
    # Six times apt's patience is more than a person has.
    if grep -Eqs 'Could not (connect|resolve)|Temporary failure|[Tt]imed out|Unable to connect' "$(cache_dir)/logs/layers-of-$2.log"; then
      builder=no
      note "Debian's archive does not answer; nothing more is built from it now"
    fi
  fi
  if ! exists "$1"; then return 1; fi
  warn "$1 stays as it is: $(describe "$1" "$2"), from other files than setup/standins has now"
  note "TAROT_BASE_IMAGES=local uses what is here without trying"
}

# --- one image --------------------------------------------------------------

# Present and as it should be. An old stand-in is not; in mode `standin` only a
# stand-in is.
is_current() {
  local standin recipe
  { read -r standin && read -r recipe; } < <(label "$1" '' .recipe) || return 1
  if [ "$standin" = true ]; then
    [ "$recipe" = "$(recipe "$2")" ]
  else
    [ "$mode" != standin ] && { [ "$mode" = local ] || ! unlike_lock "$1"; }
  fi
}

# obtain KIND: not 0 when the image could not be had; why has been said then.
obtain() {
  local kind=$1 image own status=0
  image=$(image_of "$kind")
  own=$(own_name "$image")
  case $mode in
    auto | standin)
      if is_current "$image" "$kind"; then
        ok "$image: $(describe "$image" "$kind")"
        return
      fi
      if [ "$mode" = auto ] && ! is_current "$own" "$kind"; then
        pull "$image" "$kind" || status=$?
        if [ "$status" -ne 1 ]; then return "$status"; fi
        # It is a registry's, and a stand-in is no step forward.
        if unlike_lock "$image"; then
          warn "$image stays: $(describe "$image" "$kind"), so \`pulumi up\` of a stack that uses it will refuse"
          return
        fi
      fi
      stand_in "$image" "$kind"
      ;;
    local)
      image=$(name_here "$kind")
      if ! exists "$image"; then
        warn "$image is not here"
        return 1
      fi
      ok "$image: $(describe "$image" "$kind")"
      ;;
    pull)
      pull "$image" "$kind" || status=$?
      if [ "$status" -eq 1 ]; then warn "$image is not to be had from $(registry_of "$image")"; fi
      return "$status"
      ;;
  esac
}

# stand_in IMAGE KIND: under its name, or under one of its own.
own_names=()
stand_in() {
  local status=0
  may_bear "$1" || status=$?
  case $status in
    0) renew_standin "$1" "$2" ;;
    1) stand_in_as "$(own_name "$1")" "$2" ;;
    *) return 1 ;;
  esac
}

# stand_in_as IMAGE KIND: under a name that nothing else has.
stand_in_as() {
  own_names+=("$1")
  if is_current "$1" "$2"; then ok "$1: $(describe "$1" "$2")"; else renew_standin "$1" "$2"; fi
}

# have_images KIND...: all that there are, or fail where nothing works without one. own:KIND
# is a stand-in with a name of its own.
missing=''
have_images() {
  local kind image
  look_for_strangers
  for kind in "$@"; do
    image=$(image_of "${kind#own:}")
    case $kind in
      own:*) stand_in_as "$(own_name "$image")" "${kind#own:}" && continue ;;
      *) obtain "$kind" && continue ;;
    esac
    case " ${base[*]} " in
      *" ${kind#own:} "*) fail "nothing works without $image" "$(ways_without_registry)" ;;
    esac
    if exists "$image"; then note "it stays as it is: $(describe "$image" "$kind")"; else missing="$missing $image"; fi
  done
  if [ -n "$missing" ]; then
    warn "not here:$missing"
    note "A stack that has what they are for needs them, others do not. make base-images tries again;"
    note "docs/offline.md has other ways to get them."
  fi
  if [ ${#own_names[@]} -gt 0 ]; then
    note "The stand-ins have names of their own. A stack uses them where its file gives these:"
    # shellcheck disable=SC2154 # names.sh has it
    note "tarot:build.baseRegistry: ${own_prefix}library/, tarot:nginx.image and tarot:monitoring.images"
    note "(${own_names[*]})"
  fi
}

# kinds_for STACK: those whose names its file gives, or leaves to the defaults. Others are
# pulled as they are needed, by Pulumi.
kinds_for() {
  local wanted kind image
  wanted=$("$here/with.sh" go run ./cmd/stack images "$1" ${2:+--next "$2"}) || return
  while read -r image; do note "$image: by its digest, so Pulumi pulls it"; done < <(grep '@' <<<"$wanted")
  for kind in "${base[@]}" "${optional[@]}" "${some[@]}"; do
    image=$(image_of "$kind")
    if grep -qxF "$image" <<<"$wanted"; then echo "$kind"; fi
    if grep -qxF "$(own_name "$image")" <<<"$wanted"; then echo "own:$kind"; fi
  done
}

renew() {
  local kind image status=0
  can_build || exit 1
  look_for_strangers
  for kind in "${base[@]}" "${optional[@]}" "${some[@]}"; do
    image=$(name_here "$kind")
    if ! exists "$image" && is_for_some "$kind"; then continue; fi
    if exists "$image" && ! is_standin "$image"; then
      skip "$image is not a stand-in"
      continue
    fi
    case $(may_bear "$image" >&2 && echo yes || echo $?) in
      yes) ;;
      1) image=$(own_name "$image") ;;
      *) status=1 && continue ;;
    esac
    (trap cleanup EXIT && build_standin "$image" "$kind") || status=1
  done
  return "$status"
}

check_settings() {
  case $mode in
    auto | pull | standin | local) ;;
    *) fail "TAROT_BASE_IMAGES=$mode" "it is auto, pull, standin or local." ;;
  esac
  # shellcheck disable=SC2154 # names.sh has it
  case $answer in
    '' | yes | no) ;;
    *) fail "TAROT_STANDIN_NAMES=$answer" "it is yes or no." ;;
  esac
  case $mirror$ghcr in
    *://*) fail "TAROT_REGISTRY_MIRROR=$mirror TAROT_GHCR_MIRROR=$ghcr" "an image name has no https:// before it: registry.example.cn/library/" ;;
  esac
  docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
    fail "no Docker engine answers" "setup/engine.sh says why."
}

# All that are here; a machine without the monitoring's can do without it.
save() {
  local file=$1 image kind images=()
  for kind in "${base[@]}"; do
    image=$(name_here "$kind")
    exists "$image" || fail "$image is not here" "setup/base-images.sh gets it."
    images+=("$(name_saved "$image")")
  done
  for kind in "${optional[@]}"; do
    image=$(name_here "$kind")
    if exists "$image"; then images+=("$(name_saved "$image")"); else warn "$image is not here, so it is not saved"; fi
  done
  for kind in "${some[@]}"; do
    image=$(name_here "$kind")
    if exists "$image"; then images+=("$(name_saved "$image")"); fi
  done
  # shellcheck disable=SC2016 # expands in the inner shell
  run_logged "save to $file" "1 min" bash -c 'set -o pipefail; file=$1; shift; docker save "$@" | gzip >"$file.part" && mv "$file.part" "$file"' \
    - "$file" "${images[@]}" || fail "$file could not be written"
  ok "$(du -h "$file" | cut -f 1) in $file; on the other machine: setup/base-images.sh load $(basename "$file")"
}

# name_saved IMAGE: its name in the archive: the one that it would have on an engine of others.
name_saved() {
  if [ "$answer" = no ] && is_standin "$1"; then
    docker tag "$1" "$(own_name "$1")"
    own_name "$1"
  else
    echo "$1"
  fi
}

# has_stand_ins FILE: whether a stand-in in an archive has the name of what it stands for.
has_stand_ins() {
  gunzip -c "$1" 2>/dev/null | LC_ALL=C grep -aFc '"tarot.standin":"true"' >/dev/null &&
    gunzip -c "$1" 2>/dev/null | tar -xOf - manifest.json | grep -Fc "\"$(image_of python)\"" >/dev/null
}

load() {
  [ -r "$1" ] || fail "$1 cannot be read" "make it on a connected machine with: setup/base-images.sh save $1"
  look_for_strangers
  if [ "$answer" = no ] || ! consented; then
    if has_stand_ins "$1" && ! may_bear "$(image_of python)"; then
      fail "the stand-ins in $1 have the names of what they stand for" \
        "write it with names of their own: TAROT_STANDIN_NAMES=no setup/base-images.sh save $(basename "$1")"
    fi
  fi
  run_logged "load $1" "20 s" docker load --input "$1" || fail "$1 could not be loaded"
  list >&2
}

main() {
  case ${1:-} in
    '')
      step "Base images"
      check_settings
      have_images "${base[@]}" "${optional[@]}"
      ;;
    for)
      [ $# -eq 2 ] || [ $# -eq 3 ] || fail "which stack?" "setup/base-images.sh for dev"
      step "Base images of the stack $2"
      check_settings
      kinds=$(kinds_for "$2" "${3-}") || fail "the images of the stack $2 could not be told"
      # shellcheck disable=SC2086 # one word a line
      have_images $kinds
      ;;
    tests)
      step "Base images of the tests"
      check_settings
      have_images "${some[@]}"
      ;;
    only)
      shift
      [ $# -gt 0 ] || fail "which ones?" "setup/base-images.sh only postgres"
      step "Base images: $*"
      check_settings
      for kind in "$@"; do
        [ -n "$(image_of "$kind")" ] || fail "no image's stand-in is called $kind" "setup/images.txt and setup/test-images.txt have their names."
      done
      have_images "$@"
      [ -z "$missing" ] || exit 1
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
    *) fail "usage: base-images.sh [for STACK | tests | only KIND... | --list | renew | save FILE | load FILE]" ;;
  esac
}

main "$@"
