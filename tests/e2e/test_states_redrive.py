"""A failed execution is redriven by boto3 after what it failed of was mended, and after a crash."""

import json

from roadstead import Roadstead, eventually

TRUST = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"}}]}


def ended(cloud, arn):
    def some():
        shown = cloud.client("stepfunctions").describe_execution(executionArn=arn)
        return shown if shown["status"] != "RUNNING" else None
    return eventually(some, "the end of the execution")


def test_an_execution_goes_on_once_its_role_may(tmp_path):
    with Roadstead(tmp_path, clusters=("default",)) as cloud:
        iam, states = cloud.client("iam"), cloud.client("stepfunctions")
        role = iam.create_role(RoleName="machines", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        allow = lambda *actions: iam.put_role_policy(RoleName="machines", PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}))
        allow("ecs:ListClusters")
        call = lambda action, **more: {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:ecs:{action}", "ResultPath": None, **more}
        machine = states.create_state_machine(name="m", roleArn=role, definition=json.dumps({"StartAt": "Look", "States": {
            "Look": call("listClusters", Parameters={}, Next="Make"),
            "Make": call("createCluster", Parameters={"ClusterName": "made"}, End=True)}}))["stateMachineArn"]
        execution = states.start_execution(stateMachineArn=machine)["executionArn"]
        failed = ended(cloud, execution)
        assert (failed["status"], failed["redriveStatus"], failed["redriveCount"]) == ("FAILED", "REDRIVABLE", 0)
        allow("ecs:CreateCluster")
        cloud.kill()
        cloud.up()
        states = cloud.client("stepfunctions")
        date = cloud.aws("stepfunctions", "redrive-execution", "--execution-arn", execution, "--client-token", "again")["redriveDate"]
        assert date == cloud.aws("stepfunctions", "redrive-execution", "--execution-arn", execution, "--client-token", "again")["redriveDate"]
        done = ended(cloud, execution)
        assert (done["status"], done["redriveCount"]) == ("SUCCEEDED", 1), done
        events = [event["type"] for event in states.get_execution_history(executionArn=execution)["events"]]
        assert events.count("ExecutionRedriven") == 1 and events.count("TaskScheduled") == 3, events
        assert [one["executionArn"] for one in states.list_executions(stateMachineArn=machine, redriveFilter="REDRIVEN")["executions"]] == [execution]
        assert any("cluster/made" in arn for arn in cloud.client("ecs").list_clusters()["clusterArns"])
