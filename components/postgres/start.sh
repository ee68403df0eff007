# shellcheck shell=sh
# start.sh VERSION [SCRIPT]: the server, on the volume, which is given a database where it never had one. With
# the name of a script, that sends what is written to the archive.
set -eu
umask 077
version=$1
script=${2:-}
root=${ROOT:-/var/lib/postgresql}
bin=${BIN:-/usr/lib/postgresql/$version/bin}
config=${CONFIG:-/run/config}
data=$root/$version/docker

[ -w "$root" ] || { echo "the volume belongs to somebody else: user $(id -u) can't write to it"; exit 1; }
# Every process of the server has the lock for as long as it lives, however it ends. The last
# server of this stack may still be at it: it has 90 s to stop.
exec 9>"$root/lock"
flock -w "${PATIENCE:-95}" 9 || { echo "another server has this volume, and goes on: nothing is started"; exit 1; }
/bin/sh "$config/layout.sh" "$version" "$root"

# Official images from 18 on have a link there, which leads from 17's place for a volume to all of this.
if [ -L "$root/data" ]; then rm "$root/data"; fi

# It is made beside, so that what is there is whole.
if [ ! -s "$data/PG_VERSION" ]; then
  rm -rf "$root/$version/new"
  mkdir -p "$root/$version"
  # No index depends on a library's way to sort: another image is another library.
  "$bin/initdb" --pgdata "$root/$version/new" --username postgres --encoding UTF8 --data-checksums \
    --locale-provider builtin --builtin-locale C.UTF-8 --locale C --auth-local peer --auth-host reject --no-instructions
  mv "$root/$version/new" "$data"
  sync
fi
if [ ! -e "$root/initialised" ]; then
  : >"$root/initialised"
  sync
fi

# Whoever had these is dead: the lock is ours.
rm -f "$data/postmaster.pid" "${SOCKETS:-/var/run/postgresql}"/.s.PGSQL.*
set --
if [ -n "$script" ]; then
  # A piece of the log is sent when it is full, and in any case after a minute.
  set -- -c archive_mode=on -c "archive_command=/bin/sh $config/$script %p" -c archive_library= -c wal_level=replica -c archive_timeout=60
fi
# What is said here goes before what a database has brought along in its postgresql.auto.conf.
exec "$bin/postgres" -D "$data" -c "config_file=$config/postgresql.conf" -c "hba_file=$config/pg_hba.conf" -c "ident_file=$config/pg_ident.conf" \
  -c listen_addresses=* -c fsync=on -c full_page_writes=on "$@"
