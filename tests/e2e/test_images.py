"""Images from a registry on loopback, by tag and digest, and by hand."""

import subprocess
import sys

import pytest
from roadstead import ROOT, eventually, free_port, connects


@pytest.fixture(scope="module")
def registry(tmp_path_factory, images):
    folder = tmp_path_factory.mktemp("registry")
    port = free_port()
    (folder / "config.yml").write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/data\nhttp:\n  addr: 127.0.0.1:{port}\n")
    process = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=open(folder / "log", "w"),
                               stderr=subprocess.STDOUT)
    try:
        eventually(lambda: connects("127.0.0.1", port), "the registry")
        push = subprocess.run([sys.executable, ROOT / "scripts/oci_image.py", "push", images["busybox"],
                               f"http://127.0.0.1:{port}", "--name", "library/busybox:latest"], capture_output=True, text=True)
        assert push.returncode == 0, push.stdout + push.stderr
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def test_pull_by_tag_and_by_digest(cloud, registry):
    group = cloud.open_group("pulls")
    definition = cloud.define("bytag", {"name": "app", "image": f"{registry}/library/busybox:latest", "command": ["echo", "tag"]})
    codes, task, output = cloud.finished(cloud.run(definition, groups=[group]))
    assert codes == {"app": 0} and "tag" in output
    digest = task["containers"][0]["imageDigest"]
    assert digest.startswith("sha256:")
    definition = cloud.define("bydigest", {"name": "app", "image": f"{registry}/library/busybox@{digest}", "command": ["echo", "digest"]})
    codes, _, output = cloud.finished(cloud.run(definition, groups=[group]))
    assert codes == {"app": 0} and "digest" in output
    wrong = "sha256:" + "0" * 64
    definition = cloud.define("baddigest", {"name": "app", "image": f"{registry}/library/busybox@{wrong}"})
    task = cloud.until(cloud.run(definition, groups=[group]), "STOPPED")
    assert "CannotPullContainerError" in task["stoppedReason"] + task["containers"][0].get("reason", "")


def test_a_mirror_stands_in_for_the_public_registry(fresh, registry):
    cloud = fresh(options=["--registry-mirror", f"docker.io=http://{registry}"])
    cloud.command("image", "rm", "busybox:latest")
    definition = cloud.define("mirrored", {"name": "app", "image": "busybox", "command": ["echo", "mirrored"]})
    codes, _, output = cloud.finished(cloud.run(definition, groups=[cloud.open_group("mirror")]))
    assert codes == {"app": 0} and "mirrored" in output


def test_images_are_listed_and_removed(fresh):
    cloud = fresh()
    assert "docker.io/library/nginx:latest" in cloud.command("image", "list").stdout
    cloud.command("image", "rm", "nginx:latest")
    assert "nginx" not in cloud.command("image", "list").stdout
    gone = cloud.command("image", "rm", "nginx:latest", check=False)
    assert gone.returncode != 0 and "nginx" in gone.stderr
