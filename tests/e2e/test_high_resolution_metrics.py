"""The walkthrough `high-resolution-metrics`, with the user's own files and the unmodified clients."""

import datetime
import json
import subprocess
import time

import pytest

from roadstead import ROOT, Roadstead, eventually

FILES = ROOT / "tests/walkthroughs/high-resolution-metrics"
NAME = "WriteMetricFromStepFunction"
CLUSTER = "ECSEsgaroth"
METRICS = ["RunningTask", "PendingTask", "ActiveServices", "RegisteredContainerInstances"]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, images):
    options = ["--runtimes", str(ROOT / "target/runtimes")]
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=[CLUSTER], options=options + ["--region", "us-west-2"],
                   region="us-west-2") as roadstead:
        roadstead.command("image", "import", images["busybox"])
        yield roadstead


@pytest.fixture(scope="module")
def role(cloud):
    aws = cloud.aws
    made = aws("iam", "create-role", "--role-name", NAME, "--assume-role-policy-document",
               f"file://{FILES}/trust-policy.json")
    aws("iam", "put-role-policy", "--role-name", NAME, "--policy-name", "inline", "--policy-document",
        f"file://{FILES}/policy.json")
    return made["Role"]["Arn"]


@pytest.fixture(scope="module")
def function(cloud, role, tmp_path_factory):
    archive = tmp_path_factory.mktemp("code") / "code.zip"
    subprocess.run(["python3", "-m", "zipfile", "-c", str(archive), "lambda_function.py"], cwd=FILES, check=True)
    made = cloud.aws("lambda", "create-function", "--function-name", NAME, "--runtime", "python3.9", "--role", role,
                     "--handler", "lambda_function.handler", "--memory-size", "128", "--zip-file", f"fileb://{archive}")
    return made["FunctionArn"]


def test_the_function_alone_writes_what_is_true(cloud, function):
    out = cloud.folder / "out.json"
    said = cloud.aws("lambda", "invoke", "--function-name", NAME, "--log-type", "Tail", "--payload",
                     json.dumps({"ECSClusterName": CLUSTER}), str(out))
    assert "FunctionError" not in said, out.read_text()
    print(__import__("base64").b64decode(said["LogResult"]).decode())
    assert json.loads(out.read_text()) is None
    metrics = cloud.client("cloudwatch").list_metrics(Namespace="ECS")["Metrics"]
    assert sorted(metric["MetricName"] for metric in metrics) == sorted(METRICS)
