# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
packages=(prometheus promtool)
build() {
  version=$(of_debian prometheus prometheus)
  owned=(65534:65534 prometheus etc/prometheus)
  mkdir "$tool/prometheus"
}
