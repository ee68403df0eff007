# shellcheck shell=sh
# archive.sh FILE: sends a piece of the log to the archive, for the server. pgBackRest does it: the server and
# pgBackRest itself look for its name in the setting that starts this.
set -eu
code=0
said=$(pgbackrest --config="${CONFIG:-/run/config}/pgbackrest.conf" --config-include-path="${SECRETS:-/run/secrets}" --stanza=app archive-push "$1" 2>&1) || code=$?
[ -z "$said" ] || printf '%s\n' "$said" >&2
# It gives pieces up, rather than the disk, where the target is away for too long, and has succeeded then. The
# next nightly backup, which is of the whole then, has to know that.
case $said in
*"dropped WAL"*) printf '%s\n' "$1" >"${ROOT:-/var/lib/postgresql}/archive-dropped" ;;
esac
exit "$code"
