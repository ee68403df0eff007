# shellcheck shell=sh
# Runs in the stand-in: what Dockerfiles want of it. Each finds all that it needs, or does not start.
set -eu
pip install fastapi 'uvicorn[standard]' flask gunicorn django celery
python -c 'import fastapi, uvicorn, uvloop, yaml, ssl, sqlite3, flask'
gunicorn --version
django-admin --version
celery --version
