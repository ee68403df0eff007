# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
packages=(prometheus-alertmanager)
build() {
  version=$(of_debian alertmanager prometheus-alertmanager)
  owned=(65534:65534 alertmanager etc/alertmanager)
  mv "$tool/usr/bin/prometheus-alertmanager" "$tool/usr/bin/alertmanager"
  mv "$tool/etc/prometheus" "$tool/etc/alertmanager"
  mkdir "$tool/alertmanager"
}
