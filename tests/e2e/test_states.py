"""State machines as boto3 and the aws CLI use them: definitions, executions, calls as the role, rules, a crash."""

import json

import pytest
from botocore.exceptions import ClientError

from roadstead import Roadstead, eventually

POLICY = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["ecs:ListClusters", "states:StartExecution"], "Resource": "*"}]}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=("default",)) as roadstead:
        yield roadstead


@pytest.fixture(scope="module")
def role(cloud):
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": [f"states.{cloud.region}.amazonaws.com", "events.amazonaws.com"]}}]}
    iam = cloud.client("iam")
    arn = iam.create_role(RoleName="machines", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="machines", PolicyName="p", PolicyDocument=json.dumps(POLICY))
    return arn


def machine(cloud, role, name, states, start=None, **more):
    definition = {"StartAt": start or next(iter(states)), "States": states, **more}
    return cloud.client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=role)["stateMachineArn"]


def ended(cloud, arn):
    def some():
        shown = cloud.client("stepfunctions").describe_execution(executionArn=arn)
        return shown if shown["status"] != "RUNNING" else None
    return eventually(some, "the end of the execution")


def types(cloud, arn):
    pages = cloud.client("stepfunctions").get_paginator("get_execution_history").paginate(
        executionArn=arn, PaginationConfig={"PageSize": 3})
    return [event["type"] for page in pages for event in page["events"]]


def test_a_machine_branches_loops_and_calls_services_as_its_role(cloud, role, tmp_path):
    definition = {
        "QueryLanguage": "JSONata", "StartAt": "Both", "States": {
            "Both": {"Type": "Parallel", "Next": "Each", "Assign": {"clusters": "{% $states.result[0].ClusterArns %}"}, "Branches": [
                {"StartAt": "List", "States": {"List": {
                    "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:listClusters", "Arguments": {"MaxResults": 10}, "End": True}}},
                {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}}]},
            "Each": {"Type": "Map", "Items": "{% [1..3] %}", "MaxConcurrency": 2, "Next": "Sum", "ItemProcessor": {
                "StartAt": "Square", "States": {"Square": {"Type": "Pass", "Output": "{% $states.input * $states.input %}", "End": True}}}},
            "Sum": {"Type": "Choice", "Default": "Done", "Choices": [{"Condition": "{% $sum($states.input) != 14 %}", "Next": "Wrong"}]},
            "Wrong": {"Type": "Fail"},
            "Done": {"Type": "Succeed", "Output": {"clusters": "{% $clusters %}", "squares": "{% $states.input %}"}}}}
    path = tmp_path / "definition.json"
    path.write_text(json.dumps(definition))
    assert cloud.aws("stepfunctions", "validate-state-machine-definition", "--definition", f"file://{path}")["result"] == "OK"
    arn = cloud.aws("stepfunctions", "create-state-machine", "--name", "both", "--role-arn", role,
                    "--definition", f"file://{path}")["stateMachineArn"]
    execution = cloud.aws("stepfunctions", "start-execution", "--state-machine-arn", arn, "--input", '{"a": 1}')["executionArn"]
    shown = ended(cloud, execution)
    cluster = f"arn:aws:ecs:{cloud.region}:{cloud.account}:cluster/default"
    assert json.loads(shown["output"]) == {"clusters": [cluster], "squares": [1, 4, 9]}, shown
    assert shown["stopDate"] - shown["startDate"] >= __import__("datetime").timedelta(seconds=1)
    told = types(cloud, execution)
    assert told[:3] == ["ExecutionStarted", "ParallelStateEntered", "ParallelStateStarted"]
    assert told[-1] == "ExecutionSucceeded" and told.count("MapIterationSucceeded") == 3
    assert cloud.aws("stepfunctions", "list-executions", "--state-machine-arn", arn, "--status-filter", "SUCCEEDED")["executions"]
    shown = cloud.aws("stepfunctions", "describe-state-machine", "--state-machine-arn", arn)
    assert shown["variableReferences"] == {"Done": ["clusters"]}, shown
    first = cloud.client("stepfunctions").get_execution_history(executionArn=execution, maxResults=3)["events"]
    assert [event["previousEventId"] for event in first] == [0, 0, 2], "nothing leads to the first state"


def test_what_the_role_may_not_is_an_error_that_can_be_caught(cloud, role):
    arn = machine(cloud, role, "denied", {
        "Make": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:createCluster", "Parameters": {"ClusterName": "x"},
                 "Catch": [{"ErrorEquals": ["Ecs.AccessDeniedException"], "Next": "Caught", "ResultPath": "$.error"}], "End": True},
        "Caught": {"Type": "Pass", "InputPath": "$.error.Cause", "End": True}})
    execution = cloud.client("stepfunctions").start_execution(stateMachineArn=arn)["executionArn"]
    shown = ended(cloud, execution)
    assert shown["status"] == "SUCCEEDED" and "ecs:CreateCluster" in shown["output"], shown
    assert "x" not in str(cloud.ecs.list_clusters()["clusterArns"])


def test_a_definition_is_refused_with_the_place_of_its_faults(cloud, role):
    with pytest.raises(ClientError) as refused:
        machine(cloud, role, "wrong", {"pass1": {"Type": "Pass", "Next": "pass3"}, "pass2": {"Type": "Pass", "End": True}})
    assert refused.value.response["Error"] == {"Code": "InvalidDefinition", "Message":
        "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: pass3 at /States/pass1/Next, "
        "MISSING_TRANSITION_TARGET: State \"pass2\" is not reachable. at /States/pass2'"}
    with pytest.raises(ClientError) as refused:
        machine(cloud, role.replace("machines", "nobody"), "roleless", {"S": {"Type": "Succeed"}})
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_rule_starts_a_machine(cloud, role):
    arn = machine(cloud, role, "ruled", {"P": {"Type": "Pass", "OutputPath": "$.detail", "End": True}})
    events = cloud.client("events")
    events.put_rule(Name="start", EventPattern='{"source": ["shop"]}')
    assert events.put_targets(Rule="start", Targets=[{"Id": "1", "Arn": arn, "RoleArn": role}])["FailedEntryCount"] == 0
    events.put_events(Entries=[{"Source": "shop", "DetailType": "Order", "Detail": '{"amount": 5}'}])
    states = cloud.client("stepfunctions")
    done = eventually(lambda: states.list_executions(stateMachineArn=arn, statusFilter="SUCCEEDED")["executions"], "an execution")
    assert json.loads(states.describe_execution(executionArn=done[0]["executionArn"])["output"]) == {"amount": 5}
    assert len(states.list_executions(stateMachineArn=arn)["executions"]) == 1


def test_executions_go_on_after_the_daemon_is_killed(cloud, role):
    states = cloud.client("stepfunctions")
    arn = machine(cloud, role, "long", {
        "First": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:listClusters", "Parameters": {}, "ResultPath": "$.first", "Next": "Wait"},
        "Wait": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "Last"},
        "Last": {"Type": "Pass", "OutputPath": "$.name", "End": True}})
    start = lambda name, seconds: states.start_execution(
        stateMachineArn=arn, name=name, input=json.dumps({"seconds": seconds, "name": name}))["executionArn"]
    soon, late = start("soon", 3), start("late", 3600)
    for execution in (soon, late):
        eventually(lambda execution=execution: "WaitStateEntered" in types(cloud, execution), "the wait")
    cloud.kill()
    cloud.up()
    assert json.loads(ended(cloud, soon)["output"]) == "soon"
    assert types(cloud, soon).count("TaskScheduled") == 1, "what was done is not done again"
    assert states.describe_execution(executionArn=late)["status"] == "RUNNING"
    assert states.start_execution(stateMachineArn=arn, name="late", input=json.dumps({"seconds": 3600, "name": "late"}))["executionArn"] == late
    states.stop_execution(executionArn=late, error="Enough", cause="of this")
    shown = states.describe_execution(executionArn=late)
    assert (shown["status"], shown["error"], shown["cause"]) == ("ABORTED", "Enough", "of this")
    states.delete_state_machine(stateMachineArn=arn)

    def gone():
        try:
            return not states.describe_execution(executionArn=late)
        except states.exceptions.ExecutionDoesNotExist:
            return True
    eventually(lambda: arn not in str(states.list_state_machines()), "the machine to go")
    eventually(gone, "its executions to go")


def test_executions_that_begin_and_end_are_events(cloud, role):
    events, logs = cloud.client("events"), cloud.client("logs")
    logs.create_log_group(logGroupName="/executions")
    cloud.let_rules_write_logs()
    arn = machine(cloud, role, "told", {"P": {"Type": "Pass", "End": True}})
    events.put_rule(Name="executions", EventPattern=json.dumps({
        "source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"], "detail": {"stateMachineArn": [arn]}}))
    events.put_targets(Rule="executions", Targets=[
        {"Id": "log", "Arn": f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:/executions"}])
    execution = cloud.client("stepfunctions").start_execution(stateMachineArn=arn, input='{"a": 1}')["executionArn"]
    ended(cloud, execution)

    def told():
        found = logs.filter_log_events(logGroupName="/executions")["events"]
        return sorted((json.loads(event["message"]) for event in found), key=lambda event: event["detail"]["status"]) if len(found) == 2 else None
    began, done = eventually(told, "both events")
    assert (began["detail"]["status"], done["detail"]["status"]) == ("RUNNING", "SUCCEEDED")
    assert began["resources"] == [execution] and json.loads(done["detail"]["output"]) == {"a": 1}


def test_an_express_machine_answers_with_its_end(cloud, role):
    states = cloud.client("stepfunctions", inject_host_prefix=False)
    definition = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": {"b": 2}, "ResultPath": "$.r", "End": True}}}
    arn = states.create_state_machine(
        name="quick", definition=json.dumps(definition), roleArn=role, type="EXPRESS")["stateMachineArn"]
    assert states.describe_state_machine(stateMachineArn=arn)["type"] == "EXPRESS"
    ended = states.start_sync_execution(stateMachineArn=arn, name="x", input='{"a": 1}')
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"a": 1, "r": {"b": 2}}), ended
    told = cloud.aws("stepfunctions", "start-sync-execution", "--state-machine-arn", arn, "--input", '{"a": 3}')
    assert json.loads(told["output"]) == {"a": 3, "r": {"b": 2}}, "the CLI, which would put a prefix before the host"
    assert ":express:quick:x:" in ended["executionArn"] and ended["billingDetails"]["billedDurationInMilliseconds"] >= 100
    with pytest.raises(ClientError) as refused:
        states.start_sync_execution(stateMachineArn=machine(cloud, role, "slow", {"S": {"Type": "Succeed"}}))
    assert refused.value.response["Error"]["Code"] == "StateMachineTypeNotSupported"
