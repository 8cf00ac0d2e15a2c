"""Versions and aliases of state machines as boto3 and the aws CLI use them, and who may use which."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from roadstead import Roadstead, eventually

TRUST = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"}}]}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=("default",)) as roadstead:
        yield roadstead


@pytest.fixture(scope="module")
def role(cloud):
    return cloud.client("iam").create_role(
        RoleName="machines", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]


def giving(result):
    return json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": result, "End": True}}})


def ended(states, arn):
    def some():
        shown = states.describe_execution(executionArn=arn)
        return shown if shown["status"] != "RUNNING" else None
    return eventually(some, "the end of the execution")


def test_executions_follow_an_alias_from_one_version_to_the_next(cloud, role):
    states = cloud.client("stepfunctions")
    made = states.create_state_machine(name="shop", definition=giving("old"), roleArn=role, publish=True, versionDescription="first")
    machine, first = made["stateMachineArn"], made["stateMachineVersionArn"]
    assert first == machine + ":1"
    route = lambda version, weight=100: {"stateMachineVersionArn": version, "weight": weight}
    alias = states.create_state_machine_alias(name="PROD", routingConfiguration=[route(first)])["stateMachineAliasArn"]
    second = states.update_state_machine(stateMachineArn=machine, definition=giving("new"), publish=True)["stateMachineVersionArn"]
    before = ended(states, states.start_execution(stateMachineArn=alias)["executionArn"])
    assert (json.loads(before["output"]), before["stateMachineVersionArn"], before["stateMachineAliasArn"]) == ("old", first, alias)
    states.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=[route(first, 0), route(second)])
    cloud.kill()
    cloud.up()
    states = cloud.client("stepfunctions")
    after = ended(states, states.start_execution(stateMachineArn=alias)["executionArn"])
    assert (json.loads(after["output"]), after["stateMachineVersionArn"]) == ("new", second)
    assert json.loads(ended(states, states.start_execution(stateMachineArn=first)["executionArn"])["output"]) == "old"
    assert len(states.list_executions(stateMachineArn=alias)["executions"]) == 2
    assert len(states.list_executions(stateMachineArn=first)["executions"]) == 2
    shown = cloud.aws("stepfunctions", "describe-state-machine-for-execution", "--execution-arn", before["executionArn"])
    assert shown["definition"] == giving("old")
    listed = cloud.aws("stepfunctions", "list-state-machine-versions", "--state-machine-arn", machine)["stateMachineVersions"]
    assert [version["stateMachineVersionArn"] for version in listed] == [second, first]
    with pytest.raises(ClientError) as refused:
        states.delete_state_machine_version(stateMachineVersionArn=second)
    assert refused.value.response["Error"]["Code"] == "ConflictException" and "[PROD]" in str(refused.value)
    cloud.aws("stepfunctions", "delete-state-machine-alias", "--state-machine-alias-arn", alias)
    states.delete_state_machine_version(stateMachineVersionArn=second)
    with pytest.raises(ClientError) as refused:
        states.start_execution(stateMachineArn=second)
    assert refused.value.response["Error"]["Code"] == "StateMachineDoesNotExist"


def test_a_policy_names_the_machine_and_says_which_qualifiers(cloud, role):
    root, iam = cloud.client("stepfunctions"), cloud.client("iam")
    made = root.create_state_machine(name="guarded", definition=giving(1), roleArn=role, publish=True)
    machine, version = made["stateMachineArn"], made["stateMachineVersionArn"]
    for name in ("PROD", "TEST"):
        root.create_state_machine_alias(name=name, routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}])
    iam.create_user(UserName="tester")
    iam.put_user_policy(UserName="tester", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["states:StartExecution", "states:UpdateStateMachine"], "Resource": machine},
        {"Effect": "Deny", "Action": "states:StartExecution", "Resource": machine,
         "Condition": {"ForAnyValue:StringEquals": {"states:StateMachineQualifier": ["PROD", "1"]}}}]}))
    key = iam.create_access_key(UserName="tester")["AccessKey"]
    tester = boto3.client("stepfunctions", endpoint_url=cloud.url, region_name=cloud.region,
                          aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    for allowed in (machine, machine + ":TEST"):
        tester.start_execution(stateMachineArn=allowed)
    for denied in (machine + ":PROD", version):
        with pytest.raises(ClientError) as refused:
            tester.start_execution(stateMachineArn=denied)
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    tester.update_state_machine(stateMachineArn=machine, definition=giving(2))
    with pytest.raises(ClientError) as refused:
        tester.update_state_machine(stateMachineArn=machine, definition=giving(3), publish=True)
    assert "states:PublishStateMachineVersion" in str(refused.value)
