#!/bin/sh
# Runs in the finished image, as its user and without a network: does it do what a stack wants
# of it? Two passwords of one user, none for anybody else, limits, a file that is appended to.
set -eu
cat >/tmp/users.acl <<'ACL'
user default off
user app on >first >second ~* &* -@all +ping +get +set +config|get
ACL
cat >/tmp/valkey.conf <<'CONF'
bind 127.0.0.1
port 6379
dir /data
aclfile /tmp/users.acl
maxmemory 8mb
maxmemory-policy noeviction
appendonly yes
save ""
CONF
valkey-server /tmp/valkey.conf &
server=$!
# The words on standard input: an argument would be seen in the list of processes.
ask() { printf '%s\n' "$@" | valkey-cli; }
tries=50
until ask 'AUTH app first' PING | grep -qx PONG; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo "no PONG"; exit 1; }
  sleep 0.2
done
ask 'AUTH app second' 'SET key value' 'GET key' | grep -qx value
ask 'AUTH app third' | grep WRONGPASS
ask PING | grep NOAUTH
ask 'AUTH app first' 'FLUSHALL' | grep NOPERM
ask 'AUTH app first' 'CONFIG GET maxmemory' | grep -qx 8388608
grep -q key /data/appendonlydir/*.incr.aof
kill "$server"
wait "$server"
