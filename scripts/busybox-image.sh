#!/bin/sh
# Builds busybox:latest from Debian's busybox-static, for tests and demos that must not depend on a registry.
# Usage: busybox-image.sh OUTPUT.tar    Needs root on a Debian machine. The result is an OCI layout and a
# docker-archive in one tar; nothing is done when OUTPUT.tar was made by the same scripts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
output=${1:?usage: busybox-image.sh OUTPUT.tar}
. "$here/image-lib.sh"
reuse
mkdir -p "$(dirname "$output")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir "$root"
skeleton
fetch busybox-static
unpack
rm -rf "$root"/usr/share/man "$root"/usr/share/initramfs-tools
shell
finish busybox:latest '{"Cmd": ["sh"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}'
