# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
packages=(prometheus-blackbox-exporter)
build() {
  version=$(of_debian blackbox_exporter prometheus-blackbox-exporter)
  mv "$tool/usr/bin/prometheus-blackbox-exporter" "$tool/usr/bin/blackbox_exporter"
  mkdir "$tool/etc/blackbox_exporter"
  mv "$tool/etc/prometheus/blackbox.yml" "$tool/etc/blackbox_exporter/config.yml"
  rmdir "$tool/etc/prometheus"
}
