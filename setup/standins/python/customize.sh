#!/bin/sh
# Runs inside the new root file system of the python stand-in: makes Debian's
# Python look like the official image's to a Dockerfile.
set -eu
here=$(dirname "$0")

# The official image has `python`; Debian only `python3`.
ln -s python3 /usr/bin/python

# Trixie's SQLite has the WAL-reset bug. The fixed one is beside it, before it in the linker's
# list, so that Debian's packages still find what they depend on.
dpkg-deb --extract "$here/fixed/libsqlite3-0.deb" "$here/fixed"
cp -L "$here"/fixed/usr/lib/*/libsqlite3.so.0 /usr/local/lib/
echo /usr/local/lib >/etc/ld.so.conf.d/000-sqlite.conf
ldconfig

# pip may install beside Debian's packages: nothing else lives in this image.
# (dpkg would bring the file back with an update: build.sh excludes it as well.)
rm -f /usr/lib/python3*/EXTERNALLY-MANAGED

python3 "$here/make-wheels.py" "$here/packages.txt" "$here/debs" /opt/wheels

# An index like any other, only on the disk: for every pip of the image, the ones
# of virtual environments too, and PIP_INDEX_URL or --index-url puts it aside.
cat >/etc/pip.conf <<'CONF'
[global]
index-url = file:///opt/wheels/simple
disable-pip-version-check = true
root-user-action = ignore
CONF

# All that was promised can be installed together, or there is no image.
# shellcheck disable=SC2046 # the names are words
pip install --quiet --dry-run 'uvicorn[standard]' $(cat /opt/wheels/versions.txt)

# Bytecode of pip and of the wheel maker is not worth its megabytes; the
# standard library's is: a read-only container could never write it.
find /usr/lib/python3/dist-packages -name __pycache__ -prune -exec rm -rf {} +

python3 - >/etc/standin-version <<'PY'
import platform, sqlite3
name = dict(l.rstrip().split("=", 1) for l in open("/etc/os-release"))["VERSION_CODENAME"]
print(f"Python {platform.python_version()} (Debian {name}), SQLite {sqlite3.sqlite_version}")
PY
