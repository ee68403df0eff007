# shellcheck shell=sh disable=SC2012 # find need not be in an image, and numbers have no odd letters
# Gives new volumes to the application's user:
#   sh -c "$script" own-volumes USER { NAME FOLDER }...
# A volume is at /run/volumes/NAME; FOLDER is its place in the application, with what the
# image has there; -FOLDER, where nothing of that belongs into it; or - where it is not known.
# One that has anything in it, or can't be looked at, is left alone, whoever's it is: what users
# stored is never touched.
#
# SQLITE_IN is the volume that has a SQLite database, or will. It has to be on a disk of this
# machine: the kernel knows, whatever the volume's driver and options say.
set -eu
user=$1
shift

owner() { ls -dn "$1" | (read -r _ _ uid gid _ && echo "$uid:$gid"); }
# has FOLDER: anything, as far as it can be looked at
has() { [ -n "$(ls -A "$1" 2>/dev/null)" ]; }
# usable FOLDER: its owner may look into it and write to it
usable() { case $(ls -dn "$1") in drw[xs]*) true ;; *) false ;; esac }
# system FOLDER: the file system that is mounted there
system() {
  found=''
  while read -r _ place type _; do
    if [ "$place" = "$1" ]; then found=$type; fi
  done </proc/self/mounts
  echo "$found"
}

while [ $# -gt 0 ]; do
  name=$1 volume=/run/volumes/$1 folder=${2#-}
  copied=$folder
  if [ "$folder" != "$2" ]; then copied=''; fi
  shift 2
  if [ "$name" = "${SQLITE_IN-}" ]; then
    kind=$(system "$volume")
    case $kind in
      nfs* | cifs | smb* | 9p | virtiofs | ceph | afs | lustre | beegfs | fuse | fuse.*)
        echo "the volume $name is on a network file system ($kind), where SQLite's locks and shared memory do not hold: the database would" \
          "be corrupted sooner or later; allowed: a volume on a disk of the engine's machine, or a database of another kind (tarot:databaseUrl)" >&2
        exit 1
        ;;
    esac
  fi
  there=$(ls -A "$volume") || continue
  if [ -n "$there" ]; then continue; fi
  # The engine copies what the image has into a volume without anything in it, with the
  # image's owners and modes, whenever a container is made that mounts it.
  copies=''
  if [ -n "$folder" ] && [ -d "$folder" ]; then
    if has "$folder" || [ "$(owner "$folder")" != "$user" ] || ! usable "$folder"; then copies=yes; fi
  fi
  if [ -z "$copies" ] && [ "$(owner "$volume")" = "$user" ] && usable "$volume"; then continue; fi
  # Root without further capabilities writes what is its own, and says who may write it.
  if ! usable "$volume"; then
    chown 0:0 "$volume"
    chmod u+rwx "$volume"
  fi
  if [ -n "$copies" ]; then
    if [ ! -w "$volume" ]; then chown 0:0 "$volume"; fi
    if [ -n "$copied" ] && has "$copied"; then
      cp -R "$copied/." "$volume"
      chmod -R u+rwX "$volume"
    fi
    if ! has "$volume"; then
      echo "This keeps the engine from giving this folder to the owner that it has in the image." >"$volume/.keep"
    fi
  fi
  chown -hR "$user" "$volume"
  echo "$name is new, and belongs to $user"
done
