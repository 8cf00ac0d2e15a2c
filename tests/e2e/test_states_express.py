"""Express state machines as boto3 uses them: what is counted of executions, and those that nobody waits for."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from roadstead import Roadstead, eventually


@pytest.fixture
def cloud(tmp_path):
    with Roadstead(tmp_path, clusters=("default",)) as roadstead:
        yield roadstead


@pytest.fixture
def role(cloud):
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ["states.amazonaws.com", "events.amazonaws.com"]}}]}
    allowed = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["ecs:ListClusters", "sqs:SendMessage", "sqs:GetQueueUrl", "states:StartExecution"], "Resource": "*"}]}
    iam = cloud.client("iam")
    arn = iam.create_role(RoleName="machines", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="machines", PolicyName="p", PolicyDocument=json.dumps(allowed))
    return arn


def machine(cloud, role, name, states, kind="EXPRESS", **more):
    definition = {"StartAt": next(iter(states)), "States": states}
    return cloud.client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=role, type=kind, **more)["stateMachineArn"]


def counted(cloud, metric, statistic="Sum", **dimensions):
    now = time.time()
    points = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/States", MetricName=metric, StartTime=now - 600, EndTime=now + 600, Period=1200, Statistics=[statistic],
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()])["Datapoints"]
    return sum(point[statistic] for point in points)


def test_executions_and_their_calls_are_counted(cloud, role):
    states = cloud.client("stepfunctions", inject_host_prefix=False)
    resource = "arn:aws:states:::aws-sdk:ecs:listClusters"
    task = {"Type": "Task", "Resource": resource, "Parameters": {}, "End": True}
    express = machine(cloud, role, "express", {"T": task})
    standard = machine(cloud, role, "standard", {"F": {"Type": "Fail"}}, kind="STANDARD")
    assert states.start_sync_execution(stateMachineArn=express)["status"] == "SUCCEEDED"
    execution = states.start_execution(stateMachineArn=standard)["executionArn"]
    eventually(lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING", "the end of the execution")
    # What waits for its minute to be over is handed over at an orderly stop.
    cloud.down(purge=False)
    cloud.up()
    assert counted(cloud, "ExecutionsStarted") == 2
    assert counted(cloud, "ExecutionsStarted", "SampleCount") == 4, "two samples of each execution, as documented"
    assert counted(cloud, "ExecutionsSucceeded", StateMachineArn=express) == 1
    assert counted(cloud, "ExecutionsFailed", StateMachineArn=standard) == 1
    assert counted(cloud, "ExpressExecutionBilledMemory", StateMachineArn=express) == 64
    assert counted(cloud, "ExpressExecutionBilledDuration", StateMachineArn=express) >= 100
    assert counted(cloud, "ServiceIntegrationsSucceeded", ServiceIntegrationResourceArn=resource) == 1
    assert counted(cloud, "ExecutionThrottled", "SampleCount") == 0, "nothing throttles here"


def received(cloud, url, count):
    """The bodies of so many messages, each taken away."""
    sqs, bodies = cloud.client("sqs"), []

    def enough():
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            bodies.append(message["Body"])
        return len(bodies) >= count
    eventually(enough, f"{count} messages, of which {bodies} came")
    return sorted(bodies)


def sends(url, body, **more):
    return {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "ResultPath": None,
            "Parameters": {"QueueUrl": url, "MessageBody.$": body}, **more}


def all_ended(states, arn):
    """Deletes a machine and waits until it is gone, which it is once all its executions have ended."""
    states.delete_state_machine(stateMachineArn=arn)
    left = lambda: [machine["stateMachineArn"] for machine in states.list_state_machines()["stateMachines"]]
    eventually(lambda: arn not in left(), "the end of all executions")


def test_executions_that_nobody_waits_for_survive_a_kill(cloud, role):
    url = cloud.client("sqs").create_queue(QueueName="told")["QueueUrl"]
    states = cloud.client("stepfunctions")
    # It goes on once there is the queue that its input names.
    again = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 1000}]
    tells = lambda name: machine(cloud, role, name, {
        "Begin": sends(url, "States.Format('begun {}', $.n)", Next="Wait"),
        "Wait": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl", "ResultPath": None, "Retry": again,
                 "Parameters": {"QueueName.$": "$.queue"}, "Next": "End"},
        "End": sends(url, "States.Format('ended {}', $.n)", End=True)})
    start = lambda arn, n, queue: states.start_execution(
        stateMachineArn=arn, name="same", input=json.dumps({"n": n, "queue": queue}))
    long = tells("long")
    first, second = start(long, 1, "told"), start(long, 1, "told")
    assert ":express:long:same:" in first["executionArn"] and first["executionArn"] != second["executionArn"]
    assert received(cloud, url, 4) == ["begun 1", "begun 1", "ended 1", "ended 1"]
    for operation in (states.describe_execution, states.get_execution_history, states.stop_execution):
        with pytest.raises(ClientError) as refused:
            operation(executionArn=first["executionArn"])
        assert refused.value.response["Error"] == {
            "Code": "InvalidArn", "Message": "Invalid Arn: 'Resource type not valid in this context: express'"}
    # What is told is told before the execution has ended, and one that has not ended runs again.
    all_ended(states, long)
    killed = tells("killed")
    start(killed, 2, "go-on")
    assert received(cloud, url, 1) == ["begun 2"]
    cloud.kill()
    cloud.up()
    cloud.client("sqs").create_queue(QueueName="go-on")
    assert received(cloud, url, 2) == ["begun 2", "ended 2"], "from its beginning, and to its end"
    all_ended(states, killed)
    cloud.kill()
    cloud.up()
    start(tells("last"), 3, "told")
    assert received(cloud, url, 2) == ["begun 3", "ended 3"], "what ended does not run again"


def test_rules_and_standard_machines_start_them(cloud, role):
    url = cloud.client("sqs").create_queue(QueueName="told")["QueueUrl"]
    states, events = cloud.client("stepfunctions"), cloud.client("events")
    made = states.create_state_machine(name="quick", roleArn=role, type="EXPRESS", publish=True, definition=json.dumps(
        {"StartAt": "S", "States": {"S": sends(url, "$.word", End=True)}}))
    alias = states.create_state_machine_alias(name="PROD", routingConfiguration=[
        {"stateMachineVersionArn": made["stateMachineVersionArn"], "weight": 100}])["stateMachineAliasArn"]
    start = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "End": True,
             "Parameters": {"StateMachineArn": alias, "Input": {"word": "nested"}}}
    standard = machine(cloud, role, "standard", {"S": start}, kind="STANDARD")
    states.start_execution(stateMachineArn=standard)
    assert received(cloud, url, 1) == ["nested"]
    events.put_rule(Name="start", EventPattern='{"source": ["shop"]}')
    events.put_targets(Rule="start", Targets=[{"Id": "1", "Arn": made["stateMachineArn"], "RoleArn": role, "InputPath": "$.detail"}])
    events.put_events(Entries=[{"Source": "shop", "DetailType": "Order", "Detail": '{"word": "ruled"}'}])
    assert received(cloud, url, 1) == ["ruled"]
