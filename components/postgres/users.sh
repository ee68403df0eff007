# shellcheck shell=sh
# Tells the server that runs of its accounts, as its superuser, by its socket:
#   users.sh VERSION all [EXTENSION...]   there are all, and the application's is good beside those
#                                         that it has
#   users.sh VERSION only                 none of the application's is good but the last
# It can be run as often as one likes. A session that is open stays so.
set -eu
PATH=/usr/lib/postgresql/$1/bin:$PATH
mode=$2
shift 2

all() {
  cat <<'SQL'
SELECT 'CREATE ROLE app NOLOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') \gexec
SELECT 'CREATE DATABASE app OWNER app' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'app') \gexec
SELECT 'CREATE ROLE exporter LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'exporter') \gexec
GRANT pg_monitor TO exporter;
REVOKE ALL ON DATABASE app, postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE app TO exporter;
\connect app
SET client_min_messages = warning;
-- What an account of before has left, once its last session has ended.
SELECT format('REASSIGN OWNED BY %1$I TO app; DROP OWNED BY %1$I; DROP ROLE %1$I', rolname)
  FROM pg_roles WHERE rolname ~ '^app_[0-9a-f]{8}$' AND rolname <> :'role' AND NOT rolcanlogin
   AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename = rolname) \gexec
SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" LOGIN PASSWORD :'verifier';
GRANT app TO :"role";
-- So that all that it makes is app's.
ALTER ROLE :"role" SET role = 'app';
SQL
  for name in "$@"; do printf 'CREATE EXTENSION IF NOT EXISTS "%s" CASCADE;\n' "$name"; done
}

only() {
  cat <<'SQL'
SELECT format('ALTER ROLE %I NOLOGIN', rolname) FROM pg_roles WHERE rolname ~ '^app_[0-9a-f]{8}$' AND rolname <> :'role' AND rolcanlogin \gexec
SQL
}

commands() {
  # No argument of a process has them.
  cat <<'SQL'
SET client_min_messages = warning;
\set role `cat /run/secrets/role`
\set verifier `cat /run/secrets/verifier`
SQL
  "$mode" "$@"
}

tries=10
until commands "$@" | psql -X -q -v ON_ERROR_STOP=1 -d postgres; do
  status=$?
  tries=$((tries - 1))
  # 2: there was no connection, as the server restarts.
  if [ "$status" != 2 ] || [ "$tries" -le 0 ]; then exit 1; fi
  sleep 1
done
