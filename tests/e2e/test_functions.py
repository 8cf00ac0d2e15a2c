"""Functions that run: the user's Python and JavaScript in environments of their own, as their roles."""

import base64
import concurrent.futures
import gzip
import io
import json
import re
import time
import zipfile

import pytest

from roadstead import ROOT, Roadstead, eventually

RUNTIMES = ROOT / "target/runtimes"
USERS = ROOT / "tests/walkthroughs/high-resolution-metrics"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    assert RUNTIMES.exists(), f"{RUNTIMES} is missing; `make e2e` prepares it"
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=["ECSEsgaroth"],
                   options=["--runtimes", str(RUNTIMES)]) as roadstead:
        yield roadstead


def packed(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def role(cloud):
    """A role that may write logs and describe one cluster, and nothing else."""
    iam = cloud.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName="runner", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="runner", PolicyName="p", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
            {"Effect": "Allow", "Action": "ecs:DescribeClusters",
             "Resource": f"arn:aws:ecs:{cloud.region}:{cloud.account}:cluster/ECSEsgaroth"}]}))
    return arn


def make(cloud, role, name, code, runtime="python3.11", handler="app.handler", **more):
    file = "app__py" if runtime.startswith("python") else "app__js"
    return cloud.client("lambda").create_function(
        FunctionName=name, Role=role, Runtime=runtime, Handler=handler, Code={"ZipFile": packed(**{file: code})}, **more)


def invoke(cloud, name, event=None, **more):
    answer = cloud.client("lambda").invoke(
        FunctionName=name, Payload=json.dumps(event), LogType="Tail", **more)
    tail = base64.b64decode(answer.get("LogResult", "")).decode()
    return answer.get("FunctionError"), json.loads(answer["Payload"].read()), tail


def lines(cloud, name):
    """What is in the function's log so far; the group comes with the first line."""
    logs = cloud.client("logs")
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        return [event["message"] for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def test_python_runs_as_its_role_and_reaches_the_cloud_it_is_in(cloud, role):
    make(cloud, role, "describe", """
import boto3, json, os
print("begins")
ecs = boto3.client("ecs")

def handler(event, context):
    print("asked for", event["cluster"])
    found = ecs.describe_clusters(clusters=[event["cluster"]])["clusters"]
    return {"instances": [c["registeredContainerInstancesCount"] for c in found], "name": context.function_name,
            "arn": context.invoked_function_arn, "group": context.log_group_name, "memory": context.memory_limit_in_mb,
            "left": context.get_remaining_time_in_millis(), "me": boto3.client("sts").get_caller_identity()["Arn"],
            "mine": os.environ["MINE"]}
""", MemorySize=256, Timeout=60, Environment={"Variables": {"MINE": "x"}})
    error, said, tail = invoke(cloud, "describe", {"cluster": "ECSEsgaroth"})
    assert error is None, said
    assert said["instances"] == [1] and said["name"] == "describe" and said["mine"] == "x"
    assert said["arn"] == f"arn:aws:lambda:{cloud.region}:{cloud.account}:function:describe"
    assert said["group"] == "/aws/lambda/describe" and said["memory"] == "256" and 0 < said["left"] <= 60_000
    assert said["me"] == f"arn:aws:sts::{cloud.account}:assumed-role/runner/describe"
    assert tail.startswith("START RequestId: ") and "asked for ECSEsgaroth\n" in tail and "REPORT RequestId: " in tail
    # What the role may not do is denied, and the denial names it.
    error, said, _ = invoke(cloud, "describe", {"cluster": "other"})
    assert error == "Unhandled" and said["errorType"] == "AccessDeniedException"
    assert "is not authorized to perform: ecs:DescribeClusters on resource" in said["errorMessage"]
    assert "assumed-role/runner/describe" in said["errorMessage"]
    logged = eventually(lambda: [l for l in [lines(cloud, "describe")] if sum("REPORT" in x for x in l) == 2], "two reports")[0]
    assert logged.index("begins") < next(i for i, line in enumerate(logged) if line.startswith("START RequestId"))
    assert sum(line.startswith("END RequestId") for line in logged) == 2


def test_calls_whose_host_would_get_a_prefix_arrive_too(cloud, role):
    make(cloud, role, "sync", """
import boto3

def handler(event, context):
    boto3.client("stepfunctions").start_sync_execution(stateMachineArn=event["machine"])
""", Timeout=60)
    machine = f"arn:aws:states:{cloud.region}:{cloud.account}:stateMachine:quick"
    error, said, _ = invoke(cloud, "sync", {"machine": machine})
    assert error == "Unhandled" and "(AccessDeniedException)" in said["errorMessage"], said
    assert f"is not authorized to perform: states:StartSyncExecution on resource: {machine}" in said["errorMessage"]


def test_a_runtime_that_was_prepared_otherwise_is_as_good_as_missing(cloud, tmp_path):
    def install():
        return cloud.command("runtime", "install", "--missing", "provided", "--runtimes", tmp_path).stdout

    assert "provided" in install() and install() == ""
    description = tmp_path / "provided/runtime.json"
    made = json.loads(description.read_text())
    description.write_text(json.dumps({**made, "mark": "another"}))
    (tmp_path / "provided/root/var/runtime/bootstrap").write_text("old")
    assert "provided" in install() and json.loads(description.read_text()) == made
    assert (tmp_path / "provided/root/var/runtime/bootstrap").read_text() != "old"


def test_the_command_line_invokes_too(cloud, role, tmp_path):
    make(cloud, role, "echo", "def handler(event, context):\n    return event\n")
    out = tmp_path / "out"
    said = cloud.aws("lambda", "invoke", "--function-name", "echo", "--payload", '{"a": [1, "é"]}', str(out))
    assert said == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert json.loads(out.read_text()) == {"a": [1, "é"]}


def test_javascript_runs_by_promises_and_callbacks(cloud, role):
    make(cloud, role, "js", """
exports.handler = async (event, context) => {
    console.log('asked', event.n);
    if (event.n === 0) { throw new RangeError('too small'); }
    return { n: event.n + 1, id: context.awsRequestId };
};
exports.old = (event, context, callback) => { setTimeout(() => callback(null, { old: event.n }), 10); };
""", runtime="nodejs18.x")
    error, said, tail = invoke(cloud, "js", {"n": 1})
    assert error is None and said["n"] == 2 and said["id"] in tail and "INFO\tasked 1" in tail
    error, said, _ = invoke(cloud, "js", {"n": 0})
    assert (error, said["errorType"], said["errorMessage"]) == ("Unhandled", "RangeError", "too small")
    make(cloud, role, "old", "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, event), 10); };",
         runtime="nodejs16.x")
    assert invoke(cloud, "old", {"n": 3})[:2] == (None, {"n": 3})


def test_javascript_ends_as_it_does_in_the_cloud(cloud, role):
    """Ends by callback and context are documented for Node up to 22; that what is returned is no answer, what answers when
    nothing does, and that the first counts, are the runtime interface client's own behaviour."""
    code = """
const ends = {
    returns: () => 5,
    succeeds: (context) => { setTimeout(() => context.succeed(1), 10); return 5; },
    is_done: (context) => { setTimeout(() => context.done(null, 2), 10); },
    fails: (context) => { setTimeout(() => context.fail(new RangeError('no')), 10); return 5; },
    fails_without_words: (context) => context.fail(),
    calls_first: (context, callback) => { callback(null, 1); context.succeed(2); throw new Error('late'); },
    waits: (context, callback) => { const said = { n: 1 }; setTimeout(() => { said.n = 2; }, 20); callback(null, said); },
    promises: (context, callback) => new Promise((resolve) => setTimeout(() => resolve(4), 10)),
    goes_on: (context, callback) => { context.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1000); callback(null, 3); },
};
exports.handler = (event, context, callback) => ends[event](context, callback);
exports.two = (event, context) => ends[event](context);
exports.never = async () => new Promise(() => {});
"""
    for function, handler in [("ends", "app.handler"), ("two", "app.two"), ("never", "app.never")]:
        make(cloud, role, function, code, runtime="nodejs18.x", handler=handler, Timeout=60)
    for function, event, expected in [
            ("two", "returns", None), ("two", "succeeds", 1), ("two", "is_done", 2),
            ("ends", "returns", None), ("ends", "succeeds", 1), ("ends", "is_done", 2), ("ends", "calls_first", 1),
            ("ends", "waits", {"n": 2}), ("ends", "promises", 4), ("ends", "goes_on", 3)]:
        error, said, _ = invoke(cloud, function, event)
        assert (error, said) == (None, expected), (function, event, said)
    for function, event, expected in [("two", "fails", ("RangeError", "no")), ("two", "fails_without_words", ("string", "handled"))]:
        error, said, _ = invoke(cloud, function, event)
        assert (error, said["errorType"], said["errorMessage"]) == ("Unhandled", *expected)
    error, said, _ = invoke(cloud, "never", {})
    assert (error, said["errorType"]) == ("Unhandled", "Runtime.NodeJsExit"), said
    # In one environment each, all of it.
    for function in ["two", "ends"]:
        streams = cloud.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{function}")["logStreams"]
        assert len(streams) == 1, function


def test_an_older_runtime_runs_on_a_newer_one_and_it_is_said(cloud, role):
    make(cloud, role, "older", "import sys\ndef handler(event, context):\n    return sys.version_info[:2]\n", runtime="python3.8")
    _, version, _ = invoke(cloud, "older")
    assert version > [3, 8]
    said = eventually(lambda: [l for l in lines(cloud, "older") if l.startswith("INIT_START")], "the beginning")[0]
    assert "python3.8 is not on this machine" in said


def test_what_goes_wrong_is_told_apart(cloud, role):
    cases = {
        "raises": ("def handler(e, c):\n    raise KeyError('k')\n", "KeyError", "'k'"),
        "exits": ("import os\ndef handler(e, c):\n    os._exit(3)\n", "Runtime.ExitError", "exit status 3"),
        "sleeps": ("import time\ndef handler(e, c):\n    time.sleep(60)\n", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
        "hoards": ("def handler(e, c):\n    x = bytearray(500_000_000)\n    x[::4096] = bytes(len(x[::4096]))\n", "Runtime.OutOfMemory", "signal: killed"),
        "broken": ("import nothing_of_the_kind\n", "Runtime.ImportModuleError", "No module named 'nothing_of_the_kind'"),
        "empty": ("x = 1\n", "Runtime.HandlerNotFound", "handler"),
    }
    for name, (code, kind, words) in cases.items():
        make(cloud, role, name, code, Timeout=1 if name == "sleeps" else 30)
        error, said, tail = invoke(cloud, name, {})
        assert error == "Unhandled" and said["errorType"] == kind and words in said["errorMessage"], (name, said)
        assert "END RequestId" in tail, name
        if name == "sleeps":
            # The answer and the log have the same in two forms.
            request = re.search("START RequestId: (\\S+)", tail)[1]
            assert said["errorMessage"] == f"RequestId: {request} Error: {words}", said
            assert re.search(rf"^\d{{4}}-\S+Z {request} {words}$", tail, re.MULTILINE), tail
    # It harms nobody else, and not the next invocation.
    assert invoke(cloud, "echo", 1)[:2] == (None, 1)
    assert invoke(cloud, "exits", {})[1]["errorType"] == "Runtime.ExitError"


def test_invocations_at_a_time_have_environments_of_their_own_and_are_used_again(cloud, role):
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/meeting")
    # Nobody ends before all are there: each leaves a mark, and waits for those of the others.
    make(cloud, role, "counts", """
import boto3, time
n = 0
def handler(others, context):
    global n
    n += 1
    if others:
        logs = boto3.client("logs")
        logs.create_log_stream(logGroupName="/meeting", logStreamName=context.aws_request_id)
        while len(logs.describe_log_streams(logGroupName="/meeting")["logStreams"]) < others:
            time.sleep(0.1)
    return n
""", Timeout=150, MemorySize=256)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda _: invoke(cloud, "counts", 3)[1], range(3)))
    assert together == [1, 1, 1]
    assert invoke(cloud, "counts", 0)[1] == 2


def test_functions_last_and_run_again_after_a_crash(cloud, role):
    make(cloud, role, "lasts", "def handler(e, c):\n    return 'here'\n")
    assert invoke(cloud, "lasts")[1] == "here"
    cloud.kill()
    cloud.up()
    assert invoke(cloud, "lasts")[1] == "here"


def test_metrics_say_how_it_went(cloud, role):
    make(cloud, role, "measured", "def handler(e, c):\n    return 1 / e\n")
    invoke(cloud, "measured", 1)
    invoke(cloud, "measured", 0)
    metrics = cloud.client("cloudwatch")
    now = time.time()

    def total(name):
        found = metrics.get_metric_statistics(
            Namespace="AWS/Lambda", MetricName=name, Dimensions=[{"Name": "FunctionName", "Value": "measured"}],
            StartTime=now - 1200, EndTime=now + 1200, Period=60, Statistics=["Sum", "SampleCount"])
        return sum(point["Sum"] for point in found["Datapoints"])

    eventually(lambda: total("Invocations") == 2 and total("Errors") == 1 and total("Duration") > 0, "the metrics", patience=300)


def allow(cloud, name, service, source):
    cloud.client("lambda").add_permission(FunctionName=name, StatementId=service.split(".")[0], Action="lambda:InvokeFunction",
                                          Principal=service, SourceArn=source)


def test_rules_alarms_and_log_lines_reach_functions(cloud, role):
    arn = make(cloud, role, "hears", "import json\ndef handler(event, context):\n    print('heard', json.dumps(event))\n")["FunctionArn"]

    def heard(word):
        return [line for line in lines(cloud, "hears") if line.startswith("heard") and word in line]

    events = cloud.client("events")
    rule = events.put_rule(Name="tell", EventPattern=json.dumps({"source": ["shop"]}))["RuleArn"]
    assert events.put_targets(Rule="tell", Targets=[{"Id": "f", "Arn": arn}])["FailedEntryCount"] == 0
    allow(cloud, "hears", "events.amazonaws.com", rule)
    events.put_events(Entries=[{"Source": "shop", "DetailType": "Order", "Detail": json.dumps({"number": 7})}])
    said = json.loads(eventually(lambda: heard('"Order"'), "the event")[0].removeprefix("heard "))
    assert said["detail"] == {"number": 7} and said["source"] == "shop"

    metrics = cloud.client("cloudwatch")
    alarm = f"arn:aws:cloudwatch:{cloud.region}:{cloud.account}:alarm:loud"
    allow(cloud, "hears", "lambda.alarms.cloudwatch.amazonaws.com", alarm)
    metrics.put_metric_alarm(AlarmName="loud", Namespace="N", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
                             Threshold=1, ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn])
    metrics.set_alarm_state(AlarmName="loud", StateValue="ALARM", StateReason="tried")
    said = json.loads(eventually(lambda: heard("alarmData"), "the alarm")[0].removeprefix("heard "))
    assert said["alarmData"]["alarmName"] == "loud" and said["alarmData"]["state"]["value"] == "ALARM"

    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/shop")
    logs.create_log_stream(logGroupName="/shop", logStreamName="s")
    with pytest.raises(cloud.client("logs").exceptions.InvalidParameterException):
        logs.put_subscription_filter(logGroupName="/shop", filterName="f", filterPattern="ERROR", destinationArn=arn)
    allow(cloud, "hears", "logs.amazonaws.com", f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:/shop:*")
    logs.put_subscription_filter(logGroupName="/shop", filterName="f", filterPattern="ERROR", destinationArn=arn)
    now = int(time.time() * 1000)
    logs.put_log_events(logGroupName="/shop", logStreamName="s", logEvents=[
        {"timestamp": now, "message": "ERROR one"}, {"timestamp": now, "message": "fine"}])

    def sent():
        for line in heard("awslogs"):
            data = json.loads(gzip.decompress(base64.b64decode(json.loads(line.removeprefix("heard "))["awslogs"]["data"])))
            if data["messageType"] == "DATA_MESSAGE":
                return data
    data = eventually(sent, "the lines")
    assert (data["logGroup"], data["subscriptionFilters"]) == ("/shop", ["f"])
    assert [event["message"] for event in data["logEvents"]] == ["ERROR one"]
