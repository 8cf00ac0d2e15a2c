"""Express state machines as boto3 uses them: what is counted of their executions."""

import json
import time

import pytest

from roadstead import Roadstead


@pytest.fixture
def cloud(tmp_path):
    with Roadstead(tmp_path, clusters=("default",)) as roadstead:
        yield roadstead


@pytest.fixture
def role(cloud):
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ["states.amazonaws.com", "events.amazonaws.com"]}}]}
    allowed = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["ecs:ListClusters", "sqs:SendMessage", "states:StartExecution"], "Resource": "*"}]}
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
    while states.describe_execution(executionArn=execution)["status"] == "RUNNING":
        time.sleep(0.05)
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
