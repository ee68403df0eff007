# shellcheck shell=sh
# layout.sh VERSION FOLDER [VOLUME SETTINGS]: refuses a folder that a server of the version must not
# begin in. With the name of its volume, and the server's settings: before the server of now is
# stopped.
set -eu
version=$1
root=$2
volume=${3:-}
settings=${4:-}
bin=${BIN:-/usr/lib/postgresql/$version/bin}
data=$root/$version/docker

refuse() {
  printf '%s\n' "$*" >&2
  exit 1
}
within="the volume${volume:+ $volume}"

[ -x "$bin/postgres" ] || refuse "the image has no PostgreSQL $version in $bin: tarot:database.image and tarot:database.version have to be of one version, and the image based on Debian"
command -v flock >/dev/null || refuse "the image has no flock, which keeps a second server from the data: tarot:database.image has to be based on Debian"
if [ -n "$settings" ]; then # of which the server itself says whether it takes them
  said=$("$bin/postgres" -C max_connections -D /tmp -c "config_file=$settings" 2>&1) || refuse "$said
PostgreSQL $version does not take these settings: tarot:database.settings"
fi

# holds FOLDER: the version of what is in it.
holds() { head -n 1 "$1/PG_VERSION" 2>/dev/null || true; }

if [ -e "$data/PG_VERSION" ]; then
  found=$(holds "$data")
  [ "$found" = "$version" ] || refuse "$within has something else than PostgreSQL $version in $version/docker: ${found:-nothing that can be read}"
  [ ! -e "$data/REPLACED" ] || refuse "what $within has of PostgreSQL $version was replaced, and is kept for the way back only: $(cat "$data/REPLACED")"
  owner=$(stat -c %u "$data")
  [ "$owner" = "$(id -u)" ] || refuse "$version/docker in $within belongs to the user $owner, and the server is $(id -u): docker run --rm --user 0:0 --network none --volume ${volume:-VOLUME}:/mnt --entrypoint chown IMAGE -R $(id -u):$(id -g) /mnt"
  exit 0
fi

for place in . data main; do
  found=$(holds "$root/$place")
  [ -z "$found" ] || refuse "$within has PostgreSQL $found in $([ "$place" = . ] && echo its top || echo "$place/"), where images before 18 have it, and not in $found/docker. With tarot:database.version $found, this takes it over:
docker run --rm --user 0:0 --network none --volume ${volume:-VOLUME}:/mnt --entrypoint sh IMAGE -c 'cd /mnt/$place && mkdir -p -m 700 /mnt/$found/docker && find . -mindepth 1 -maxdepth 1 ! -name $found ! -name lock -exec mv {} /mnt/$found/docker/ \; && chown -R $(id -u):$(id -g) /mnt'"
done
for other in "$root"/*/docker "$root"/*/data "$root"/*/main; do
  found=$(holds "$other")
  [ -z "$found" ] || refuse "$within has PostgreSQL $found in ${other#"$root"/}, which a server of $version can not read. tarot:database.version $found goes on with it"
done
[ ! -e "$root/initialised" ] || refuse "$within had a database, and it is gone: none is made in its place. To begin with an empty one: docker volume rm ${volume:-VOLUME}"

# New ones only: a server that runs has an alert for it.
if [ -n "$volume" ]; then
  [ ! -L "$root/data" ] || [ "$version" -ge 18 ] || refuse "$within was made by an image of PostgreSQL 18 or later, and has nothing in it: docker volume rm $volume"
  free=$(df -P -k "$root" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge 1048576 ] || refuse "$within has $((free / 1024)) MB of free disk, and a database needs 1024 MB to begin with"
fi
