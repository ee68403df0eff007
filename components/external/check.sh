# shellcheck shell=sh
# Asks a database that somebody else runs whether it can be this stack's, and says in plain words
# why not: check.sh CONNECTIONS. Its address is in a file that psql reads: no password is in an
# argument or a variable.
set -eu
wanted=$1
where=$(sed -n 's/^host=//p' "$PGSERVICEFILE"):$(sed -n 's/^port=//p' "$PGSERVICEFILE")
name=$(sed -n 's/^dbname=//p' "$PGSERVICEFILE")

no() {
  printf '%s\n' "the database at $where can not be used: $1" "nothing was changed. What it said: $said"
  exit 1
}

ask() { psql --no-psqlrc --no-password --no-align --tuples-only --quiet --set ON_ERROR_STOP=1 --dbname service=database --command "$1" 2>&1; }

tries=3
until said=$(ask 'SELECT 1'); do
  case $said in
    *"could not translate host name"*) why="its name is not known here: look at the host in the secret tarot:databaseUrl" ;;
    *"does not match host name"*) why="its certificate is of another name: give the host in tarot:databaseUrl the name that the certificate has" ;;
    *"certificate verify failed"* | *"root certificate file"*) why="its certificate is of none of the CAs that are trusted: tarot:database.external.ca names the file with the right one" ;;
    *"does not support SSL"*) why="it does not encrypt: whoever runs it has to switch TLS on" ;;
    *"SSL error"* | *"SSL SYSCALL"*) why="there is no TLS with it" ;;
    *"password authentication failed"*) why="it refuses the user or the password in tarot:databaseUrl" ;;
    *"no pg_hba.conf entry"*) why="it lets this user, or this address, in nowhere (its pg_hba.conf, or a list of addresses that are allowed)" ;;
    *"does not exist"*) why="there is no such database or user: look at tarot:databaseUrl" ;;
    *"too many connections"* | *"too many clients"* | *"remaining connection slots"*) why="all of its connections are in use" ;;
    *"Connection refused"* | *"timeout expired"* | *"timed out"* | *"No route to host"* | *"Network is unreachable"* | *"starting up"*)
      why="nobody answers there: look at host and port in tarot:databaseUrl, at its firewall, and at whether it runs"
      tries=$((tries - 1))
      if [ "$tries" -gt 0 ]; then
        sleep 3
        continue
      fi
      ;;
    *) why="it does not let the application in" ;;
  esac
  no "$why"
done

said=$(ask "SELECT current_setting('server_version_num')::int / 10000, pg_is_in_recovery(), has_schema_privilege(current_schema(), 'CREATE') OR has_database_privilege(current_database(), 'CREATE'),
  least(current_setting('max_connections')::int, (SELECT CASE WHEN rolconnlimit < 0 THEN 100000 ELSE rolconnlimit END FROM pg_roles WHERE rolname = current_user), (SELECT CASE WHEN datconnlimit < 0 THEN 100000 ELSE datconnlimit END FROM pg_database WHERE datname = current_database())),
  (SELECT coalesce(bool_or(ssl), false) FROM pg_stat_ssl WHERE pid = pg_backend_pid())") || no "it can not be asked what it is"
IFS='|' read -r version replica may connections encrypted <<EOT
$said
EOT
[ "$version" -ge 14 ] || no "it is PostgreSQL $version, and 14 is the oldest that this works with"
[ "$replica" = f ] || no "it is a replica, which takes no writes: tarot:databaseUrl has to name the primary"
[ "$may" = t ] || no "this user may make no tables in $name, and migrations do"
[ "$connections" -ge "$wanted" ] || no "it gives this user $connections connections, and tarot:database.connections says $wanted: set that to what there is for this stack, and see what fits"
echo "the database at $where is PostgreSQL $version with $connections connections; encrypted: $encrypted"
