#!/bin/sh
# Builds nginx:latest from Debian's nginx package and the libraries it needs, for tests and demos that must not
# depend on a registry. It behaves as the image of that name on Docker Hub does: port 80, logs to stdout and stderr,
# SIGQUIT to stop; with a shell from busybox.
# Usage: nginx-image.sh OUTPUT.tar      Needs root on a Debian machine. The result is an OCI layout and a
# docker-archive in one tar; nothing is done when OUTPUT.tar was made by the same scripts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
output=${1:?usage: nginx-image.sh OUTPUT.tar}
. "$here/image-lib.sh"
reuse
mkdir -p "$(dirname "$output")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir "$root"
skeleton
fetch nginx busybox-static
fetch nginx-common $(libraries nginx)
unpack
# Only what the server needs: no conversion tables, engines, manuals, service files.
rm -rf "$root"/usr/lib/*/gconv "$root"/usr/lib/*/engines-3 "$root"/usr/lib/*/ossl-modules "$root"/usr/share/man \
    "$root"/usr/share/initramfs-tools "$root"/usr/share/lintian "$root"/usr/share/vim "$root"/usr/share/bug \
    "$root"/lib/systemd "$root"/usr/lib/systemd "$root"/etc/init.d "$root"/etc/logrotate.d "$root"/etc/ufw "$root"/etc/default \
    "$root"/etc/nginx "$root"/var/www
find "$root"/usr/share/doc -type f ! -name copyright -delete
mkdir -p "$root"/etc/nginx "$root"/usr/share/nginx/html "$root"/var/log/nginx "$root"/var/lib/nginx
shell
# Addresses of IPv4 only: a kernel without IPv6 could not open the others.
cat > "$root"/etc/nginx/nginx.conf <<'EOF'
user www-data;
worker_processes auto;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log notice;

events {
    worker_connections 1024;
}

http {
    types {
        text/html html htm;
        text/css css;
        text/plain txt;
        application/javascript js;
        application/json json;
        image/png png;
        image/svg+xml svg;
    }
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    sendfile on;
    keepalive_timeout 65;

    server {
        listen 80;
        server_name localhost;
        root /usr/share/nginx/html;
        index index.html;
    }
}
EOF
cat > "$root"/usr/share/nginx/html/index.html <<'EOF'
<!DOCTYPE html>
<html>
<head><title>Welcome to nginx!</title></head>
<body>
<h1>Welcome to nginx!</h1>
<p>This page comes from a container.</p>
</body>
</html>
EOF
ln -s /dev/stdout "$root"/var/log/nginx/access.log
ln -s /dev/stderr "$root"/var/log/nginx/error.log
# The server itself says whether it has all it needs; in a copy, since the test leaves files, and without a network.
cp -a "$root" "$work/check"
ln -sf /dev/null "$work/check/var/log/nginx/access.log"
ln -sf /dev/null "$work/check/var/log/nginx/error.log"
: > "$work/check/dev/null"
if ! unshare --net chroot "$work/check" /usr/sbin/nginx -t -q 2>"$work/check.log"; then
    cat "$work/check.log" >&2
    exit 1
fi
finish nginx:latest '{
    "Cmd": ["nginx", "-g", "daemon off;"],
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    "ExposedPorts": {"80/tcp": {}},
    "StopSignal": "SIGQUIT"
}'
