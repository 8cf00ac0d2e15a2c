"""The walkthrough `high-resolution-metrics`, with the user's own files and the unmodified clients."""

import datetime
import json
import subprocess

import pytest
from botocore.exceptions import ClientError

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


@pytest.fixture(scope="module")
def machine(cloud, role, function, tmp_path_factory):
    """The user's definition, with the account's own number where theirs stood."""
    definition = (FILES / "state-machine.json").read_text().replace("676655494xxx", cloud.account)
    path = tmp_path_factory.mktemp("machine") / "state-machine.json"
    path.write_text(definition)
    made = cloud.aws("stepfunctions", "create-state-machine", "--name", NAME, "--role-arn", role,
                     "--definition", f"file://{path}")
    return made["stateMachineArn"]


def points(cloud, metric, since, stat="Maximum"):
    now = datetime.datetime.now(datetime.timezone.utc)
    found = cloud.client("cloudwatch").get_metric_data(StartTime=since, EndTime=now + datetime.timedelta(seconds=1), MetricDataQueries=[{
        "Id": "m", "MetricStat": {"Stat": stat, "Period": 1, "Metric": {
            "Namespace": "ECS", "MetricName": metric, "Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}]}}}],
        ScanBy="TimestampAscending")
    result = found["MetricDataResults"][0]
    return list(zip(result["Timestamps"], result["Values"]))


def executions(cloud, machine, status=None):
    more = {"statusFilter": status} if status else {}
    return cloud.client("stepfunctions").list_executions(stateMachineArn=machine, **more)["executions"]


def history(cloud, execution):
    pages = cloud.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
    return [event for page in pages for event in page["events"]]


def test_the_function_alone_writes_what_is_true(cloud, function):
    out = cloud.folder / "out.json"
    said = cloud.aws("lambda", "invoke", "--function-name", NAME, "--payload", json.dumps({"ECSClusterName": CLUSTER}), str(out))
    assert "FunctionError" not in said, out.read_text()
    assert json.loads(out.read_text()) is None
    metrics = cloud.client("cloudwatch").list_metrics(Namespace="ECS")["Metrics"]
    assert sorted(metric["MetricName"] for metric in metrics) == sorted(METRICS)


def test_every_minute_an_execution_writes_twelve_points_that_are_true(cloud, role, machine):
    aws = cloud.aws
    ruled = datetime.datetime.now(datetime.timezone.utc)
    aws("events", "put-rule", "--name", NAME, "--schedule-expression", "cron(0/1 * * * ? *)")
    put = aws("events", "put-targets", "--rule", NAME, "--targets", json.dumps([
        {"Id": "1", "Arn": machine, "RoleArn": role, "Input": json.dumps({"ECSClusterName": CLUSTER})}]))
    assert put["FailedEntryCount"] == 0
    first = eventually(lambda: executions(cloud, machine), "the first minute")[-1]
    began = first["startDate"]
    assert began.replace(second=0, microsecond=0) >= ruled, "with a minute, and not before"
    # A task that runs shows in the next points.
    eventually(lambda: points(cloud, "RunningTask", began), "the first point")
    definition = cloud.define("sleeps", {"name": "app", "image": "busybox", "command": ["sleep", "1000"]})
    task = cloud.run(definition, cluster=CLUSTER)
    cloud.until(task, "RUNNING", cluster=CLUSTER)
    eventually(lambda: len(executions(cloud, machine)) > 1, "the second minute")
    cloud.client("events").disable_rule(Name=NAME)
    eventually(lambda: {e["status"] for e in executions(cloud, machine)} == {"SUCCEEDED"}, "executions that succeeded", patience=300)
    every = executions(cloud, machine)
    minutes = {e["startDate"].replace(second=0, microsecond=0) for e in every}
    assert len(minutes) == len(every) >= 2, "one a minute"
    for metric in METRICS:
        written = sum(count for _, count in points(cloud, metric, began, "SampleCount"))
        assert written == 12 * len(every), (metric, written)
    # Five seconds lie between them at least; what is more is the machine's.
    asked = sorted(event["timestamp"] for event in history(cloud, first["executionArn"]) if event["type"] == "TaskStateEntered")
    assert all((at - began).total_seconds() >= 5 * place - 0.001 for place, at in enumerate(asked)), (began, asked)
    assert {value for _, value in points(cloud, "RegisteredContainerInstances", began)} == {1.0}
    running = [value for _, value in points(cloud, "RunningTask", began)]
    assert running[0] == 0.0 and running[-1] == 1.0 and running == sorted(running)
    told = [event["type"] for event in history(cloud, first["executionArn"])]
    assert told[0] == "ExecutionStarted" and told[-1] == "ExecutionSucceeded"
    assert told.count("TaskStateEntered") == told.count("TaskStateExited") == 12
    assert told.count("LambdaFunctionSucceeded") == 12 and told.count("WaitStateEntered") == 11
    def logged():
        lines = [event["message"].strip() for page in cloud.client("logs").get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{NAME}") for event in page["events"]]
        return all(sum(line.startswith(start) for line in lines) >= 24 for start in (
            "START RequestId", "END RequestId", "REPORT RequestId", "Finished writing metric data"))
    eventually(logged, "what each invocation logs")
    plot = cloud.command("metrics", "plot", "ECS", "RunningTask", "--dimension", f"ClusterName={CLUSTER}", "--period", "1",
                         "--endpoint", cloud.url, "--region", cloud.region, data=False).stdout
    assert "RunningTask" in plot


def run(cloud, machine, name):
    """One execution of a machine that only calls the function; its end and its history."""
    states = cloud.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=machine, name=name, input=json.dumps({"ECSClusterName": CLUSTER}))["executionArn"]
    shown = eventually(lambda: (lambda e: e if e["status"] != "RUNNING" else None)(states.describe_execution(executionArn=arn)),
                       "its end")
    return shown, history(cloud, arn)


def small(cloud, role, name, function):
    definition = {"StartAt": "F", "States": {"F": {"Type": "Task", "Resource": function, "End": True}}}
    return cloud.client("stepfunctions").create_state_machine(name=name, roleArn=role, definition=json.dumps(definition))["stateMachineArn"]


def allow(cloud, *without):
    """The user's policy, without some of what it allows."""
    policy = json.loads((FILES / "policy.json").read_text())
    policy["Statement"] = [s for s in policy["Statement"] if not set(s["Action"] if isinstance(s["Action"], list) else [s["Action"]]) & set(without)]
    cloud.client("iam").put_role_policy(RoleName=NAME, PolicyName="inline", PolicyDocument=json.dumps(policy))


def test_faults_are_told_apart(cloud, role, function, machine):
    iam, states = cloud.client("iam"), cloud.client("stepfunctions")
    calls = small(cloud, role, "calls", function)
    assert run(cloud, calls, "well")[0]["status"] == "SUCCEEDED"

    # A permission of the role that is missing: in the machine, then in the function.
    allow(cloud, "lambda:InvokeFunction")
    shown, told = run(cloud, calls, "may-not-invoke")
    assert shown["status"] == "FAILED" and "lambda:InvokeFunction" in shown["cause"] and function in shown["cause"], shown
    allow(cloud, "cloudwatch:PutMetricData")
    shown, told = run(cloud, calls, "may-not-put")
    assert shown["status"] == "FAILED" and "cloudwatch:PutMetricData" in shown["cause"], shown
    assert "LambdaFunctionFailed" in [event["type"] for event in told]
    allow(cloud)

    # A function that is missing, and one that fails.
    policy = json.loads((FILES / "policy.json").read_text())
    policy["Statement"].append({"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function + "*"})
    iam.put_role_policy(RoleName=NAME, PolicyName="inline", PolicyDocument=json.dumps(policy))
    missing = small(cloud, role, "missing", function.replace(NAME, NAME + "x"))
    shown, told = run(cloud, missing, "missing")
    assert shown["status"] == "FAILED" and "not found" in shown["cause"].lower(), shown
    kinds = {shown["error"]}
    archive = cloud.folder / "bad.zip"
    subprocess.run(["python3", "-c", f"import zipfile; zipfile.ZipFile({str(archive)!r}, 'w').writestr('f.py', 'def handler(e, c): raise KeyError(1)')"], check=True)
    failing = cloud.client("lambda").create_function(
        FunctionName=NAME + "Failing", Runtime="python3.9", Handler="f.handler", Role=role, Code={"ZipFile": archive.read_bytes()})["FunctionArn"]
    shown, told = run(cloud, small(cloud, role, "failing", failing), "failing")
    assert shown["status"] == "FAILED" and shown["error"] == "KeyError", shown
    assert kinds.isdisjoint({shown["error"]})
    allow(cloud)

    # Trust that is revoked: the next call says so. A role that never trusted is refused at once.
    trust = json.loads((FILES / "trust-policy.json").read_text())
    nobody = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    iam.create_role(RoleName="untrusting", AssumeRolePolicyDocument=json.dumps(nobody))
    untrusting = role.replace(NAME, "untrusting")
    for call, arguments in [
        (cloud.client("lambda").create_function, dict(FunctionName="x", Runtime="python3.9", Handler="x.y", Role=untrusting, Code={"ZipFile": b"PK"})),
        (states.create_state_machine, dict(name="x", roleArn=untrusting, definition=json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}))),
    ]:
        with pytest.raises(ClientError):
            call(**arguments)
    iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(nobody))
    shown, _ = run(cloud, calls, "revoked")
    assert shown["status"] == "FAILED" and "assume" in shown["cause"].lower(), shown
    iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(trust))

    # A rule whose target's role may not start executions starts none, which is counted, and its dead-letter queue has the event.
    sqs = cloud.client("sqs")
    queue = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events = cloud.client("events")
    rule = events.put_rule(Name="denied", EventPattern=json.dumps({"source": ["try"]}))["RuleArn"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
         "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}]})})
    allow(cloud, "states:StartExecution")
    before = len(executions(cloud, machine))
    assert events.put_targets(Rule="denied", Targets=[
        {"Id": "1", "Arn": machine, "RoleArn": role, "DeadLetterConfig": {"Arn": arn}}])["FailedEntryCount"] == 0
    events.put_events(Entries=[{"Source": "try", "DetailType": "x", "Detail": "{}"}])
    letter = eventually(lambda: sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"], WaitTimeSeconds=2).get("Messages"), "a letter")[0]
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert "states:StartExecution" in letter["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
    assert len(executions(cloud, machine)) == before
    now = datetime.datetime.now(datetime.timezone.utc)

    def failed():
        found = cloud.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Events", MetricName="FailedInvocations", Dimensions=[{"Name": "RuleName", "Value": "denied"}],
            StartTime=now - datetime.timedelta(minutes=10), EndTime=now + datetime.timedelta(minutes=10), Period=60, Statistics=["Sum"])
        return sum(point["Sum"] for point in found["Datapoints"]) == 1
    eventually(failed, "FailedInvocations", patience=300)
    allow(cloud)
