#!/bin/sh -eu
# Starts nginx with deploy/nginx.conf: TLS, the container's names, no account to change to, logs to the outside.
sed -e 's/#tls# //' -e '/# no tls$/d' \
    -e '/^user /d' \
    -e 's/server 127\.0\.0\.1:8080;/server api:8080;/' \
    -e 's#/var/log/nginx/wardlist-error\.log#stderr#' \
    -e 's#/var/log/nginx/wardlist-access\.log plain .*;#/dev/stdout plain;#' \
    /etc/wardlist/nginx.conf > /run/wardlist-nginx/nginx.conf
exec nginx -c /run/wardlist-nginx/nginx.conf -e stderr -g 'daemon off;'
