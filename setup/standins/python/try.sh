# shellcheck shell=sh
# Runs in the stand-in: what Dockerfiles want of it. Each finds all that it needs, or does not start.
set -eu
pip install fastapi 'uvicorn[standard]' flask gunicorn django celery 'psycopg[binary]'
python -c 'import fastapi, uvicorn, uvloop, yaml, ssl, sqlite3, flask'
# One without the WAL-reset bug.
python -c 'import sqlite3; assert sqlite3.sqlite_version_info >= (3, 51, 3), sqlite3.sqlite_version'
# The compiled one, under the name that PyPI has it by.
python -c 'import psycopg; assert psycopg.pq.__impl__ != "python", psycopg.pq.__impl__'
gunicorn --version
django-admin --version
celery --version
