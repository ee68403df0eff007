#!/bin/sh
# Runs in the finished image, as its user and without a network: is there a restic that backs up
# and restores, and an ssh for targets that are asked by SFTP?
set -eu
export RESTIC_REPOSITORY=/tmp/repository RESTIC_PASSWORD=try RESTIC_CACHE_DIR=/tmp/cache
restic version
ssh -V
mkdir /tmp/files
echo text >/tmp/files/a
restic init
restic backup /tmp/files
restic check --read-data
rm /tmp/files/a
restic restore latest --target / --verify
grep -qx text /tmp/files/a
# Without a repository, and with another key: what the backups tell apart.
code=0
RESTIC_REPOSITORY=/tmp/none restic cat config || code=$?
[ "$code" -eq 10 ]
code=0
RESTIC_PASSWORD=other restic cat config || code=$?
[ "$code" -eq 12 ]
# Whose number is in no /etc/passwd is nobody for ssh.
grep -q '^backup:x:10001:' /etc/passwd
