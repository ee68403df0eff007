# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
# Debian has no Litestream. It has the clients of all clouds, which take minutes to compile:
# that is done once on a machine, for what it is made of, and not with each new recipe.
packages=()
build() {
  local built number flags
  number=$(sed -n 's|^require github.com/benbjohnson/litestream v||p' "$here/litestream/go.mod")
  flags=(-tags "osusergo,netgo,sqlite_omit_load_extension" -ldflags "-s -w -X main.Version=$number")
  find_go Litestream
  built="$(cache_dir)/litestream"
  mkdir -p "$built"
  built=$built/$arch-$(cd "$here/litestream" && { cat go.mod go.sum && echo "${flags[@]}" && GOWORK=off go env GOVERSION; } | sha256sum | cut -c 1-16)
  if [ ! -x "$built" ]; then
    compile litestream "$built.$$" github.com/benbjohnson/litestream/cmd/litestream "${flags[@]}"
    mv "$built.$$" "$built" # whole, or not there
  fi
  mkdir -p "$tool/usr/local/bin"
  cp "$built" "$tool/usr/local/bin/litestream"
  version="litestream $number (from its Go modules)"
}
