# shellcheck shell=bash
# Downloads that are compared with a SHA-256 sum before anything looks into them.
# Source it after lib.sh.

# Never limited as a whole: only a download that stands still is given up.
fetch() { curl -fL --connect-timeout 8 --speed-limit 1 --speed-time 60 --retry 2 -sS -o "$2" "$1"; }

sha256_of() { if have sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1; }

# sum_in LIST NAME: what a list of checksums says of a file; nothing where it says nothing.
sum_in() {
  awk -v name="$2" '{ file = $2; sub(/^\*/, "", file) } file == name && $1 ~ /^[0-9a-f]+$/ && length($1) == 64 { print $1; exit }' "$1"
}

# trusted URL: whether nobody on the way can have changed what comes from there.
trusted() {
  case $1 in https://* | http://127.0.0.1:* | http://localhost:*) true ;; *) false ;; esac
}

# genuine FILE NAME PINNED URL...: whether the file has the sum that the list PINNED has
# for NAME, or, where that has none, the first of the published lists that has one.
genuine() {
  local file=$1 name=$2 want got url
  want=$(sum_in "$3" "$name")
  shift 3
  for url in "$@"; do
    if [ -n "$want" ]; then break; fi
    trusted "$url" || continue
    if curl -fL --connect-timeout 8 --max-time 30 -sS -o "$file.sums" "$url"; then want=$(sum_in "$file.sums" "$name"); fi
    rm -f "$file.sums"
  done
  if [ -z "$want" ]; then
    echo "$name: no checksum to compare it with; it is not used. Asked: $*"
    return 1
  fi
  got=$(sha256_of "$file")
  if [ "$got" != "$want" ]; then
    echo "$name is not what it has to be, and is not used: its SHA-256 is $got, not $want"
    return 1
  fi
  echo "$name has the SHA-256 $want"
}

# download URL NAME FILE PINNED LIST-URL...: FILE is there afterwards only if it is genuine.
download() {
  local url=$1 name=$2 file=$3
  shift 3
  rm -f "$file"
  fetch "$url" "$file.part" && genuine "$file.part" "$name" "$@" && mv "$file.part" "$file" && return
  rm -f "$file.part"
  return 1
}
