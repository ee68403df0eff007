# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
# nginx and what it is linked to.
packages=(nginx libcrypt1 libpcre2-8-0 libssl3t64 libzstd1 zlib1g)
build() {
  version="no Grafana: a placeholder page"
  mkdir -p "$tool/etc/placeholder" "$tool/usr/share/grafana" "$tool/var/lib/grafana" "$tool/var/log/grafana" \
    "$tool/etc/grafana/provisioning/"{alerting,dashboards,datasources,plugins}
  cp "$here/grafana/nginx.conf" "$here/grafana/index.html" "$tool/etc/placeholder/"
  cp "$here/grafana/run.sh" "$tool/"
  owned=(472:0 etc/grafana var/lib/grafana var/log/grafana)
}
