#!/bin/sh
# Runs in the finished image, as its user and without a network: is it the release that it says,
# and does a target without backups answer as one? What finds a database's place relies on it.
set -eu
litestream version | grep -x '0\.5\.[0-9]*'
cat >/tmp/litestream.yml <<'YAML'
logging: {stderr: true}
dbs:
  - path: /tmp/app.db
    replica: {type: file, path: /tmp/nothing}
YAML
litestream ltx -config /tmp/litestream.yml -level all -json /tmp/app.db | grep -x '\[\]'
litestream restore -config /tmp/litestream.yml -dry-run -json /tmp/app.db 2>&1 | grep 'no matching backup files available'
