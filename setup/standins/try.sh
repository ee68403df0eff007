#!/bin/sh
# Runs in the finished image, as its user and without a network:
#
#   try.sh PORT/PATH TEXT COMMAND...     does COMMAND serve TEXT there?
#
# With the wget of the image, which health checks use.
set -u
address=$1 text=$2
shift 2
"$@" &
server=$!
tries=100
while [ "$tries" -gt 0 ] && kill -0 "$server" 2>/dev/null; do
  if wget -q -O - "http://127.0.0.1:$address" | grep -- "$text"; then exit; fi
  tries=$((tries - 1))
  sleep 0.2
done
echo "nothing that says '$text' at $address"
exit 1
