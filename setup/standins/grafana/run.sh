#!/bin/sh
# Where the real image starts Grafana. What Grafana is told by arguments and
# variables is of no interest here.
echo "Grafana's image could not be had on this machine: this is a page that says so" >&2
exec /usr/sbin/nginx -e stderr -c /etc/placeholder/nginx.conf
