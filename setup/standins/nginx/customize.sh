#!/bin/sh
# Runs inside the new root file system of the nginx stand-in: gives Debian's
# nginx the users, paths and default configuration of the official image.
set -eu

# The official image's numbers; a volume written by one is read by the other.
groupadd --system --gid 101 nginx
useradd --system --uid 101 --gid nginx --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin nginx

# The compiled-in log files go to the container's log.
mkdir -p /var/log/nginx
ln -sf /dev/stdout /var/log/nginx/access.log
ln -sf /dev/stderr /var/log/nginx/error.log

# Debian compiles its temporary paths into /var/lib/nginx, for www-data.
chown -R nginx:nginx /var/lib/nginx

# Debian's configuration loads modules and sites from folders of its own.
rm -rf /etc/nginx/sites-available /etc/nginx/sites-enabled /etc/nginx/modules-available \
  /etc/nginx/modules-enabled /etc/nginx/snippets
mkdir -p /etc/nginx/conf.d

# `load_module modules/...` counts from the folder that nginx is compiled for:
# the official image's is /etc/nginx, Debian's /usr/share/nginx.
ln -sfn /usr/lib/nginx/modules /etc/nginx/modules
ln -sfn /usr/lib/nginx/modules /usr/share/nginx/modules

cat >/etc/nginx/nginx.conf <<'CONF'
user  nginx;
worker_processes  auto;
error_log  /var/log/nginx/error.log notice;
pid        /run/nginx.pid;

events {
    worker_connections  1024;
}

http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;
    access_log  /var/log/nginx/access.log  combined;
    sendfile        on;
    keepalive_timeout  65;
    include /etc/nginx/conf.d/*.conf;
}
CONF
cat >/etc/nginx/conf.d/default.conf <<'CONF'
server {
    listen       80;
    server_name  localhost;
    root   /usr/share/nginx/html;
    index  index.html index.htm;
}
CONF

codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
echo "$(nginx -v 2>&1 | sed 's|.*nginx/\([0-9.]*\).*|nginx \1|') (Debian $codename)" >/etc/standin-version
