# shellcheck shell=sh
# What each of the folders /look/* lies on, a line each:
#   NAME yes|no DEVICE's mountinfo
# yes: all of it is on devices of dm-crypt. With /above, the folder above what is at /look/mount without what
# is mounted there, two lines more: "mounted yes|no", and "beneath" with what it hides.
set -eu
below=${1:-} root=${2:-} # of what is read

# crypt MAJOR:MINOR: it is of dm-crypt, or all that it is made of is
crypt() {
  device=$root/sys/dev/block/$1
  case $(cat "$device/dm/uuid" 2>/dev/null || true) in CRYPT-*) return 0 ;; esac
  parts=$(cat "$device"/slaves/*/dev 2>/dev/null || true)
  # A partition is of its disk.
  if [ -z "$parts" ] && [ -e "$device/partition" ]; then parts=$(cat "$device/../dev"); fi
  [ -n "$parts" ] || return 1
  for part in $parts; do
    crypt "$part" || return 1
  done
}

for folder in "$root"/look/*; do
  folder=${folder#"$root"}
  line=$(grep -F " $folder " "$root/proc/self/mountinfo" | tail -n 1)
  encrypted=no
  # shellcheck disable=SC2086 # its fields
  set -- $line
  if crypt "$3"; then encrypted=yes; fi
  echo "${folder#/look/} $encrypted $line"
done
if [ -d /above ]; then
  mounted=no
  if [ "$(stat -c %d /above)" != "$(stat -c %d /look/mount)" ]; then mounted=yes; fi
  echo "mounted $mounted"
  # A name a line; a folder that is not there hides nothing.
  # shellcheck disable=SC2012 # the names are made by the platform, and find is not in every image
  if [ "$mounted" = yes ]; then ls -A "/above/$below" 2>/dev/null | sed 's/^/beneath /' || true; fi
fi
