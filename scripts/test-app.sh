#!/usr/bin/env bash
# The application's own tests, in its development image, without a network and
# without anything writable but memory. The JUnit report is on stdout.
set -euo pipefail
cd "$(dirname "$0")/.."

image=tarot-app-test:latest
# Plain `docker build`: a client without buildx has the classic builder.
docker build --target development --tag "$image" app >&2
docker run --rm --network none --read-only --tmpfs /tmp --cap-drop ALL --entrypoint /bin/sh "$image" -c \
  'status=0; python -m pytest --junitxml=/tmp/report.xml >&2 || status=$?; cat /tmp/report.xml; exit $status'
