# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
packages=(restic-rest-server)
build() {
  version=$(of_debian rest-server restic-rest-server)
  owned=(10001:10001 data)
  mv "$tool/usr/bin/restic-rest-server" "$tool/usr/bin/rest-server"
  mkdir -m 1777 "$tool/data"
}
