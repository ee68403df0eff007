# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
packages=(prometheus-node-exporter)
build() {
  version=$(of_debian node_exporter prometheus-node-exporter)
  mv "$tool/usr/bin/prometheus-node-exporter" "$tool/usr/bin/node_exporter"
}
