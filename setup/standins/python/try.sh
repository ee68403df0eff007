# shellcheck shell=sh
# Runs in the stand-in: what the Dockerfiles want of it.
set -eu
pip install fastapi 'uvicorn[standard]'
python -c 'import fastapi, uvicorn, uvloop, yaml, ssl, sqlite3'
