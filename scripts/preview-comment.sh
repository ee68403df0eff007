#!/usr/bin/env bash
# preview-comment.sh FILE STACK...: writes what `pulumi preview` says of the
# stacks to FILE, as a comment for a pull request. What fails is in the comment,
# too, and then the exit code is 1.
#
# It needs no account and no secrets: the state is an empty one in a temporary
# folder, so everything is to be created, and secrets in the stack files are
# replaced. It works on a copy, because Pulumi writes into the stack files.
#
#   PREVIEW_OF    what was looked at (a commit), for the comment's last line
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../setup/lib.sh"

# GitHub takes 65,536 characters: so many bytes for what Pulumi says of all
# stacks, and of those for the messages of one.
room=58000
readonly messages_limit=6000

readonly placeholder=a-placeholder-as-long-as-any-secret-has-to-be

[ $# -ge 2 ] || fail "usage: scripts/preview-comment.sh FILE STACK..."
file=$1
shift
have pulumi || fail "there is no pulumi on the PATH" "make pulumi"
mkdir -p "$(dirname "$file")"
rm -f "$file" # what an earlier run wrote is not what this one found
case $file in /*) ;; *) file=$PWD/$file ;; esac
cd "$here/.."

work=$(cd "$(mktemp -d)" && pwd -P)
trap 'rm -rf "$work"' EXIT
project=$work/project
mkdir "$project" "$work/state"

export PULUMI_BACKEND_URL=file://$work/state
PULUMI_CONFIG_PASSPHRASE=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export PULUMI_CONFIG_PASSPHRASE PULUMI_SKIP_UPDATE_CHECK=true
unset PULUMI_CONFIG_PASSPHRASE_FILE PULUMI_ACCESS_TOKEN PULUMI_STACK

# copy_project: what git has or would have.
copy_project() {
  git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' name; do
    if [ -e "$name" ] || [ -L "$name" ]; then printf '%s\0' "$name"; fi
  done >"$work/files"
  tar -cf - --null -T "$work/files" | tar -xf - -C "$project"
}

# forget_secrets STACK: takes the salt, and every value that was encrypted with it,
# out of the stack's file; prints where these were, as `pulumi config --path` has it.
forget_secrets() {
  local config=$project/Pulumi.$1.yaml
  [ -f "$config" ] || { printf 'there is no Pulumi.%s.yaml\n' "$1" >&2 && return 1; }
  go run ./cmd/stack forget-secrets "$config"
}

# quietly ARGUMENTS...: pulumi, heard only when it fails.
quietly() {
  pulumi "$@" --cwd "$project" --non-interactive >"$work/quiet" 2>&1 </dev/null && return
  cat "$work/quiet" >&2
  return 1
}

# preview STACK: a new stack, with placeholders for its secrets, and its preview.
preview() {
  local key
  forget_secrets "$1" >"$work/keys" &&
    quietly stack init "$1" --no-select --secrets-provider passphrase || return
  while IFS= read -r key; do
    case $key in
      # No placeholder is a key that fits a certificate.
      tarot:tls*) quietly config set --path tarot:nginx.tls.mode selfSigned --stack "$1" || return ;;
      tarot:databaseUrl) quietly config set --secret "$key" "postgresql://$placeholder/db" --stack "$1" || return ;;
      # One inside an object is none for the program, which says so.
      *) quietly config set --secret --path "$key" "$placeholder" --stack "$1" || return ;;
    esac
  done <"$work/keys"
  pulumi preview --cwd "$project" --stack "$1" --diff --non-interactive --color never
}

# tidy: without what differs from machine to machine, or says nothing to a reader.
tidy() {
  sed -e "s|$project|.|g" -e "s|$work|(temporary)|g" \
    -e '/^ *\[provider=urn:/d' -e '/^compiling the program/d' -e '/^ *$/d' "$1"
}

# fenced LIMIT: stdin as a block of code that it cannot end, LIMIT bytes at most.
fenced() {
  local text fence='```'
  text=$(LC_ALL=C awk -v limit="$1" '
    (size += length($0) + 1) <= limit { print; next }
    { left++ }
    END { if (left) printf "… and %d lines more, for which there is no room in a comment\n", left }')
  while [[ $text == *"$fence"* ]]; do fence+='`'; done
  printf '%stext\n%s\n%s\n' "$fence" "$text" "$fence"
}

# headline TEXT: "27 to create · tarot-backend:0123456789abcdef · nginx:1.30"
headline() {
  sed -n '/^Resources:/,$ s/^ *[-+~ ]*\([0-9][0-9]* [a-z ]*\)$/\1/p' "$1" | awk '{ printf "%s%s", separator, $0; separator = ", " }'
  sed -n '/--outputs:--/,$ s/^ *image *: "\([A-Za-z0-9._:@/-]*\)"$/\1/p' "$1" | sort -u | awk '{ printf " · `%s`", $0 }'
}

# section STACK LEFT: what the comment says of a stack, in its share of the room
# that is left for LEFT stacks; 1 when its preview failed.
section() {
  local stack=$1 share=$((room / $2)) status=0
  preview "$stack" >"$work/out" 2>"$work/err" || status=$?
  tidy "$work/out" >"$work/text"
  tidy "$work/err" >"$work/messages"
  if [ "$status" -eq 0 ]; then
    ok "$stack: $(headline "$work/text")"
    printf '\n### %s: %s\n\n' "$stack" "$(headline "$work/text")"
  else
    warn "$stack: the preview failed (status $status)"
    sed 's/^/        | /' "$work/messages" >&2
    printf '\n### %s: the preview failed\n\n' "$stack"
  fi
  : >"$work/why"
  if [ -s "$work/messages" ]; then fenced "$messages_limit" <"$work/messages" | tee "$work/why"; fi
  room=$((room - $(wc -c <"$work/why")))
  if [ -s "$work/text" ]; then
    printf '\n<details><summary>pulumi preview --diff --stack %s</summary>\n\n' "$stack"
    fenced $((share - $(wc -c <"$work/why"))) <"$work/text" | tee "$work/what"
    printf '\n</details>\n'
    room=$((room - $(wc -c <"$work/what")))
  fi
  [ "$status" -eq 0 ]
}

step "Preview"
copy_project
failed=() left=$#
{
  printf '<!-- tarot-preview -->\n## Preview\n'
  for stack in "$@"; do
    section "$stack" "$left" || failed+=("$stack")
    left=$((left - 1))
  done
  printf '\nAgainst an empty state and without secrets: everything that a stack has is “to create”.\n'
  if [ -n "${PREVIEW_OF:-}" ]; then printf 'Of %s.\n' "$PREVIEW_OF"; fi
} >"$work/comment"
mv "$work/comment" "$file"
ok "$file: $(wc -c <"$file" | tr -d ' ') bytes"
if [ ${#failed[@]} -gt 0 ]; then fail "the preview failed: ${failed[*]}"; fi
