# shellcheck shell=sh
# The accounts that the stack itself needs are made of their secrets at each start; the others
# are as they were last saved. Only hashes are ever written.
set -eu
umask 077
acl=/data/users.acl
hash() { sha256sum <"/run/secrets/$1" | cut -d ' ' -f 1; }
{
  echo 'user default off'
  echo "user admin on #$(hash admin) -@all +ping +acl|setuser +acl|save"
  echo "user health on #$(hash health) -@all +ping"
  if [ -e "$acl" ]; then grep -Ev '^user (default|admin|health) ' "$acl" || true; fi
} >"$acl.new"
mv "$acl.new" "$acl"
exec valkey-server /run/config/valkey.conf
