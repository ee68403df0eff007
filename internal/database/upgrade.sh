# shellcheck shell=sh
# upgrade.sh FROM TO RUN WHAT: what an upgrade of PostgreSQL does in the server's volume, as the server's user. The server of
# now is asked by its socket, and only read.
#
#   look                  what is there, a line for each thing
#   dump                  all of it in a folder, and what it has, table by table: with the programs of the version of
#                         now, as only these know what it has put into its own catalogs (17.12: pg_attver)
#   load                  that in a new database beside, and what this one has: with the programs of the new version, as all else
#   place                 the new database is the one of the new version; no server runs
#   compare               what the one in its place has
#   back                  and is that no more
#   clean                 what only the upgrade had a use for
#   kept, forget          the size in kB of what was replaced, and its end
set -eu
umask 077
from=$1
to=$2
run=$3
what=$4
root=${ROOT:-/srv/database}
programs=$to
if [ "$what" = dump ]; then programs=$from; fi
bin=${BIN:-/usr/lib/postgresql/$programs/bin}
steps=${STEPS:-/run/operation}
sockets=${SOCKETS:-/var/run/postgresql}
own=${OWN:-/tmp}/server
room=$root/upgrade
dumps=$room/dumps
new=$room/new
old=$root/$from/docker
place=$root/$to/docker
jobs=$(grep -c ^processor /proc/cpuinfo)
if [ "$jobs" -gt 4 ]; then jobs=4; fi

refuse() {
  printf '%s\n' "$*" >&2
  exit 1
}

before() { "$bin/psql" -X -q -A -t -F '	' -v ON_ERROR_STOP=1 -h "$sockets" -U postgres "$@"; }
after() { "$bin/psql" -X -q -A -t -F '	' -v ON_ERROR_STOP=1 -h "$own" -U postgres "$@"; }

# databases ASK: all that somebody may have something in.
databases() { "$1" -d postgres -c "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname"; }

# Nobody else has the volume, for as long as this lives.
alone() {
  exec 9>"$root/lock"
  flock -w "${PATIENCE:-95}" 9 || refuse "a server has the volume still"
}

# server FOLDER MORE...: the new version on a folder, for this script alone: nobody else gets at it. What it has
# is written to the disk before it counts, and not meanwhile.
server() {
  mkdir -p "$own"
  cp "$1/pg_hba.conf" "$1/pg_ident.conf" "$own"
  folder=$1
  shift
  "$bin/pg_ctl" -D "$folder" -s -w -t 600 -l "$own/log" -o "-c config_file=$steps/postgresql.conf -c hba_file=$own/pg_hba.conf -c ident_file=$own/pg_ident.conf \
    -c listen_addresses= -c unix_socket_directories=$own -c logging_collector=off -c autovacuum=off \
    -c dynamic_shared_memory_type=mmap -c max_connections=20 -c superuser_reserved_connections=0 $*" start >&2 ||
    refuse "PostgreSQL $to does not start: $(tail -n 20 "$own/log")"
}

ended() { "$bin/pg_ctl" -D "$1" -s -w -t 600 -m fast stop >&2; }

make_empty() {
  rm -rf "$new" "$own"
  mkdir -p "$own"
  # As the server makes one (start.sh).
  "$bin/initdb" --pgdata "$new" --username postgres --encoding UTF8 --data-checksums \
    --locale-provider builtin --builtin-locale C.UTF-8 --locale C --auth-local peer --auth-host reject --no-instructions --no-sync >"$own/initdb" ||
    refuse "a database of PostgreSQL $to could not be made: $(cat "$own/initdb")"
}

# dump NAME: all of one moment, while others write. What was there at that moment is counted, too.
dump() {
  rm -rf "$own/asks" "$own/moment" "$own/before"
  mkfifo "$own/asks"
  before -d "$1" -o "$own/before" <"$own/asks" &
  holder=$!
  exec 3>"$own/asks"
  cat >&3 <<SQL
SET idle_in_transaction_session_timeout = 0;
SET statement_timeout = 0;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() \g '$own/moment'
\i '$steps/digest.sql'
SQL
  # It keeps its moment until this is closed.
  until [ -s "$own/moment" ]; do
    kill -0 "$holder" 2>/dev/null || refuse "the database $1 does not answer"
    sleep 0.05
  done
  dumped=0
  "$bin/pg_dump" -h "$sockets" -U postgres -d "$1" -Fd -j "$jobs" --compress=lz4 --snapshot="$(cat "$own/moment")" --lock-wait-timeout=60s --no-sync -f "$dumps/$1" || dumped=$?
  exec 3>&-
  wait "$holder" || refuse "the rows of the database $1 could not be counted"
  [ "$dumped" = 0 ] || exit "$dumped"
  sed "s/^/before	$1./" "$own/before"
}

# load NAME: into the new database.
load() {
  name=$1
  if [ "$1" = postgres ]; then set -- -d postgres; else set -- --create -d postgres; fi
  "$bin/pg_restore" -h "$own" -U postgres -j "$jobs" --exit-on-error "$@" "$dumps/$name" >&2
  rm -rf "${dumps:?}/$name"
  "$bin/vacuumdb" -h "$own" -U postgres -d "$name" -j "$jobs" --analyze-only --quiet >&2
  after -d "$name" -f "$steps/digest.sql" >"$own/after"
  sed "s/^/after	$name./" "$own/after"
}

case $what in
  look)
    [ -x "$bin/postgres" ] || refuse "the image has no PostgreSQL $to in $bin"
    command -v flock >/dev/null || refuse "the image has no flock: it has to be based on Debian"
    said=$("$bin/postgres" -C max_connections -D /tmp -c "config_file=$steps/postgresql.conf" 2>&1) || refuse "$said
PostgreSQL $to does not take these settings: tarot:database.settings"
    version=$(before -d postgres -c "SHOW server_version_num")
    printf 'version\t%s\n' "$((version / 10000))"
    printf 'free\t%s\n' "$(($(df -P -k "$root" | awk 'NR == 2 { print $4 }') * 1024))"
    before -d postgres -c "SELECT 'bytes', sum(pg_database_size(oid)) FROM pg_database"
    before -d postgres -c "SELECT 'tablespace', spcname FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')"
    before -d postgres -c "SELECT 'slot', slot_name FROM pg_replication_slots WHERE NOT temporary"
    before -d postgres -c "SELECT 'system', name || ' = ' || coalesce(setting, '') FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf' AND applied"
    share=${SHARE:-/usr/share/postgresql/$to}/extension
    all=$(databases before)
    for database in $all; do
      extensions=$(before -d "$database" -c "SELECT extname FROM pg_extension")
      for extension in $extensions; do
        [ ! -d "$share" ] || [ -e "$share/$extension.control" ] || printf 'missing\t%s\n' "$extension"
      done
    done
    [ ! -e "$place" ] || printf 'there\t%s\n' "${place#"$root"/}"
    ;;
  dump)
    rm -rf "$room" "$own"
    mkdir -p "$dumps" "$own"
    # All but the superuser, who is there, with what they log in by.
    "$bin/pg_dumpall" -h "$sockets" -U postgres -l postgres --roles-only >"$room/roles.sql"
    sed -i '/^CREATE ROLE postgres;$/d' "$room/roles.sql"
    databases before >"$room/databases"
    all=$(cat "$room/databases")
    for one in $all; do dump "$one"; done
    ;;
  load)
    make_empty
    server "$new" -c archive_mode=off -c wal_level=minimal -c max_wal_senders=0 -c summarize_wal=off -c fsync=off -c full_page_writes=off \
      -c synchronous_commit=off -c max_wal_size=1GB -c checkpoint_timeout=1h
    after -d postgres -f "$room/roles.sql" >/dev/null
    all=$(cat "$room/databases")
    for one in $all; do load "$one"; done
    ended "$new"
    "$bin/initdb" --sync-only -D "$new" >/dev/null
    ;;
  place)
    alone
    if [ "$(cat "$place/UPGRADED" 2>/dev/null)" != "$run" ]; then
      [ -e "$new/PG_VERSION" ] || refuse "there is no copy of the database"
      [ ! -e "$place" ] || refuse "${place#"$root"/} is there already, and of something else"
      echo "$run" >"$new/UPGRADED"
      mkdir -p "${place%/*}"
      mv "$new" "$place"
    fi
    echo "by the upgrade $run, to PostgreSQL $to" >"$old/REPLACED"
    sync
    ;;
  compare)
    alone
    [ "$(cat "$place/UPGRADED" 2>/dev/null)" = "$run" ] || exit 0 # taken back already
    rm -rf "$own"
    rm -f "$place/postmaster.pid" # whoever had it is dead: the lock is ours
    server "$place" -c archive_mode=on -c archive_command= # what it writes waits for the stack's own server
    all=$(databases after)
    for name in $all; do
      after -d "$name" -f "$steps/digest.sql" >"$own/after"
      sed "s/^/after	$name./" "$own/after"
    done
    ended "$place"
    ;;
  back)
    [ -e "$place/UPGRADED" ] || [ -e "$old/REPLACED" ] || exit 0 # nothing has taken a place
    alone
    if [ "$(cat "$place/UPGRADED" 2>/dev/null)" = "$run" ]; then
      rm -rf "$new"
      mkdir -p "$room"
      mv "$place" "$new"
    fi
    case $(cat "$old/REPLACED" 2>/dev/null) in *"$run"*) rm "$old/REPLACED" ;; esac
    sync
    ;;
  clean) rm -rf "$room" ;;
  kept)
    for other in "$root"/*/docker; do
      [ ! -e "$other/REPLACED" ] || printf '%s\t%s\n' "${other#"$root"/}" "$(du -sk "$other" | cut -f 1)"
    done
    ;;
  forget)
    for other in "$root"/*/docker; do
      [ "$other" = "$place" ] || [ ! -e "$other/REPLACED" ] || rm -rf "$other"
    done
    ;;
  *) refuse "upgrade.sh: $what" ;;
esac
