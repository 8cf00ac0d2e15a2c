#!/usr/bin/env bash
# Installs what Roadstead's build, tests and demo need beyond a Rust toolchain: Debian packages, and a Python
# environment of the project's own with the unmodified AWS clients. Does nothing where all of it is there.
#   scripts/setup.sh [run|test|perf]   run: what the daemon and the demo need; test: also what the tests need;
#                                      perf: also servers that only measurements compare with
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-run}

if [ "$(id -u)" != 0 ]; then
    echo "Roadstead makes namespaces, mounts and devices: run this as root." >&2
    exit 1
fi

packages=(ca-certificates curl e2fsprogs gcc git iproute2 libc6-dev mount nftables procps python3 python3-venv)
if [ "$what" != run ]; then
    packages+=(binutils busybox-static containernetworking-plugins crun docker-registry etcd-server iptables nodejs prometheus qemu-system-x86 runc)
else
    packages+=(busybox-static)
fi
if [ "$what" = perf ]; then
    packages+=(victoria-metrics)
fi
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # Some of these packages start a service of their own when installed; none is wanted.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod +x "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
fi

venv=target/venv
wanted=$(sha256sum tests/requirements.txt | cut -d' ' -f1)
if [ "$(cat "$venv/.requirements" 2>/dev/null)" != "$wanted" ]; then
    echo "making the Python environment of the AWS clients"
    rm -rf "$venv"
    /usr/bin/python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/requirements.txt
    echo "$wanted" > "$venv/.requirements"
fi
if [ "$what" != run ] && [ "$(uname -m)" = x86_64 ]; then
    # A kernel for the guest in which cgroup v2 is tried; unpacked, not installed.
    scripts/guest.sh --prepare
fi
