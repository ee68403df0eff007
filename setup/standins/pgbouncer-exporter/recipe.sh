# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
packages=(prometheus-pgbouncer-exporter)
build() {
  version=$(of_debian pgbouncer_exporter prometheus-pgbouncer-exporter)
  mkdir -p "$tool/usr/bin"
  mv "$tool/usr/bin/prometheus-pgbouncer-exporter" "$tool/usr/bin/pgbouncer_exporter"
}
