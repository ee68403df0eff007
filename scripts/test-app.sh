#!/usr/bin/env bash
# The application's own tests, in its development image, on SQLite and on a PostgreSQL that
# is thrown away, without a network and without anything writable but memory. The JUnit
# report is on stdout. PIP_INDEX_URL: where the packages come from, if not from where the base
# image has them.
set -euo pipefail
cd "$(dirname "$0")/.."

image=tarot-app-test:latest
# Here already, pulled, or built from Debian. PostgreSQL is no image that every stack needs.
setup/base-images.sh only python postgres
postgres=$(awk '$2 == "postgres" { print $3; exit }' setup/images.txt setup/test-images.txt)
# Plain `docker build`: a client without buildx has the classic builder.
docker build --target development ${PIP_INDEX_URL:+--build-arg "PIP_INDEX_URL=$PIP_INDEX_URL"} --tag "$image" app >&2

# What a crash would lose is lost with the container anyway.
server=$(docker run --detach --rm --network none --user 999:999 --read-only --cap-drop ALL --tmpfs /tmp --tmpfs /dev/shm \
  --tmpfs /var/lib/postgresql:uid=999,gid=999,mode=700 --entrypoint sh "$postgres" -c '
    initdb --pgdata /var/lib/postgresql/data --auth trust --username postgres --encoding UTF8 \
      --locale C --locale-provider builtin --builtin-locale C.UTF-8 --no-sync >/dev/null &&
    exec postgres -D /var/lib/postgresql/data -c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp \
      -c fsync=off -c full_page_writes=off -c max_connections=200 -c log_min_messages=panic')
trap 'docker kill "$server" >/dev/null' EXIT
tries=150
until docker exec "$server" pg_isready --quiet --host 127.0.0.1; do
  tries=$((tries - 1))
  if [ "$tries" -le 0 ]; then
    docker logs "$server" >&2
    echo "the tests' PostgreSQL does not answer" >&2
    exit 1
  fi
  sleep 0.2
done

# The tests have the server's network, which is its loopback alone.
docker run --rm --network "container:$server" --env TEST_POSTGRES_URL=postgresql://postgres@127.0.0.1/postgres \
  --read-only --tmpfs /tmp --cap-drop ALL --entrypoint /bin/sh "$image" -c \
  'status=0; python -m pytest --junitxml=/tmp/report.xml >&2 || status=$?; cat /tmp/report.xml; exit $status'
