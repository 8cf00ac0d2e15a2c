# The two commands of the README. Each installs what is missing, and cleans up after itself.
.PHONY: demo test check e2e

# Build, start Roadstead, run the task-networking walkthrough with the aws CLI, show everything, clean up.
demo:
	scripts/setup.sh run
	cargo build --release --locked --package roadstead
	scripts/nginx-image.sh target/images/nginx.tar
	target/venv/bin/python scripts/demo.py

# Everything: habits, lints, unit and node tests, end to end with the real clients.
test:
	scripts/setup.sh test
	$(MAKE) --no-print-directory check
	# One that hangs fails after an hour, which none takes; the test it hangs in has said so by then.
	cargo test --locked --workspace --config 'target."cfg(unix)".runner = ["timeout", "--foreground", "--kill-after=60", "3600"]'
	$(MAKE) --no-print-directory e2e

check:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	cargo xtask models --check
	cargo xtask tidy
	cargo xtask supply
	cargo xtask coverage --check

# In host namespaces of their own, without an uplink.
e2e:
	# Together with the tests, and so with their features: nothing is compiled twice.
	cargo build --locked --workspace --bin roadstead --tests
	# What functions run on, from this machine's interpreters and PyPI.
	target/debug/roadstead runtime install --missing python node provided --runtimes target/runtimes
	scripts/nginx-image.sh target/images/nginx.tar
	scripts/busybox-image.sh target/images/busybox.tar
	# Kept busy for a while, nothing is left over; by hand for hours: cargo xtask churn --minutes 120
	cargo xtask churn --minutes 2 --binary target/debug/roadstead
	# Last, so that a run ends with the test runner's own words.
	scripts/e2e.sh 2
