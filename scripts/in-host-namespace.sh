#!/usr/bin/env bash
# Runs a command in a network namespace that plays the host: loopback, and no way out. Only the network is
# another; mounts, and with them cgroups, are the machine's.
set -euo pipefail
name=rs-host-$$
ip netns add "$name"
trap 'ip netns del "$name"' EXIT
ip -n "$name" link set lo up
nsenter --net="/run/netns/$name" -- "$@"
