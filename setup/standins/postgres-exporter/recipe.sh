# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
packages=(prometheus-postgres-exporter)
build() {
  version=$(of_debian postgres_exporter prometheus-postgres-exporter)
  mkdir -p "$tool/usr/bin"
  mv "$tool/usr/bin/prometheus-postgres-exporter" "$tool/usr/bin/postgres_exporter"
}
