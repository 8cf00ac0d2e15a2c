"""Roadstead as its users have it: the built binary, the unmodified aws CLI and boto3, nothing in between.

Run by `make e2e`, inside a network namespace that plays the host and has no uplink.
"""

import os
import pathlib
import signal
import subprocess

import pytest

from roadstead import Roadstead, host_has_no_uplink

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES = ROOT / "target/images"
# Seconds, far beyond what any test takes: one that hangs fails where it stands, and the others have their turn.
LONGEST = 1800


def too_long(*_):
    # What is left of it, and what is torn down, may hang as well.
    signal.alarm(LONGEST)
    pytest.fail(f"not over after {LONGEST} s")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LONGEST)
    try:
        return (yield)
    finally:
        signal.alarm(0)


@pytest.fixture(scope="session", autouse=True)
def in_a_namespace_of_its_own():
    """Refuses to run where traffic could leave the machine."""
    if not host_has_no_uplink():
        pytest.exit("run these by `make e2e`: they want a network namespace without an uplink", returncode=2)


@pytest.fixture(scope="session")
def images():
    """Archives of the two test images, as the scripts built them."""
    found = {name: IMAGES / f"{name}.tar" for name in ("nginx", "busybox")}
    for path in found.values():
        assert path.exists(), f"{path} is missing; `make e2e` builds it"
    return found


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, images):
    """A Roadstead for the module, with both images and the clusters `default` and `awsvpc-ecs-demo`."""
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=["default", "awsvpc-ecs-demo"]) as roadstead:
        for path in images.values():
            roadstead.command("image", "import", path)
        yield roadstead


@pytest.fixture
def fresh(tmp_path, images):
    """Makes further Roadsteads, each torn down after the test."""
    made = []

    def make(name="a", **options):
        roadstead = Roadstead(tmp_path / name, **options)
        made.append(roadstead)
        roadstead.up()
        for path in images.values():
            roadstead.command("image", "import", path)
        return roadstead

    yield make
    for roadstead in reversed(made):
        roadstead.down()


@pytest.fixture(scope="session")
def walkthroughs():
    return ROOT / "tests/walkthroughs"


@pytest.fixture(autouse=True, scope="session")
def clean_environment():
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(AWS_PAGER="", AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
