# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
packages=(prometheus-redis-exporter)
build() {
  version=$(of_debian redis_exporter prometheus-redis-exporter)
  mv "$tool/usr/bin/prometheus-redis-exporter" "$tool/redis_exporter"
}
