#!/usr/bin/env bash
# Where the state is, and the passphrase that protects the secrets in it.
#
#   setup/state.sh ensure STACK              log in if need be, create the stack if need be
#   setup/state.sh exec STACK COMMAND...     the same, and run a command that has the passphrase
#
# The state is in ~/.pulumi, without any account, unless PULUMI_BACKEND_URL, a
# `pulumi login` or the backend of Pulumi.yaml says otherwise.
#
# dev has an empty passphrase: its secrets are those of one developer's machine,
# in a folder that only this user can read, and of containers that this user can
# look into in any case. Every other stack has a passphrase that only its
# operators know.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/lib.sh"

usage() { fail "usage: setup/state.sh ensure STACK, or setup/state.sh exec STACK COMMAND..."; }

action=${1-} stack=${2-}
[ -n "$stack" ] || usage
case $action in
ensure) [ $# -eq 2 ] || usage ;;
exec) [ $# -gt 2 ] || usage ;;
*) usage ;;
esac
have pulumi || fail "there is no pulumi on the PATH" "run setup/pulumi.sh"
project=$here/..
# Not $HOME: Pulumi asks the user database where the home folder is.
home=$(eval "printf %s ~$(id -un)")
shift 2

# --- the backend ---------------------------------------------------------------

chosen_backend() {
  [ -n "${PULUMI_BACKEND_URL:-}${PULUMI_ACCESS_TOKEN:-}" ] ||
    grep -qs '"current": *"[^"]' "${PULUMI_HOME:-$home/.pulumi}/credentials.json" ||
    grep -Eq "^[\"']?backend[\"']?:" "$project/Pulumi.yaml"
}

log_in() {
  if chosen_backend; then return; fi
  pulumi login --local >/dev/null || fail "pulumi login --local failed"
  chmod 700 "$home/.pulumi" # Pulumi would let every user of the machine read it
  ok "the state is in $home/.pulumi (another place: pulumi login, or PULUMI_BACKEND_URL)"
}

# Outputs can be read without the passphrase, so this asks for nothing.
exists() { pulumi stack output --cwd "$project" --stack "$1" >/dev/null 2>&1; }

# --- the passphrase --------------------------------------------------------------

# Has the user given one? An empty one is none.
given() {
  if [ -n "${PULUMI_CONFIG_PASSPHRASE+set}" ]; then
    [ -n "$PULUMI_CONFIG_PASSPHRASE" ]
  else
    [ -n "${PULUMI_CONFIG_PASSPHRASE_FILE:-}" ] && grep -qs '[^[:space:]]' "$PULUMI_CONFIG_PASSPHRASE_FILE"
  fi
}

# Pulumi asks by itself for the passphrase of a stack that exists. For a new one
# it would take an empty one, too, so that is asked here.
ask_new() {
  local again
  while true; do
    read -rsp "A passphrase for the secrets of $stack: " PULUMI_CONFIG_PASSPHRASE && printf '\n' >&2
    if [ -z "$PULUMI_CONFIG_PASSPHRASE" ]; then
      warn "an empty passphrase protects nothing"
      continue
    fi
    if salted; then break; fi # an old passphrase; Pulumi checks it
    read -rsp "The same once more: " again && printf '\n' >&2
    if [ "$again" = "$PULUMI_CONFIG_PASSPHRASE" ]; then break; fi
    warn "they differ"
  done
  export PULUMI_CONFIG_PASSPHRASE
}

# Is there a passphrase to this stack's configuration already?
salted() { grep -qs '^encryptionsalt:' "$project/Pulumi.$stack.yaml"; }

ensure_passphrase() {
  if [ "$stack" = dev ]; then
    if [ -z "${PULUMI_CONFIG_PASSPHRASE+set}" ] && [ -z "${PULUMI_CONFIG_PASSPHRASE_FILE:-}" ]; then
      export PULUMI_CONFIG_PASSPHRASE=
    fi
    return
  fi
  if given; then return; fi
  if [ -z "${PULUMI_CONFIG_PASSPHRASE+set}" ] && [ -z "${PULUMI_CONFIG_PASSPHRASE_FILE:-}" ] && [ -t 0 ]; then
    if ! exists "$stack"; then ask_new; fi
    return
  fi
  fail "the stack $stack needs a passphrase of its own, and there is none in PULUMI_CONFIG_PASSPHRASE or the file of PULUMI_CONFIG_PASSPHRASE_FILE" \
    "put it into a file that only you can read, and say where that is:" \
    "unset PULUMI_CONFIG_PASSPHRASE; export PULUMI_CONFIG_PASSPHRASE_FILE=/path/to/the/file" \
    "(in a terminal, and with neither of the two set, it is asked for)"
}

# --- the stack ---------------------------------------------------------------------

create() {
  local fresh=yes
  if salted; then fresh=''; fi
  (cd "$project" && pulumi stack init "$stack" --secrets-provider passphrase --no-select --non-interactive >/dev/null) ||
    fail "the stack $stack could not be created" \
      "if the passphrase is said to be wrong: that of dev is empty (unset PULUMI_CONFIG_PASSPHRASE)," \
      "that of another stack is the one with which the encryptionsalt in Pulumi.$stack.yaml was made"
  ok "the stack $stack is created"
  if [ -n "$fresh" ]; then
    note "Pulumi.$stack.yaml has an encryptionsalt now. Commit it: with the passphrase, it is what secrets are read with."
    if [ "$stack" != dev ]; then note "Keep the passphrase where it is not lost: nobody can tell you what it was."; fi
  fi
}

# What to type where `pulumi` is not our launcher, which does this by itself. Not
# an export for the profile: that would be the passphrase of other stacks, too.
explain() {
  if [ "$stack" != dev ] || grep -qs "tarot-platform's set-up" "$(command -v pulumi)"; then return; fi
  note "in your own shell: PULUMI_CONFIG_PASSPHRASE= pulumi up -s dev"
}

log_in
ensure_passphrase
if exists "$stack"; then ok "the stack $stack exists"; else create; fi
# `pulumi up` without a stack then means dev; never another one that was not chosen.
if [ "$stack" = dev ] && ! (cd "$project" && pulumi stack --show-name --non-interactive >/dev/null 2>&1); then
  (cd "$project" && pulumi stack select dev)
fi
explain
if [ "$action" = exec ]; then exec "$@"; fi
