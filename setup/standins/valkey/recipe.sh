# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
# The server's program is in the tools' package. The rest is what it is linked to.
packages=(valkey-server valkey-tools libatomic1 libgcc-s1 libjemalloc2 liblzf1 libssl3t64 libstdc++6 libsystemd0
  libzstd1 zlib1g)
build() {
  version=$(of_debian valkey valkey-server)
  owned=(999:999 data)
  mkdir -m 1777 "$tool/data"
  # The official image has no configuration of its own.
  rm -r "$tool/etc/valkey"
}
