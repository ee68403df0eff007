#!/bin/sh
# Grafana's command. The official image's own, /run.sh, comes last.
set -eu

# Grafana looks for provisioning files in folders, and all files are mounted in one.
# Empty folders spare it errors in its log.
cd /tmp
mkdir -p provisioning/datasources provisioning/dashboards provisioning/alerting provisioning/plugins
ln -sf /run/config/datasources.yml provisioning/datasources/
ln -sf /run/config/dashboards.yml provisioning/dashboards/

# Grafana takes the password when it makes its database, and never again. Without
# this, a rotated one would not do, and the old one would.
if [ -e "$GF_PATHS_DATA/grafana.db" ]; then
  grafana cli --homepath "$GF_PATHS_HOME" --config "$GF_PATHS_CONFIG" \
    admin reset-admin-password --password-from-stdin <"$GF_SECURITY_ADMIN_PASSWORD__FILE" || {
    echo "Grafana is not started: the password of admin can't be set to that in $GF_SECURITY_ADMIN_PASSWORD__FILE" >&2
    exit 1
  }
fi

exec /run.sh
