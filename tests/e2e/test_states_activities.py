"""Workers with boto3 and the aws CLI: long polls, tokens, heartbeats, a crash, policies."""

import concurrent.futures
import json
import pathlib

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from roadstead import Roadstead, eventually

TRUST = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"}}]}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=("default",)) as roadstead:
        yield roadstead


@pytest.fixture(scope="module")
def role(cloud):
    return cloud.client("iam").create_role(RoleName="machines", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]


def works(cloud, role, name, **more):
    """An activity, and a machine of that name whose only task it does."""
    states = cloud.client("stepfunctions")
    activity = states.create_activity(name=name)["activityArn"]
    task = {"Type": "Task", "Resource": activity, "End": True, **more}
    definition = {"StartAt": "T", "States": {"T": task}}
    return activity, states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)["stateMachineArn"]


def start(cloud, machine, name, value):
    states = cloud.client("stepfunctions")
    return states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(value))["executionArn"]


def poll(cloud, activity, **config):
    """As the reference has it: a client waits longer than the service, and on a busy machine much longer."""
    return cloud.client("stepfunctions", **config).get_activity_task(activityArn=activity, workerName="w")


def connections(cloud):
    """Those that the service has with clients, also with some that have gone."""
    port, there = f"{int(cloud.listen.split(':')[1]):04X}", {"01", "08"}
    lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {words[2] for words in lines if words[1].endswith(f":{port}") and words[3] in there}


def events(cloud, execution):
    told = cloud.client("stepfunctions").get_execution_history(executionArn=execution)["events"]
    return {event["type"]: next((value for name, value in event.items() if name.endswith("Details")), None) for event in told}


def ended(cloud, arn):
    def some():
        shown = cloud.client("stepfunctions").describe_execution(executionArn=arn)
        return shown if shown["status"] != "RUNNING" else None
    return eventually(some, "the end of the execution")


def test_a_worker_waits_for_a_task_and_answers_it(cloud, role):
    activity, machine = works(cloud, role, "double", TimeoutSeconds=300, HeartbeatSeconds=200)
    states = cloud.client("stepfunctions")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        worker = pool.submit(poll, cloud, activity)
        execution = start(cloud, machine, "x", {"n": 21})
    found = worker.result()
    assert json.loads(found["input"]) == {"n": 21}
    states.send_task_heartbeat(taskToken=found["taskToken"])
    cloud.aws("stepfunctions", "send-task-success", "--task-token", found["taskToken"], "--task-output", "42")
    shown = ended(cloud, execution)
    assert (shown["status"], shown["output"]) == ("SUCCEEDED", "42"), shown
    told = events(cloud, execution)
    assert told["ActivityScheduled"]["resource"] == activity and told["ActivityScheduled"]["heartbeatInSeconds"] == 200
    assert told["ActivityStarted"] == {"workerName": "w"} and told["ActivitySucceeded"]["output"] == "42"
    again = start(cloud, machine, "y", {})
    task = cloud.aws("stepfunctions", "get-activity-task", "--activity-arn", activity)
    states.send_task_failure(taskToken=task["taskToken"], error="Odd", cause="as it is")
    shown = ended(cloud, again)
    assert (shown["status"], shown["error"], shown["cause"]) == ("FAILED", "Odd", "as it is")
    assert events(cloud, again)["ActivityFailed"] == {"error": "Odd", "cause": "as it is"}


def test_a_poll_whose_client_went_away_takes_no_task(cloud, role):
    activity, machine = works(cloud, role, "left")
    before = connections(cloud)
    with pytest.raises(ReadTimeoutError):
        poll(cloud, activity, read_timeout=1)
    eventually(lambda: connections(cloud) <= before, "the service knows that it went")
    execution = start(cloud, machine, "x", {})
    task = poll(cloud, activity)
    cloud.client("stepfunctions").send_task_success(taskToken=task["taskToken"], output="1")
    assert ended(cloud, execution)["status"] == "SUCCEEDED"


def test_a_poll_ends_without_a_token_after_a_minute(cloud):
    activity = cloud.client("stepfunctions").create_activity(name="idle")["activityArn"]
    assert poll(cloud, activity).get("taskToken") is None


def test_tasks_outlive_a_crash_and_are_handed_out_once(cloud, role):
    activity, machine = works(cloud, role, "crash", TimeoutSeconds=3600)
    handed = start(cloud, machine, "handed", 1)
    first = poll(cloud, activity)
    waiting = start(cloud, machine, "waiting", 2)
    eventually(lambda: "ActivityScheduled" in events(cloud, waiting), "the other task")
    cloud.kill()
    cloud.up()
    second = poll(cloud, activity)
    assert [json.loads(task["input"]) for task in (first, second)] == [1, 2]
    assert "ActivityStarted" in events(cloud, handed)
    states = cloud.client("stepfunctions")
    for task, execution in ((second, waiting), (first, handed)):
        states.send_task_success(taskToken=task["taskToken"], output=task["input"])
        assert ended(cloud, execution)["output"] == task["input"]
        with pytest.raises(ClientError) as refused:
            states.send_task_heartbeat(taskToken=task["taskToken"])
        assert refused.value.response["Error"]["Code"] == "TaskTimedOut"


def test_workers_poll_the_activities_that_their_policies_name(cloud):
    iam, states = cloud.client("iam"), cloud.client("stepfunctions")
    allowed, other = (states.create_activity(name=name)["activityArn"] for name in ("allowed", "other"))
    states.tag_resource(resourceArn=other, tags=[{"key": "team", "value": "red"}])
    iam.create_user(UserName="worker")
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["states:GetActivityTask", "states:DescribeActivity", "states:CreateActivity"], "Resource": allowed},
        {"Effect": "Allow", "Action": "states:DescribeActivity", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}}}]}
    iam.put_user_policy(UserName="worker", PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="worker")["AccessKey"]
    worker = boto3.client("stepfunctions", endpoint_url=cloud.url, region_name=cloud.region,
                          aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    assert worker.describe_activity(activityArn=allowed)["name"] == "allowed"
    assert worker.describe_activity(activityArn=other)["name"] == "other", "by its tag"
    assert worker.create_activity(name="allowed")["activityArn"] == allowed
    for call in (lambda: worker.get_activity_task(activityArn=other), lambda: worker.delete_activity(activityArn=allowed),
                 lambda: worker.list_activities(), lambda: worker.create_activity(name="allowed", tags=[{"key": "a", "value": "b"}])):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert {one["name"] for one in states.list_activities()["activities"]} >= {"allowed", "other"}
    states.delete_activity(activityArn=allowed)
    with pytest.raises(ClientError) as refused:
        worker.get_activity_task(activityArn=allowed)
    assert refused.value.response["Error"]["Code"] == "ActivityDoesNotExist"
