#!/bin/sh
# Runs in the finished image, as its user and without a network: a cluster of the platform's
# kind, a query that wants the libraries, a dump that comes back, and the tools beside it.
set -eu
for program in "/usr/lib/postgresql/$PG_MAJOR"/bin/*; do
  case $program in *.bin) continue ;; esac
  "$program" --version
done
pgbackrest version
pgbouncer --version
id
grep -q '^postgres:x:999:999:' /etc/passwd
grep -q '^proxy:x:13:13:' /etc/passwd
flock --timeout 5 /tmp/lock timeout 5 sync
mkfifo /tmp/fifo

data=/var/lib/postgresql/try/docker
initdb --pgdata "$data" --auth peer --encoding UTF8 --locale C --locale-provider builtin --builtin-locale C.UTF-8 --data-checksums
initdb --pgdata /tmp/plain --no-sync >/dev/null
postgres -D "$data" -c listen_addresses=127.0.0.1 &
server=$!
tries=50
until pg_isready -q -h 127.0.0.1; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo "no answer"; exit 1; }
  sleep 0.2
done
ask() { psql --no-psqlrc --no-align --tuples-only --set ON_ERROR_STOP=1 "$@"; }
ask -c "CREATE TABLE t (id int PRIMARY KEY, name text COLLATE \"und-x-icu\", about json)"
ask -c "INSERT INTO t SELECT n, 'name ' || n, '{\"a\": 1}' FROM generate_series(1, 1000) n"
ask -c "SELECT xml '<a/>', gen_random_uuid(), now() AT TIME ZONE 'Asia/Shanghai'" >/dev/null
ask -c "CREATE EXTENSION pg_trgm; CREATE EXTENSION amcheck; CREATE EXTENSION pg_stat_statements"
pg_dump -Fc -Z zstd:3 -f /tmp/dump
ask -c "DROP TABLE t"
pg_restore -d postgres --clean --if-exists /tmp/dump
ask -c "SELECT count(*) FROM t" | grep -qx 1000
pg_amcheck --heapallindexed postgres
kill -INT "$server"
wait "$server"
pg_checksums --check -D "$data"
rm -r /var/lib/postgresql/try
