# shellcheck shell=sh disable=SC2012 # find need not be in an image, and numbers have no odd letters
# Gives new volumes to the application's user:
#   sh -c "$script" own-volumes USER { NAME FOLDER }...
# A volume is at /run/volumes/NAME; FOLDER is its place in the application, with what the
# image has there; -FOLDER, where nothing of that belongs into it; or - where it is not known.
# One that has anything in it, or can't be looked at, is left alone, whoever's it is: what users
# stored is never touched.
set -eu
user=$1
shift

owner() { ls -dn "$1" | (read -r _ _ uid gid _ && echo "$uid:$gid"); }
# has FOLDER: anything, as far as it can be looked at
has() { [ -n "$(ls -A "$1" 2>/dev/null)" ]; }

while [ $# -gt 0 ]; do
  name=$1 volume=/run/volumes/$1 folder=${2#-}
  copied=$folder
  if [ "$folder" != "$2" ]; then copied=''; fi
  shift 2
  there=$(ls -A "$volume") || continue
  if [ -n "$there" ]; then continue; fi
  # The engine copies what the image has into a volume without anything in it, with the
  # image's owners, whenever a container is made that mounts it.
  copies=''
  if [ -n "$folder" ] && [ -d "$folder" ]; then
    if has "$folder" || [ "$(owner "$folder")" != "$user" ]; then copies=yes; fi
  fi
  if [ -z "$copies" ] && [ "$(owner "$volume")" = "$user" ]; then continue; fi
  if [ -n "$copies" ]; then
    # Root without further capabilities writes what is its own.
    if [ ! -w "$volume" ]; then chown 0:0 "$volume"; fi
    if [ -n "$copied" ] && has "$copied"; then cp -R "$copied/." "$volume"; fi
    if ! has "$volume"; then
      echo "This keeps the engine from giving this folder to the owner that it has in the image." >"$volume/.keep"
    fi
  fi
  chown -hR "$user" "$volume"
  echo "$name is new, and belongs to $user"
done
