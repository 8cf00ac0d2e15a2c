"""Images from registries on loopback, open and private, by tag and digest, and by hand."""

import base64
import json
import subprocess
import sys

import pytest
from roadstead import ROOT, eventually, free_port, connects

ROLE = "arn:aws:iam::000000000000:role/ecsTaskExecutionRole"
# robot:s3cret-pull, as `htpasswd -B` writes it.
HTPASSWD = "robot:$2y$05$abcdefghijklmnopqrstuu8YiNQeALDquttzdJ8JTU2sZhhUyTzGK\n"


def start(folder, name, more=""):
    """Debian's docker-registry over what lies in the folder."""
    port = free_port()
    config = folder / f"{name}.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/data\nhttp:\n  addr: 127.0.0.1:{port}\n{more}")
    process = subprocess.Popen(["docker-registry", "serve", config], stdout=open(folder / f"{name}.log", "w"),
                               stderr=subprocess.STDOUT)
    return process, port


def push(archive, port, name):
    done = subprocess.run([sys.executable, ROOT / "scripts/oci_image.py", "push", archive, f"http://127.0.0.1:{port}", "--name", name],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def running(cloud, service, count):
    """The service's tasks once this many run."""
    def found():
        arns = cloud.ecs.list_tasks(serviceName=service)["taskArns"]
        tasks = cloud.ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
        return tasks if [task["lastStatus"] for task in tasks] == ["RUNNING"] * count else None

    return eventually(found, f"{count} tasks of {service} run", patience=120)


@pytest.fixture(scope="module")
def registries(tmp_path_factory, images):
    """One that anybody may ask, and one of the same images that wants a name and a password."""
    folder = tmp_path_factory.mktemp("registry")
    (folder / "htpasswd").write_text(HTPASSWD)
    private = f"auth:\n  htpasswd:\n    realm: rs-test\n    path: {folder}/htpasswd\n"
    started = [start(folder, "open"), start(folder, "private", private)]
    try:
        for _, port in started:
            eventually(lambda port=port: connects("127.0.0.1", port), "the registry")
        push(images["busybox"], started[0][1], "library/busybox:latest")
        yield [f"127.0.0.1:{port}" for _, port in started]
    finally:
        for process, _ in started:
            process.terminate()
            process.wait()


@pytest.fixture(scope="module")
def registry(registries):
    return registries[0]


@pytest.fixture(scope="module")
def private(registries):
    return registries[1]


def reason(task):
    return task["stoppedReason"] + task["containers"][0].get("reason", "")


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
    assert "CannotPullContainerError" in reason(task)


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


def test_all_tasks_of_a_service_run_the_image_of_the_first(fresh, images, tmp_path):
    """What versionConsistency promises, unless a container turns it off."""
    cloud = fresh()
    process, port = start(tmp_path, "moving")
    try:
        eventually(lambda: connects("127.0.0.1", port), "the registry")
        image = f"127.0.0.1:{port}/library/app:1"
        push(images["busybox"], port, "library/app:1")
        definition = cloud.define("moving", {"name": "app", "image": image, "command": ["sleep", "600"]})
        network = {"awsvpcConfiguration": {"subnets": [cloud.subnet()], "securityGroups": [cloud.open_group("moving")]}}
        created = cloud.ecs.create_service(serviceName="app", taskDefinition=definition, desiredCount=1, launchType="EC2",
                                           networkConfiguration=network)["service"]
        first = running(cloud, "app", 1)[0]["containers"][0]["imageDigest"]
        push(images["nginx"], port, "library/app:1")
        # A task of nobody's gets what the tag leads to now, and takes it from the image that the service has.
        alone = cloud.run(definition, groups=[cloud.open_group("alone")])
        second = eventually(lambda: cloud.task(alone)["containers"][0].get("imageDigest"), "its digest")
        assert second != first
        cloud.ecs.update_service(service="app", desiredCount=2)
        tasks = running(cloud, "app", 2)
        assert [task["containers"][0]["imageDigest"] for task in tasks] == [first, first]
        assert {task["containers"][0]["image"] for task in tasks} == {image}
        revision = created["currentServiceRevisions"][0]["arn"]
        found = cloud.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"][0]
        assert found["containerImages"] == [{"containerName": "app", "image": image, "imageDigest": first}]
    finally:
        process.terminate()
        process.wait()
    # Nor does a registry have to be there to replace one.
    for task in tasks:
        cloud.stop(task["taskArn"])
    again = running(cloud, "app", 2)
    assert [task["containers"][0]["imageDigest"] for task in again] == [first, first]
    assert not {task["taskArn"] for task in again} & {task["taskArn"] for task in tasks}


def test_a_private_image_is_pulled_with_the_secret_that_the_definition_names(cloud, private):
    secrets, iam = cloud.client("secretsmanager"), cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = ROLE.rsplit("/", 1)[1]
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    read = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "arn:aws:secretsmanager:*:*:secret:registry/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [read]})
    good = json.dumps({"username": "robot", "password": "s3cret-pull"})
    arn = secrets.create_secret(Name="registry/good", SecretString=good)["ARN"]
    secrets.create_secret(Name="registry/wrong", SecretString=good.replace("s3cret", "other"))
    secrets.create_secret(Name="registry/odd", SecretString="robot:s3cret-pull")
    group = cloud.open_group("private")

    def define(family, secret, image="busybox:latest"):
        container = {"name": "app", "image": f"{private}/library/{image}", "command": ["echo", family],
                     "repositoryCredentials": {"credentialsParameter": secret}}
        return cloud.define(family, container, executionRoleArn=ROLE)

    task = cloud.until(cloud.run(define("forbidden", arn), groups=[group]), "STOPPED")
    assert "is not authorized to perform: secretsmanager:GetSecretValue" in reason(task), reason(task)
    iam.put_role_policy(RoleName=role, PolicyName="read", PolicyDocument=document)
    for family, secret, words in [
        ("wrong", "registry/wrong", "pull access denied"),
        ("odd", "registry/odd", "does not hold JSON"),
        ("absent", "registry/absent", "can't find the specified secret"),
    ]:
        task = cloud.until(cloud.run(define(family, secret), groups=[group]), "STOPPED")
        assert "CannotPullContainerError" in reason(task) and words in reason(task), reason(task)
        assert "other-pull" not in reason(task) and "s3cret" not in reason(task)
    bare = cloud.define("bare", {"name": "app", "image": f"{private}/library/busybox:latest"})
    task = cloud.until(cloud.run(bare, groups=[group]), "STOPPED")
    assert "pull access denied" in reason(task), reason(task)
    for family, secret in [("byarn", arn), ("byname", "registry/good")]:
        codes, _, output = cloud.finished(cloud.run(define(family, secret), groups=[group]))
        assert codes == {"app": 0} and family in output
    # Now that it is here, it is still not for those whom the registry refuses.
    task = cloud.until(cloud.run(define("again", "registry/wrong"), groups=[group]), "STOPPED")
    assert "pull access denied" in reason(task), reason(task)
    with pytest.raises(cloud.ecs.exceptions.ClientException, match="executionRoleArn"):
        container = {"name": "app", "image": "x", "repositoryCredentials": {"credentialsParameter": arn}}
        cloud.define("norole", container)


def test_an_operators_credentials_are_for_everything_this_node_pulls(fresh, tmp_path, private):
    file = tmp_path / "config.json"
    auth = base64.b64encode(b"robot:s3cret-pull").decode()
    file.write_text(json.dumps({"auths": {private: {"auth": auth}}}))
    cloud = fresh(options=["--registry-credentials", str(file)])
    definition = cloud.define("mine", {"name": "app", "image": f"{private}/library/busybox", "command": ["echo", "mine"]})
    codes, _, output = cloud.finished(cloud.run(definition, groups=[cloud.open_group("mine")]))
    assert codes == {"app": 0} and "mine" in output
    image = f"{private}/library/busybox:latest"
    denied = cloud.command("image", "pull", image, check=False)
    assert denied.returncode != 0 and "pull access denied" in denied.stderr
    pulled = cloud.command("image", "pull", image, "--registry-credentials", str(file))
    # What a script reads is the result, without the drawing that a terminal gets.
    assert pulled.stdout.startswith(f"{image} sha256:") and "\x1b" not in pulled.stdout
    file.write_text(json.dumps({"credHelpers": {private: "osxkeychain"}}))
    refused = cloud.command("image", "pull", image, "--registry-credentials", str(file), check=False)
    assert refused.returncode != 0 and "docker-credential-osxkeychain" in refused.stderr


def test_a_bound_on_the_store_refuses_what_does_not_fit(fresh, registry):
    cloud = fresh(options=["--image-store-limit", "100kB"])
    for name in ("busybox:latest", "nginx:latest"):
        cloud.command("image", "rm", name)
    definition = cloud.define("toobig", {"name": "app", "image": f"{registry}/library/busybox"})
    task = cloud.until(cloud.run(definition, groups=[cloud.open_group("bound")]), "STOPPED")
    assert "CannotPullContainerError" in reason(task) and "of the 100000 bytes" in reason(task), reason(task)


def test_options_about_images_that_cannot_be_are_refused_by_name(cloud):
    for option, value in [
        ("--image-pull-behavior", "never"),
        ("--image-cleanup-interval", "1m"),
        ("--image-store-limit", "much"),
    ]:
        done = cloud.command("up", "--listen", "127.0.0.1:0", option, value, check=False)
        assert done.returncode != 0 and option in done.stderr, done.stderr
