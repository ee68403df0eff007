# shellcheck shell=sh
# Tells the server that runs of the accounts that do not belong to it:
#   users.sh PROFILE         their passwords are good beside those that they have
#   users.sh PROFILE only    their passwords are good, and no other
# A connection that is open stays so. Passwords go through a pipe, as hashes: none is in an
# argument, a variable or a file.
set -eu
profile=$1
only=${2:+resetpass}

hash() { sha256sum <"/run/secrets/$1" | cut -d ' ' -f 1; }
afresh='resetkeys resetchannels -@all' # or what it was once allowed would stay so
commands() {
  printf 'AUTH admin '
  cat /run/secrets/admin
  echo
  # Clients of queues read the version with INFO, which is among the dangerous ones.
  echo "ACL SETUSER app on $only #$(hash app) $afresh ~* &* +@all -@admin -@dangerous +info"
  echo "ACL SETUSER exporter on $only #$(hash exporter) $afresh +ping +info +slowlog|len +slowlog|get +latency|latest +latency|histogram +client|setname"
  # It copies the queue as a replica gets it, and can ask for no key. Without a password it is off.
  if [ -e /run/secrets/backup ]; then
    echo "ACL SETUSER backup on $only #$(hash backup) $afresh +ping +sync +psync +replconf"
  else
    echo 'ACL SETUSER backup reset'
  fi
  echo 'ACL SAVE'
}

tries=10
until answers=$(commands | valkey-cli -h valkey -t 5); do # it ends well where a command is refused
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || exit 1
  sleep 1
done
if [ "$(printf '%s\n' "$answers" | grep -cx OK)" != 5 ]; then
  printf '%s\n' "$answers"
  exit 1
fi

# Only the file of a queue is written by a child of the server, which is as large for a moment.
if [ "$profile" = queue ] && [ "$(cat /proc/sys/vm/overcommit_memory)" != 1 ]; then
  echo "warning: the host may refuse the memory to rewrite the append-only file when it is short: sysctl vm.overcommit_memory=1 on the host mends that"
fi
