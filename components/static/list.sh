# shellcheck shell=sh
set -eu
cd "$VOLUME"
umask 022
mkdir -p r .published
work=.published/work
rm -rf "$work"
mkdir "$work"

# An image need not have static files.
if [ ! -d "$STATIC" ]; then
  STATIC=$VOLUME/.published/none
  mkdir -p "$STATIC"
fi

# list FOLDER: its files, one a line, each with a sum of its content before its name.
list() {
  (
    cd "$1"
    find . -type f -exec cksum {} +
    find . -type l -exec sh -c 'for l; do printf "%s %s\n" "$(readlink "$l" | cksum)" "$l"; done' sh {} +
  )
}

# both A B: the lines of list B that are in list A, too; and only: those that are not.
both() { grep -F -x -f "$1" "$2" || [ $? = 1 ]; }
only() { grep -F -x -v -f "$1" "$2" || [ $? = 1 ]; }

# names LIST
names() { sed 's/^[0-9]* [0-9]* //' "$1"; }

