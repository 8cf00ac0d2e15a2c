"""Executions in a log group, as boto3 and the aws CLI ask for it: levels, data, the role's rights, a group that goes."""

import json
import re

import pytest
from botocore.exceptions import ClientError

from roadstead import Roadstead, eventually

FAIL = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Next": "F"}, "F": {"Type": "Fail", "Error": "E", "Cause": "C"}}}
RIGHTS = ["logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
          "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=("default",)) as roadstead:
        yield roadstead


def role(cloud, name, *actions):
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"}}]}
    iam = cloud.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if actions:
        allow(cloud, name, actions)
    return arn


def allow(cloud, name, actions):
    cloud.client("iam").put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}))


def group(cloud, name):
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=name)
    return logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]["arn"]


def logging(arn, level="ALL", data=True):
    return {"level": level, "includeExecutionData": data, "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}]}


def lines(cloud, name, execution, count):
    """The events of an execution as they were logged, once there are so many, with the stream of each."""
    def enough():
        found = cloud.client("logs").filter_log_events(logGroupName=name, filterPattern=f'{{ $.execution_arn = "{execution}" }}')["events"]
        return found if len(found) >= count else None
    return [(event["logStreamName"], json.loads(event["message"])) for event in eventually(enough, f"{count} lines")]


def ended(cloud, arn):
    states = cloud.client("stepfunctions")
    eventually(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING", "the end of the execution")


def test_a_role_needs_the_right_to_deliver_logs(cloud):
    states, arn = cloud.client("stepfunctions"), role(cloud, "poor")
    make = dict(name="poor", definition=json.dumps(FAIL), roleArn=arn, loggingConfiguration=logging(group(cloud, "/poor")))
    with pytest.raises(ClientError) as refused:
        states.create_state_machine(**make)
    assert refused.value.response["Error"] == {
        "Code": "AccessDeniedException", "Message": "The state machine IAM Role is not authorized to access the Log Destination"}
    allow(cloud, "poor", RIGHTS)
    machine = states.create_state_machine(**make)["stateMachineArn"]
    other = role(cloud, "other")
    with pytest.raises(ClientError) as refused:
        states.update_state_machine(stateMachineArn=machine, roleArn=other)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException", "the new role has to deliver too"
    with pytest.raises(ClientError) as refused:
        states.update_state_machine(stateMachineArn=machine, loggingConfiguration=logging(make["loggingConfiguration"]["destinations"][0]
            ["cloudWatchLogsLogGroup"]["logGroupArn"].replace("/poor", "/nowhere")))
    assert refused.value.response["Error"]["Code"] == "InvalidLoggingConfiguration"


def test_executions_are_in_the_log_group(cloud, tmp_path):
    arn, able = group(cloud, "/aws/vendedlogs/states/all"), role(cloud, "able", *RIGHTS)
    path = tmp_path / "logging.json"
    path.write_text(json.dumps(logging(arn)))
    definition = tmp_path / "definition.json"
    definition.write_text(json.dumps(FAIL))
    machine = cloud.aws("stepfunctions", "create-state-machine", "--name", "told", "--role-arn", able, "--definition", f"file://{definition}",
                        "--logging-configuration", f"file://{path}")["stateMachineArn"]
    states = cloud.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine, input='{"a": 1}')["executionArn"]
    ended(cloud, execution)
    found = lines(cloud, "/aws/vendedlogs/states/all", execution, 5)
    history = states.get_execution_history(executionArn=execution)["events"]
    assert [(int(line["id"]), line["type"], int(line["previous_event_id"])) for _, line in found] == [
        (event["id"], event["type"], event["previousEventId"]) for event in history]
    assert found[0][1]["details"] == {"input": '{"a":1}', "inputDetails": {"truncated": False}, "roleArn": able}
    assert re.fullmatch(r"states/told/\d{4}-\d\d-\d\d-\d\d-\d\d/[0-9a-f]{8}", found[0][0])
    states.update_state_machine(stateMachineArn=machine, loggingConfiguration=logging(arn, "FATAL", False))
    execution = states.start_execution(stateMachineArn=machine, input='{"secret": 1}')["executionArn"]
    ended(cloud, execution)
    (_, line), = lines(cloud, "/aws/vendedlogs/states/all", execution, 1)
    assert (line["type"], line["details"]) == ("ExecutionFailed", {"error": "E", "cause": "C"})
    assert not cloud.client("logs").filter_log_events(logGroupName="/aws/vendedlogs/states/all", filterPattern="secret")["events"]


def test_express_executions_are_logged_over_restarts_and_without_their_group(cloud):
    arn, able = group(cloud, "/express"), role(cloud, "express", *RIGHTS)
    states = cloud.client("stepfunctions", inject_host_prefix=False)
    machine = states.create_state_machine(
        name="quick", definition=json.dumps(FAIL), roleArn=able, type="EXPRESS", loggingConfiguration=logging(arn, "ERROR"))["stateMachineArn"]
    first = states.start_sync_execution(stateMachineArn=machine)["executionArn"]
    # An orderly stop writes what waits.
    cloud.down(purge=False)
    cloud.up()
    states = cloud.client("stepfunctions", inject_host_prefix=False)
    second = states.start_sync_execution(stateMachineArn=machine)["executionArn"]
    streams = []
    for execution in (first, second):
        found = lines(cloud, "/express", execution, 2)
        assert [line["type"] for _, line in found] == ["FailStateEntered", "ExecutionFailed"]
        streams.append(found[0][0])
    assert streams[0] != streams[1], "a new stream after a start"
    cloud.client("logs").delete_log_group(logGroupName="/express")
    assert states.start_sync_execution(stateMachineArn=machine)["status"] == "FAILED"
    group(cloud, "/express")
    third = states.start_sync_execution(stateMachineArn=machine)["executionArn"]
    assert len(lines(cloud, "/express", third, 2)) == 2, "as soon as there is a group again"
