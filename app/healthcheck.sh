#!/usr/bin/env bash
# The container's health check: is /health's answer 200?
#
# It runs every few seconds in every container. bash opens a connection by itself, within some
# milliseconds; to start Python for it takes ten times as much of a processor.

case ${HOST:-0.0.0.0} in
  0.0.0.0) host=127.0.0.1 ;;
  ::) host=::1 ;;
  *) host=$HOST ;;
esac
port=${PORT:-8000}

# The server promises an answer within one second.
timeout=3

if ! { exec 3<>"/dev/tcp/$host/$port"; } 2>/dev/null; then
  echo "no connection to $host:$port"
  exit 1
fi
printf 'GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
if ! read -r -t "$timeout" _ code _ <&3; then
  echo "no answer from $host:$port within $timeout s"
  exit 1
fi
# `docker inspect` shows the body: what follows the empty line.
while read -r -t "$timeout" line <&3 && [ "$line" != $'\r' ]; do :; done
IFS= read -r -d '' -t "$timeout" body <&3
echo "$body"
[ "$code" = 200 ]
