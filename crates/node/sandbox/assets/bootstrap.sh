#!/bin/sh
# Runs the function's own bootstrap, or that of a layer.
for bootstrap in /var/task/bootstrap /opt/bootstrap; do
    if [ -x "$bootstrap" ]; then
        exec "$bootstrap"
    fi
done
echo "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]" >&2
exit 127
