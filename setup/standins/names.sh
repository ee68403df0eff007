# shellcheck shell=bash
# What a stand-in is called. Source it after lib.sh.
#
# Under upstream's name it serves every Dockerfile and stack as it is, and every other
# project of the same engine, too, which would take it for what it is not. So it gets that
# name only on an engine that nobody else uses, or where somebody has said so. Anywhere else
# it has a name of its own, which the stack then has to give.
#
#   TAROT_STANDIN_NAMES   yes: upstream's names; no: names of their own; not set: an engine
#                         of ours gets upstream's, and for another one the user is asked

# No registry can ever be there: RFC 2606 keeps .invalid free.
readonly own_prefix=standin.invalid/

# own_name IMAGE: python:3.11-slim -> standin.invalid/library/python:3.11-slim
own_name() {
  case $1 in
    "$own_prefix"*) echo "$1" ;;
    ghcr.io/*) echo "$own_prefix${1#ghcr.io/}" ;;
    */*) echo "$own_prefix$1" ;;
    *) echo "${own_prefix}library/$1" ;;
  esac
}

# strangers: what the engine has that is not of this project, one a line. What was built from
# a stand-in has its label.
strangers() {
  local ids containers id
  ids=$(docker image ls --quiet --no-trunc) || return
  containers=$(docker ps --all --format '{{if not (.Label "tarot.stack")}}container {{.Names}}{{end}}') || return
  sed '/^$/d' <<<"$ids" | sort -u | while IFS= read -r id; do
    # One that is gone meanwhile is nobody's.
    docker image inspect --format '{{if ne (index .Config.Labels "tarot.standin") "true"}}image {{or (join .RepoTags " ") .Id}}{{end}}' "$id" 2>/dev/null || true
  done | sed '/^$/d'
  sed '/^$/d' <<<"$containers"
}

# The engines that were found to be ours, or that a user has let us treat so.
_consents() { echo "$(cache_dir)/engines-with-standins"; }

consented() { grep -qsxF "$(docker info --format '{{.ID}}')" "$(_consents)"; }

consent() { if ! consented; then docker info --format '{{.ID}}' >>"$(_consents)"; fi; }

# To be called before anything is pulled: an engine without strangers is ours from then on.
look_for_strangers() {
  if consented; then return; fi
  stranger=$(strangers) || fail "the engine does not tell its images and containers"
  stranger=$(sed -n '1,3p' <<<"$stranger" | paste -sd ',' - | sed 's/,/, /g')
  if [ -z "$stranger" ]; then consent; fi
}

# may_bear IMAGE: 0 when a stand-in may have this name, 1 when it gets one of its own, 2 when
# nobody can be asked. The user is asked once. One that is there already was let.
answer=${TAROT_STANDIN_NAMES:-} stranger=''
may_bear() {
  case $1 in "$own_prefix"*) return 0 ;; esac
  if is_standin "$1"; then return 0; fi
  case $answer in
    yes) return 0 ;;
    no) return 1 ;;
    refused) return 2 ;;
  esac
  if consented; then return 0; fi
  if [ -t 0 ]; then
    note "No registry has $1 for this engine, and others use it, too: $stranger ..."
    note "A stand-in made from Debian can have that name: everything on this engine that says"
    note "$1 then gets the stand-in. Otherwise it is called $(own_name "$1")."
    printf '        Upstream'\''s names for the stand-ins? [y/N] ' >&2
    read -r answer
    case $answer in
      y | Y | yes) answer=yes && consent && return 0 ;;
      *) answer=no && return 1 ;;
    esac
  fi
  answer=refused
  (fail "no registry has $1 for this engine, and others use it, too: $stranger ..." \
    "A stand-in made from Debian would have that name for them as well. Say which it is to be:" \
    "  TAROT_STANDIN_NAMES=yes   upstream's names, for everybody on this engine" \
    "  TAROT_STANDIN_NAMES=no    names of their own, like $(own_name "$1")," \
    "                            which the stack then has to give: docs/offline.md") || return 2
}
