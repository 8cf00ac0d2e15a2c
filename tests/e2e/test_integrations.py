"""What tasks of state machines wait for, as boto3 and the aws CLI use it: tokens, messages, events."""

import json

import pytest
from botocore.exceptions import ClientError

from roadstead import eventually

ALLOWED = ["sqs:SendMessage", "sns:Publish", "events:PutEvents", "ecs:RunTask", "ecs:StopTask", "ecs:DescribeTasks",
           "states:StartExecution", "states:DescribeExecution", "states:StopExecution"]


@pytest.fixture(scope="module")
def role(cloud):
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"}}]}
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ALLOWED, "Resource": "*"}]}
    iam = cloud.client("iam")
    arn = iam.create_role(RoleName="machines", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="machines", PolicyName="p", PolicyDocument=json.dumps(policy))
    return arn


@pytest.fixture(scope="module")
def queue(cloud):
    return cloud.client("sqs").create_queue(QueueName="tokens")["QueueUrl"]


def started(cloud, role, name, states, given=None):
    """An execution of a machine of these states, which follow each other."""
    api = cloud.client("stepfunctions")
    names = list(states)
    for state, following in zip(names, names[1:] + [None]):
        states[state] |= {"Next": following} if following else {"End": True}
    machine = api.create_state_machine(
        name=name, roleArn=role, definition=json.dumps({"StartAt": names[0], "States": states}))["stateMachineArn"]
    return api.start_execution(stateMachineArn=machine, input=json.dumps(given or {}))["executionArn"]


def ended(cloud, arn):
    def some():
        shown = cloud.client("stepfunctions").describe_execution(executionArn=arn)
        return shown if shown["status"] != "RUNNING" else None
    return eventually(some, "the end of the execution")


def events(cloud, arn):
    return cloud.client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1000)["events"]


def received(cloud, queue):
    def some():
        messages = cloud.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        for message in messages:
            cloud.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(messages[0]["Body"]) if messages else None
    return eventually(some, "a message")


def code(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def test_a_token_that_went_by_a_queue_is_given_back_after_a_crash(cloud, role, queue):
    execution = started(cloud, role, "asking", {"Ask": {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "HeartbeatSeconds": 600,
        "Parameters": {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token", "question.$": "$.question"}}}},
        {"question": "Now?"})
    message = received(cloud, queue)
    assert message["question"] == "Now?"
    eventually(lambda: "TaskSubmitted" in str(events(cloud, execution)), "the message to be told of")
    cloud.kill()
    cloud.up()
    api, token = cloud.client("stepfunctions"), message["token"]
    api.send_task_heartbeat(taskToken=token)
    assert code(api.send_task_success, taskToken=token, output="{") == "InvalidOutput"
    assert code(api.send_task_success, taskToken="nonsense", output="{}") == "InvalidToken"
    cloud.aws("stepfunctions", "send-task-success", "--task-token", token, "--task-output", '{"answer": "Yes"}')
    shown = ended(cloud, execution)
    assert (shown["status"], json.loads(shown["output"])) == ("SUCCEEDED", {"answer": "Yes"})
    assert code(api.send_task_failure, taskToken=token) == "TaskTimedOut"
    told = [event["type"] for event in events(cloud, execution)]
    assert told == ["ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded",
                    "TaskStateExited", "ExecutionSucceeded"]
    empty = cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
    assert empty["Attributes"]["ApproximateNumberOfMessages"] == "0", "the message was sent once"


def test_who_does_not_answer_is_not_waited_for(cloud, role, queue):
    execution = started(cloud, role, "silent", {"Ask": {
        "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken", "HeartbeatSeconds": 1,
        "Parameters": {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"}}})
    shown = ended(cloud, execution)
    assert (shown["status"], shown["error"]) == ("FAILED", "States.HeartbeatTimeout")
    assert events(cloud, execution)[-2]["taskTimedOutEventDetails"]["resource"] == "sendMessage.waitForTaskToken"


def test_messages_and_events_go_out_as_json(cloud, role):
    sqs, sns, rules = (cloud.client(name) for name in ("sqs", "sns", "events"))
    queue = sqs.create_queue(QueueName="out")["QueueUrl"]
    arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:out"
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}]})})
    topic = sns.create_topic(Name="out")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    rules.put_rule(Name="out", EventPattern='{"source": ["shop"]}')
    rules.put_targets(Rule="out", Targets=[{"Id": "q", "Arn": arn}])
    execution = started(cloud, role, "sending", {
        "Queue": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "ResultPath": "$.queue",
                  "Parameters": {"QueueUrl": queue, "MessageBody": {"by": "queue"}}},
        "Topic": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "ResultPath": "$.topic",
                  "Parameters": {"TopicArn": topic, "Message": {"by": "topic"}}},
        "Bus": {"Type": "Task", "Resource": "arn:aws:states:::events:putEvents", "ResultPath": "$.bus", "Parameters": {
            "Entries": [{"Source": "shop", "DetailType": "Order", "Detail": {"by": "bus"}}]}}})
    shown = ended(cloud, execution)
    assert shown["status"] == "SUCCEEDED", shown
    output = json.loads(shown["output"])
    assert output["queue"]["MessageId"] and output["topic"]["MessageId"] and output["bus"]["FailedEntryCount"] == 0
    messages = {}
    while len(messages) < 3:
        message = received(cloud, queue)
        messages[message.get("by") or message["detail"]["by"]] = message
    assert messages["bus"]["resources"] == [execution, shown["stateMachineArn"]]


def run(cloud, family, command):
    cloud.define(family, {"name": "app", "image": "busybox", "command": ["sh", "-c", command]})
    return {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": {
        "Cluster": "default", "LaunchType": "EC2", "TaskDefinition": family,
        "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": [cloud.subnet()]}}}}


def tasks(cloud, family):
    found = [arn for status in ("RUNNING", "STOPPED")
             for arn in cloud.ecs.list_tasks(cluster="default", family=family, desiredStatus=status)["taskArns"]]
    return found


def test_a_container_is_waited_for_across_a_crash_and_its_exit_code_decides(cloud, role):
    good = started(cloud, role, "good", {"Run": run(cloud, "good", "sleep 5; exit 0")})
    eventually(lambda: {event["type"] for event in events(cloud, good)} & {"TaskSubmitted", "ExecutionFailed"}, "the task to be started")
    assert "ExecutionFailed" not in str(events(cloud, good)), events(cloud, good)[-2:]
    cloud.kill()
    cloud.up()
    shown = ended(cloud, good)
    assert shown["status"] == "SUCCEEDED", shown
    output = json.loads(shown["output"])
    assert output["LastStatus"] == "STOPPED" and output["Containers"][0]["ExitCode"] == 0 and output["StoppedAt"] > 10**12
    assert tasks(cloud, "good") == [output["TaskArn"]], "it was started once"
    shown = ended(cloud, started(cloud, role, "bad", {"Run": run(cloud, "bad", "exit 3")}))
    assert (shown["status"], shown["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(shown["cause"])["Containers"][0]["ExitCode"] == 3


def test_stopping_an_execution_stops_what_is_nested_down_to_its_container(cloud, role):
    inner = started(cloud, role, "inner", {"Run": run(cloud, "long", "sleep 1000")})
    api = cloud.client("stepfunctions")
    machine = api.describe_execution(executionArn=inner)["stateMachineArn"]
    api.stop_execution(executionArn=inner)
    outer = started(cloud, role, "outer", {"Nest": {
        "Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "Parameters": {
            "StateMachineArn": machine, "Input": {"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$": "$$.Execution.Id"}}}})
    child = eventually(lambda: api.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"], "the inner execution")[0]
    assert outer in api.describe_execution(executionArn=child["executionArn"])["input"]
    arn = eventually(lambda: cloud.ecs.list_tasks(cluster="default", family="long", desiredStatus="RUNNING")["taskArns"], "the container")[0]
    api.stop_execution(executionArn=outer)
    assert ended(cloud, child["executionArn"])["status"] == "ABORTED"
    cloud.until(arn, "STOPPED")
    eventually(lambda: not cloud.ecs.list_tasks(cluster="default", family="long", desiredStatus="RUNNING")["taskArns"], "the end of all")
