# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
# What it is linked to, and those of its own modules that Debian has in packages beside it. No npm.
packages=(nodejs libnode137 libada-url0-3 libbrotli1 libcares2 libgcc-s1 libhdr-histogram6 libicu78 libllhttp9.4
  libnghttp2-14 libsimdjson33 libsimdutf35 libsqlite3-0 libssl3t64 libstdc++6 libuv1t64 libzstd1 zlib1g node-acorn
  node-minimatch node-brace-expansion node-balanced-match node-undici node-llhttp)
build() {
  version=$(of_debian node nodejs)
  owned=(1000:1000 home/node)
  mkdir -p "$tool/home/node"
  add_user node 1000 /home/node
}
