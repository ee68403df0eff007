#!/bin/sh
# This is the `pulumi` that tarot-platform's set-up has put on the PATH; the real one is @libexec@/pulumi.
#
# It does one thing more: the stack `dev` of a project that brings this file has an empty passphrase, and says so to
# Pulumi, which would ask for it otherwise. It leaves everything else alone: other stacks, other projects, and a
# passphrase that is given in PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE.

# Is this a command on the stack dev of such a project? (In a subshell, to leave the environment as it is.)
on_dev() (
  stack='' dir=. before=''
  case "${1-} ${2-}" in
  'stack init' | 'stack select' | 'stack rm') case ${3-} in -*) ;; *) stack=${3-} ;; esac ;;
  esac
  for argument in "$@"; do
    case $before in
    -s | --stack) stack=$argument ;;
    -C | --cwd) dir=$argument ;;
    esac
    case $argument in
    --) break ;;
    --stack=*) stack=${argument#--stack=} ;;
    --cwd=*) dir=${argument#--cwd=} ;;
    -s?*) stack=${argument#-s} stack=${stack#=} ;;
    -C?*) dir=${argument#-C} dir=${dir#=} ;;
    esac
    before=$argument
  done

  root=$(CDPATH='' cd -- "$dir" 2>/dev/null && pwd) || exit 1
  while [ -n "$root" ] && [ ! -e "$root/Pulumi.yaml" ]; do root=${root%/*}; done
  [ -n "$root" ] && [ -e "$root/toolchain/launcher.sh" ] || exit 1
  : "${stack:=${PULUMI_STACK:-$(selected "$root/Pulumi.yaml")}}"
  [ "${stack##*/}" = dev ]
)

# The stack that `pulumi stack select` has chosen, if there is one answer for all backends.
selected() {
  sum=$(printf %s "$1" | { sha1sum 2>/dev/null || shasum; }) || return
  home=${PULUMI_HOME:-$(eval "printf %s ~$(id -un)")/.pulumi} # not $HOME: Pulumi asks the user database
  sed -n 's/.*": *"\([^"]*\)",\{0,1\}$/\1/p' "$home"/workspaces/*-"${sum%% *}"-workspace.json 2>/dev/null | sort -u
}

if [ -z "${PULUMI_CONFIG_PASSPHRASE+set}" ] && [ -z "${PULUMI_CONFIG_PASSPHRASE_FILE-}" ] && on_dev "$@"; then
  export PULUMI_CONFIG_PASSPHRASE=
fi
exec '@libexec@/pulumi' "$@"
