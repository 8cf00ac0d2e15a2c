#!/usr/bin/env bash
# The end-to-end tests, file by file on so many workers; each worker has a host namespace of its own, without an uplink.
#   scripts/e2e.sh [WORKERS] [pytest's arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
workers=2
if [[ "${1:-}" =~ ^[0-9]+$ ]]; then
    workers=$1
    shift
fi
python=target/venv/bin/python
exec "$python" -m pytest -q --dist loadfile --tx "$workers*popen//python=scripts/in-host-namespace.sh $python" \
    "${@:-tests/e2e}"
