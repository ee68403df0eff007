#!/bin/sh
# Runs in the finished image, without a network: does it do what the stack's
# configuration wants of it? nginx's metrics are counted by njs.
set -eu
nginx -t
ls /etc/nginx/modules/ngx_http_js_module.so
cat >/tmp/answer.js <<'JS'
export default { answer: (r) => r.return(200, `${r.uri} answered by njs\n`) };
JS
cat >/tmp/nginx.conf <<'CONF'
load_module modules/ngx_http_js_module.so;
pid /tmp/nginx.pid;
events {}
http {
    js_import main from /tmp/answer.js;
    server {
        listen 127.0.0.1:8081;
        location / { js_content main.answer; }
    }
}
CONF
nginx -c /tmp/nginx.conf
curl --fail --silent --show-error http://127.0.0.1:8081/metrics | grep -x '/metrics answered by njs'
