"""Functions that are images: what a registry has under a tag, run by its own program, and kept when the tag moves."""

import base64
import io
import json
import subprocess
import sys
import tarfile

import pytest
from botocore.exceptions import ClientError

from roadstead import ROOT, Roadstead, connects, eventually, free_port

RUNTIMES = ROOT / "target/runtimes"

# Speaks the runtime API with nothing but busybox; answers what SAY of its image and the event come to.
BOOTSTRAP = """#!/bin/sh
echo "begins as $(id -u):$(id -g) in $(pwd) with: $*"
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime
while true; do
    event=$(wget -q -S -O - $api/invocation/next 2>/tmp/head) || exit 1
    id=$(tr -d '\\r' < /tmp/head | sed -n 's/^ *lambda-runtime-aws-request-id: //Ip')
    [ "$event" = '"exit"' ] && exit 3
    writes=$( (echo x > /app/x) 2>/dev/null && echo yes || echo no)
    wget -q -O /dev/null --post-data "{\\"version\\": \\"$VERSION\\", \\"event\\": $event, \\"mine\\": \\"$MINE\\", \\"own\\": \\"$OWN\\", \\"words\\": \\"$*\\", \\"place\\": \\"$(pwd)\\", \\"user\\": \\"$(id -u)\\", \\"writes\\": \\"$writes\\", \\"handler\\": \\"$_HANDLER\\", \\"by\\": \\"$AWS_EXECUTION_ENV\\"}" $api/invocation/$id/response
done
"""


class Registry:
    """Debian's docker-registry, which can go away, and images that are made for it."""

    def __init__(self, folder, busybox):
        self.folder = folder
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        with tarfile.open(busybox) as archive:
            index = json.load(archive.extractfile("manifest.json"))
            self.layer = archive.extractfile(index[0]["Layers"][0]).read()
        (folder / "config.yml").write_text(
            f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/data\nhttp:\n  addr: {self.host}\n")
        self.start()

    def start(self):
        self.process = subprocess.Popen(["docker-registry", "serve", self.folder / "config.yml"],
                                        stdout=open(self.folder / "log", "a"), stderr=subprocess.STDOUT)
        eventually(lambda: connects("127.0.0.1", self.port), "the registry")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def tool(self, *words):
        done = subprocess.run([sys.executable, ROOT / "scripts/oci_image.py", *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def build(self, name, root, **config):
        output = self.folder / f"{name.replace('/', '_').replace(':', '_')}.tar"
        self.tool("build", "--root", str(root), "--name", name, "--config", json.dumps(config), "--output", str(output))
        return output

    def shell(self, version, name="f:latest", **config):
        """Pushes an image whose bootstrap says its version; its digest."""
        root = self.folder / f"root-{version}"
        if not root.exists():
            with tarfile.open(fileobj=io.BytesIO(self.layer)) as layer:
                layer.extractall(root)
            (root / "app").mkdir()
            (root / "app/bootstrap").write_text(BOOTSTRAP)
            (root / "app/bootstrap").chmod(0o755)
        own = {"Entrypoint": ["/app/bootstrap"], "Cmd": ["app.handler"], "WorkingDir": "/app", "User": "0:0",
               "Env": [f"VERSION={version}", "OWN=image", "MINE=image", "AWS_REGION=nowhere"]}
        return self.push(self.build(name, root, **{**own, **config}), name)

    def push(self, archive, name):
        return self.tool("push", str(archive), f"http://{self.host}", "--name", f"team/{name}").rsplit("@", 1)[1]

    def uri(self, name="f:latest"):
        return f"{self.host}/team/{name}"


@pytest.fixture(scope="module")
def registry(tmp_path_factory, images):
    made = Registry(tmp_path_factory.mktemp("registry"), images["busybox"])
    yield made
    made.stop()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=()) as roadstead:
        yield roadstead


def a_role(cloud):
    iam = cloud.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName="runner", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="runner", PolicyName="logs", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}))
    return arn


@pytest.fixture(scope="module")
def role(cloud):
    return a_role(cloud)


def make(cloud, role, name, uri, **more):
    # The default of three seconds is little on a machine that does much else.
    more.setdefault("Timeout", 60)
    return cloud.client("lambda").create_function(
        FunctionName=name, Role=role, PackageType="Image", Code={"ImageUri": uri}, **more)


def invoke(cloud, name, event=None, **more):
    answer = cloud.client("lambda").invoke(
        FunctionName=name, Payload=json.dumps(event), LogType="Tail", **more)
    tail = base64.b64decode(answer.get("LogResult", "")).decode()
    return answer.get("FunctionError"), json.loads(answer["Payload"].read()), tail


def refused(call, **arguments):
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    return refusal.value.response["Error"]


def test_an_image_runs_by_its_own_program_within_the_limits_of_functions(cloud, role, registry):
    digest = registry.shell("one")
    made = make(cloud, role, "shell", registry.uri(), Environment={"Variables": {"MINE": "function"}})
    assert (made["PackageType"], made["State"], made["CodeSize"]) == ("Image", "Active", 0)
    assert made["CodeSha256"] == digest.split(":")[1]
    assert not {"Runtime", "Handler", "ImageConfigResponse", "Layers"} & made.keys()
    cloud.aws("lambda", "wait", "function-active-v2", "--function-name", "shell")
    code = cloud.client("lambda").get_function(FunctionName="shell")["Code"]
    assert code == {"RepositoryType": "ECR", "ImageUri": registry.uri(),
                    "ResolvedImageUri": f"{registry.host}/team/f@{digest}"}
    error, said, tail = invoke(cloud, "shell", {"n": 1})
    assert error is None, (said, tail)
    assert said == {"version": "one", "event": {"n": 1}, "mine": "function", "own": "image", "words": "app.handler",
                    "place": "/app", "user": "993", "writes": "no", "handler": "", "by": "AWS_Lambda_Image"}
    assert tail.startswith("START RequestId: ") and "\tInit Duration: " in tail
    # The same environment, which an exit ends.
    assert "Init Duration" not in invoke(cloud, "shell", 2)[2]
    error, said, tail = invoke(cloud, "shell", "exit")
    assert error == "Unhandled" and said["errorType"] == "Runtime.ExitError", said
    assert invoke(cloud, "shell", 3)[1]["event"] == 3
    logs = cloud.client("logs")
    eventually(lambda: any("begins as 993:990 in /app with: app.handler" in event["message"] for event in
                           logs.filter_log_events(logGroupName="/aws/lambda/shell")["events"]), "its lines")


def test_a_tag_that_moves_and_a_registry_that_goes_change_nothing_until_the_code_is_updated(cloud, role, registry):
    old = registry.shell("old", "moving:latest")
    api = cloud.client("lambda")
    make(cloud, role, "moving", registry.uri("moving:latest"), Publish=True)
    assert invoke(cloud, "moving", 1)[1]["version"] == "old"
    new = registry.shell("new", "moving:latest")
    api.update_function_configuration(FunctionName="moving", Timeout=90)
    assert invoke(cloud, "moving", 2)[1]["version"] == "old"
    # The tag's new image comes here, and takes the name from the old one.
    dry = api.update_function_code(FunctionName="moving", ImageUri=registry.uri("moving:latest"), DryRun=True)
    assert dry["CodeSha256"] == new.split(":")[1]
    assert invoke(cloud, "moving", 3)[1]["version"] == "old"
    registry.stop()
    try:
        cloud.kill()
        cloud.up()
        assert invoke(cloud, "moving", 4)[1]["version"] == "old"
        resolved = api.get_function(FunctionName="moving")["Code"]["ResolvedImageUri"]
        assert resolved == f"{registry.host}/team/moving@{old}"
        removed = cloud.command("image", "rm", resolved, check=False)
        assert removed.returncode != 0 and "in use by function " in removed.stderr, removed.stderr
        # Nobody says that the tag is where it was, so the update does not happen.
        error = refused(api.update_function_code, FunctionName="moving", ImageUri=registry.uri("moving:latest"))
        assert error["Code"] == "InvalidParameterValueException" and "cannot be pulled" in error["Message"], error
    finally:
        registry.start()
    updated = api.update_function_code(FunctionName="moving", ImageUri=registry.uri("moving:latest"), Publish=True)
    assert (updated["Version"], updated["CodeSha256"]) == ("2", new.split(":")[1])
    assert invoke(cloud, "moving", 5)[1]["version"] == "new"
    assert invoke(cloud, "moving:1", 6)[1]["version"] == "old"
    assert {f["FunctionName"]: f["PackageType"] for f in api.list_functions()["Functions"]}["moving"] == "Image"


def test_image_config_stands_in_for_the_images_own_word(cloud, role, registry):
    registry.shell("one")
    api = cloud.client("lambda")
    config = {"EntryPoint": ["/bin/sh", "/app/bootstrap"], "Command": ["other.handler", "more"], "WorkingDirectory": "/tmp"}
    made = make(cloud, role, "told", registry.uri(), ImageConfig=config)
    assert made["ImageConfigResponse"] == {"ImageConfig": config}
    said = invoke(cloud, "told", 1)[1]
    assert (said["words"], said["place"]) == ("other.handler more", "/tmp")
    cloud.aws("lambda", "update-function-configuration", "--function-name", "told", "--image-config", "Command=third")
    said = invoke(cloud, "told", 2)[1]
    assert (said["words"], said["place"]) == ("third", "/app")
    api.update_function_configuration(FunctionName="told", ImageConfig={"EntryPoint": ["/not-there"]})
    error, said, tail = invoke(cloud, "told", 3)
    assert (error, said["errorType"]) == ("Unhandled", "Runtime.InvalidEntrypoint") and "/not-there" in said["errorMessage"]


def test_images_that_cannot_be_had_or_run_are_refused_by_name(cloud, role, registry):
    registry.shell("one")
    root = registry.folder / "root-one"
    foreign = registry.folder / "foreign.tar"
    registry.tool("build", "--root", str(root), "--name", "foreign", "--architecture", "s390x", "--output", str(foreign))
    registry.push(foreign, "foreign:latest")
    registry.push(registry.build("bare", root), "bare:latest")
    api = cloud.client("lambda")
    for uri, words in [
        (registry.uri("f:none"), "does not exist. Provide a valid source image."),
        (registry.uri("F"), "is not valid. Provide a valid source image."),
        (registry.uri("foreign:latest"), "is not supported. ("),
        (registry.uri("bare:latest"), "has neither ENTRYPOINT nor CMD."),
        (f"127.0.0.1:{free_port()}/team/f", "cannot be pulled"),
    ]:
        error = refused(make, cloud=cloud, role=role, name="none", uri=uri)
        assert error["Code"] == "InvalidParameterValueException" and words in error["Message"], error
        assert uri in error["Message"], error
    error = refused(make, cloud=cloud, role=role, name="none", uri=registry.uri(), Handler="a.b", Runtime="python3.12")
    assert "when the intended function PackageType is Image" in error["Message"]
    assert refused(api.get_function, FunctionName="none")["Code"] == "ResourceNotFoundException"


def test_an_image_of_the_machines_own_python_runs_by_its_runtime_client(cloud, role, registry):
    """As images on AWS's Python base are built: the interpreter, awslambdaric, the code, `CMD app.handler`."""
    runtime = next(RUNTIMES.glob("python3.*")) / "root"
    assert runtime.exists(), f"{runtime} is missing; `make e2e` prepares it"
    root = registry.folder / "python"
    subprocess.run(["cp", "-a", runtime, root], check=True)
    (root / "var/task").mkdir(parents=True, exist_ok=True)
    (root / "var/task/app.py").write_text(
        "import boto3, os\nprint('begins')\n\ndef handler(event, context):\n"
        "    if event == 'raise':\n        raise ValueError('no')\n"
        "    return {'event': event, 'name': context.function_name, 'left': context.get_remaining_time_in_millis(),\n"
        "            'me': boto3.client('sts').get_caller_identity()['Arn'], 'root': os.environ['LAMBDA_TASK_ROOT']}\n")
    registry.push(registry.build(
        "python:latest", root, Entrypoint=["/var/lang/bin/python3", "-m", "awslambdaric"], Cmd=["app.handler"],
        WorkingDir="/var/task", Env=["PYTHONPATH=/var/runtime", "LAMBDA_TASK_ROOT=/var/task"]), "python:latest")
    make(cloud, role, "python", registry.uri("python:latest"), MemorySize=256)
    error, said, tail = invoke(cloud, "python", {"n": "é"})
    assert error is None, (said, tail)
    assert 0 < said.pop("left") <= 60_000
    assert said == {"event": {"n": "é"}, "name": "python", "root": "/var/task",
                    "me": f"arn:aws:sts::{cloud.account}:assumed-role/runner/python"}
    error, said, _ = invoke(cloud, "python", "raise")
    assert (error, said["errorType"], said["errorMessage"]) == ("Unhandled", "ValueError", "no")


def test_an_image_that_was_imported_needs_no_registry(cloud, role, registry):
    registry.shell("imported", "by-hand:latest")
    cloud.command("image", "import", registry.folder / "by-hand_latest.tar", "--name", "by-hand:latest")
    make(cloud, role, "imported", "by-hand")
    assert invoke(cloud, "imported", 1)[1]["version"] == "imported"
    resolved = cloud.client("lambda").get_function(FunctionName="imported")["Code"]["ResolvedImageUri"]
    assert resolved.startswith("docker.io/library/by-hand@sha256:")
