"""TestState with boto3 and the aws CLI: real calls as a role, mocks, policies."""

import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from roadstead import Roadstead

TRUST = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"}}]}
LIST = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:listClusters", "Parameters": {},
        "ResultSelector": {"all.$": "$.ClusterArns"}, "ResultPath": "$.clusters", "Next": "Then"}
MAKE = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:createCluster", "Parameters": {"ClusterName": "x"}, "End": True,
        "Catch": [{"ErrorEquals": ["Ecs.AccessDeniedException"], "Next": "Denied"}]}


def allow(*actions, resource="*"):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}]})


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=("default",)) as roadstead:
        yield roadstead


@pytest.fixture(scope="module")
def role(cloud):
    iam = cloud.client("iam")
    arn = iam.create_role(RoleName="machines", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="machines", PolicyName="p", PolicyDocument=allow("ecs:ListClusters"))
    return arn


def test_a_state_calls_services_as_its_role(cloud, role):
    states = cloud.client("stepfunctions", inject_host_prefix=False)
    cluster = f"arn:aws:ecs:{cloud.region}:{cloud.account}:cluster/default"
    shown = states.test_state(definition=json.dumps(LIST), roleArn=role, input='{"a": 1}', inspectionLevel="DEBUG")
    assert (shown["status"], shown["nextState"]) == ("SUCCEEDED", "Then"), shown
    assert json.loads(shown["output"]) == {"a": 1, "clusters": {"all": [cluster]}}
    assert json.loads(shown["inspectionData"]["result"]) == {"ClusterArns": [cluster]}
    assert json.loads(shown["inspectionData"]["afterResultSelector"]) == {"all": [cluster]}
    denied = cloud.aws("stepfunctions", "test-state", "--definition", json.dumps(MAKE), "--role-arn", role)
    assert (denied["status"], denied["error"], denied["nextState"]) == ("CAUGHT_ERROR", "Ecs.AccessDeniedException", "Denied")
    assert "ecs:CreateCluster" in denied["cause"]
    assert "x" not in str(cloud.ecs.list_clusters()["clusterArns"])


def test_a_mock_needs_no_role_and_calls_nothing(cloud):
    states = cloud.client("stepfunctions", inject_host_prefix=False)
    made = states.test_state(definition=json.dumps(MAKE), mock={"result": json.dumps({"Cluster": {"ClusterName": "y"}})})
    assert (made["status"], json.loads(made["output"])) == ("SUCCEEDED", {"Cluster": {"ClusterName": "y"}})
    failed = states.test_state(definition=json.dumps({"StartAt": "Make", "States": {"Make": MAKE, "Denied": {"Type": "Fail"}}}),
                               stateName="Make", mock={"errorOutput": {"error": "Ecs.AccessDeniedException", "cause": "mocked"}})
    assert (failed["status"], failed["nextState"], failed["cause"]) == ("CAUGHT_ERROR", "Denied", "mocked")
    with pytest.raises(ClientError) as refused:
        states.test_state(definition=json.dumps(MAKE), mock={"result": json.dumps({"Cluster": 5})})
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert cloud.ecs.list_clusters()["clusterArns"] == [f"arn:aws:ecs:{cloud.region}:{cloud.account}:cluster/default"]


def test_policies_say_who_tests_and_with_which_role(cloud, role):
    iam = cloud.client("iam")
    iam.create_user(UserName="tester")
    key = iam.create_access_key(UserName="tester")["AccessKey"]
    tester = boto3.client("stepfunctions", endpoint_url=cloud.url, region_name=cloud.region, aws_access_key_id=key["AccessKeyId"],
                          aws_secret_access_key=key["SecretAccessKey"], config=Config(inject_host_prefix=False))
    ask = lambda **more: tester.test_state(definition='{"Type": "Succeed"}', roleArn=role, **more)
    may = lambda *actions: iam.put_user_policy(UserName="tester", PolicyName="p", PolicyDocument=allow(*actions))

    def denied(**more):
        with pytest.raises(ClientError) as refused:
            ask(**more)
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
        return refused.value.response["Error"]["Message"]
    denied()
    may("states:TestState")
    assert "iam:PassRole" in denied()
    may("states:TestState", "iam:PassRole")
    assert ask()["status"] == "SUCCEEDED" and ask(revealSecrets=False)["output"] == "{}"
    assert "states:RevealSecrets" in denied(revealSecrets=True)
    may("states:TestState", "iam:PassRole", "states:RevealSecrets")
    assert ask(revealSecrets=True)["status"] == "SUCCEEDED"
