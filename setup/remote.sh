#!/usr/bin/env bash
# remote.sh: an ssh of this checkout's own for the engine that DOCKER_HOST=ssh://... names, as
# pipelines need one: it knows one key, trusts the host keys that it is given and no others, and
# asks nobody. It is build/remote/ssh, which make puts before the PATH; nothing in ~/.ssh is
# read or changed.
#
#   DEPLOY_SSH_KEY       the private key, as text
#   DEPLOY_KNOWN_HOSTS   the host's public keys, as lines of known_hosts (ssh-keyscan, and compared)
#
# remote.sh forget: takes it away.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/lib.sh"
folder=$(cd "$here/.." && pwd)/build/remote

forget() {
  if [ -s "$folder/sockets" ]; then
    # The connections that are kept open end by themselves, too, a minute after the last use.
    rm -rf "$(cat "$folder/sockets")"
  fi
  rm -rf "$folder"
}

case ${1-} in
'') ;;
forget)
  forget
  exit
  ;;
*) fail "usage: setup/remote.sh, or setup/remote.sh forget" ;;
esac

case ${DOCKER_HOST:-} in
ssh://?*) ;;
*) fail "DOCKER_HOST is \"${DOCKER_HOST:-}\"; allowed here: ssh://USER@HOST, or ssh://USER@HOST:PORT" ;;
esac
for name in DEPLOY_SSH_KEY DEPLOY_KNOWN_HOSTS; do
  [ -n "${!name:-}" ] || fail "$name is empty" "It is a $([ $name = DEPLOY_SSH_KEY ] && echo secret || echo variable) of the pipeline's environment: docs/ci.md, \"Deploying\"."
done
# Without one the state would be on this runner alone, gone with it, and everything made anew.
[ -n "${PULUMI_BACKEND_URL:-}" ] || grep -Eqs "^[\"']?backend[\"']?:" "$here/../Pulumi.yaml" ||
  fail "PULUMI_BACKEND_URL is empty" "It says where the state of the stacks is: docs/ci.md, \"Deploying\"."
real=$(type -aP ssh | grep -vFx "$folder/ssh" | head -n 1) || true
[ -n "$real" ] || fail "there is no ssh on the PATH" "Debian: apt-get install openssh-client"

forget
umask 077
mkdir -p "$folder"
# A socket's path has 104 bytes, and a checkout's may be longer.
sockets=$(mktemp -d "${TMPDIR:-/tmp}/remote-XXXXXX")
printf '%s\n' "$sockets" >"$folder/sockets"
printf '%s\n' "$DEPLOY_SSH_KEY" | tr -d '\r' >"$folder/key"
printf '%s\n' "$DEPLOY_KNOWN_HOSTS" | tr -d '\r' >"$folder/known_hosts"
ssh-keygen -y -P '' -f "$folder/key" >/dev/null 2>&1 ||
  fail "DEPLOY_SSH_KEY is no private key that ssh can read without a passphrase" "ssh-keygen -t ed25519 -N '' -f deploy-key makes one"
ssh-keygen -l -f "$folder/known_hosts" >/dev/null 2>&1 ||
  fail "DEPLOY_KNOWN_HOSTS has no line of known_hosts" "ssh-keyscan HOST shows them; compare them with the host's own /etc/ssh/*.pub"
# Pulumi asks the engine many things at once: one connection that is shared, as sshd turns away
# whoever comes eleventh (MaxStartups).
cat >"$folder/config" <<EOF
Host *
  IdentityFile "$folder/key"
  IdentitiesOnly yes
  UserKnownHostsFile "$folder/known_hosts"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  BatchMode yes
  ConnectTimeout 20
  ServerAliveInterval 15
  ControlMaster auto
  ControlPath $sockets/%C
  ControlPersist 60
EOF
printf '#!/bin/sh\nexec "%s" -F "%s" "$@"\n' "$real" "$folder/config" >"$folder/ssh"
chmod 700 "$folder/ssh"

step "The engine at $DOCKER_HOST"
answer=$(PATH=$folder:$PATH docker version --format '{{.Server.Version}}' 2>&1) ||
  fail "it does not answer" "$answer" "Is the key in the user's authorized_keys, may that user talk to the engine (group docker), and are the host keys the host's?"
ok "Docker $answer"
