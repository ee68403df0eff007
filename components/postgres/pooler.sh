# shellcheck shell=sh
# pooler.sh VERSION all [EXTENSION...]: the accounts, and that of the pooler, which reads what an
# account's password is checked by, of those of the application that may log in.
set -eu
config=${CONFIG:-/run/config}
/bin/sh "$config/users.sh" "$@"
PATH=/usr/lib/postgresql/$1/bin:$PATH

commands() {
  # In the database that no dump and no restore of the application's has anything to do with.
  cat <<'SQL'
SET client_min_messages = warning;
SELECT 'CREATE ROLE pooler LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pooler') \gexec
GRANT CONNECT ON DATABASE postgres TO pooler;
CREATE SCHEMA IF NOT EXISTS pooler;
REVOKE ALL ON SCHEMA pooler FROM PUBLIC;
GRANT USAGE ON SCHEMA pooler TO pooler;
CREATE OR REPLACE FUNCTION pooler.verifier(account text, OUT role text, OUT verifier text) RETURNS SETOF record
  LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT rolname::text, rolpassword FROM pg_catalog.pg_authid
     WHERE rolname = account AND rolname ~ '^app_[0-9a-f]{8}$' AND rolcanlogin
  $$;
REVOKE ALL ON FUNCTION pooler.verifier(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pooler.verifier(text) TO pooler;
SQL
}

tries=10
until commands | psql -X -q -v ON_ERROR_STOP=1 -d postgres; do
  status=$?
  tries=$((tries - 1))
  # 2: there was no connection, as the server restarts.
  if [ "$status" != 2 ] || [ "$tries" -le 0 ]; then exit 1; fi
  sleep 1
done
