# shellcheck shell=sh
# Tells of a SQLite in the image that is known to lose data:
#   sh -c "$script" check-sqlite "$program"
# The program is for the image's Python. It holds nothing up: where nothing can be asked, that
# is said in the log.
for python in python python3; do
  if command -v "$python" >/dev/null 2>&1 && "$python" -c "$1"; then exit 0; fi
done
echo "there is no Python in this image that tells its SQLite"
