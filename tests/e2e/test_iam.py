"""Who may do what: users, roles and their keys, as the aws CLI and boto3 use them, from outside and from inside a task."""

import json
import os
import subprocess

import boto3
import pytest
from botocore.exceptions import ClientError

from roadstead import AWS, Roadstead, eventually

ACCOUNT = "000000000000"
WATCHED = f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/watched"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, images):
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=["default", "watched"]) as roadstead:
        for path in images.values():
            roadstead.command("image", "import", path)
        yield roadstead


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource, **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(**principal):
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def user(cloud, name, *statements):
    """A user with an inline policy, and its key."""
    iam = cloud.client("iam")
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=document(*statements))
    return iam.create_access_key(UserName=name)["AccessKey"]


def role(cloud, name, policy, **principal):
    iam = cloud.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(**principal))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy)
    return arn


def session(cloud, key, token=None):
    """boto3 with these keys and nothing else."""
    names = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    made = boto3.Session(**names, aws_session_token=token or key.get("SessionToken"), region_name=cloud.region)
    return lambda service: made.client(service, endpoint_url=cloud.url)


def denied(call, code, *words):
    with pytest.raises(ClientError) as raised:
        call()
    error = raised.value.response["Error"]
    assert error["Code"] == code, error
    if code == "AccessDenied":
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    for word in words:
        assert word in error["Message"], error


def aws_as(cloud, key, *words):
    env = dict(cloud.env, AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"])
    if "SessionToken" in key:
        env["AWS_SESSION_TOKEN"] = key["SessionToken"]
    return subprocess.run([AWS, *words], env=env, capture_output=True, text=True, timeout=120)


def test_a_role_may_describe_one_cluster_and_nothing_else(cloud):
    """By the aws CLI and boto3, through STS."""
    reader = f"arn:aws:iam::{ACCOUNT}:role/reader"
    ann = user(cloud, "ann", allow("sts:AssumeRole", reader))
    assert role(cloud, "reader", document(allow("ecs:DescribeClusters", WATCHED)), AWS=ACCOUNT) == reader

    done = aws_as(cloud, ann, "sts", "assume-role", "--role-arn", reader, "--role-session-name", "monday")
    assert done.returncode == 0, done.stderr
    assumed = json.loads(done.stdout)
    who = f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/monday"
    assert assumed["AssumedRoleUser"]["Arn"] == who
    keys = assumed["Credentials"]
    assert keys["AccessKeyId"].startswith("ASIA")

    done = aws_as(cloud, keys, "ecs", "describe-clusters", "--clusters", "watched")
    assert json.loads(done.stdout)["clusters"][0]["clusterArn"] == WATCHED
    done = aws_as(cloud, keys, "ecs", "describe-clusters", "--clusters", "watched", "default")
    other = WATCHED.replace("watched", "default")
    assert done.returncode != 0
    assert (
        f"(AccessDeniedException) when calling the DescribeClusters operation: User: {who} is not authorized to perform: "
        f"ecs:DescribeClusters on resource: {other} because no identity-based policy allows the ecs:DescribeClusters action"
    ) in done.stderr

    as_role = session(cloud, keys)
    assert as_role("sts").get_caller_identity()["Arn"] == who
    denied(lambda: as_role("ecs").list_clusters(), "AccessDeniedException", "ecs:ListClusters on resource: *")
    denied(lambda: as_role("ecs").run_task(taskDefinition="none"), "AccessDeniedException", "ecs:RunTask")
    denied(lambda: as_role("ec2").describe_vpcs(), "UnauthorizedOperation", "You are not authorized", "ec2:DescribeVpcs")
    denied(lambda: as_role("iam").list_users(), "AccessDenied", "iam:ListUsers on resource: *")
    denied(lambda: as_role("sts").assume_role(RoleArn=reader, RoleSessionName="again"), "AccessDenied", "sts:AssumeRole")
    # The user itself may do no more than assume the role.
    as_ann = session(cloud, ann)
    denied(lambda: as_ann("ecs").describe_clusters(clusters=["watched"]), "AccessDeniedException", f"User: arn:aws:iam::{ACCOUNT}:user/ann")


def test_policies_decide_at_once_and_over_a_restart(cloud):
    iam = cloud.client("iam")
    bob = user(cloud, "bob")
    as_bob = session(cloud, bob)
    denied(lambda: as_bob("ecs").list_clusters(), "AccessDeniedException")
    policy = iam.create_policy(PolicyName="lister", PolicyDocument=document(allow("ecs:List*", "*")))["Policy"]["Arn"]
    iam.create_group(GroupName="listers")
    iam.attach_group_policy(GroupName="listers", PolicyArn=policy)
    iam.add_user_to_group(GroupName="listers", UserName="bob")
    assert as_bob("ecs").list_clusters()["clusterArns"]
    temporary = as_bob("sts").get_session_token()["Credentials"]

    cloud.kill()
    cloud.up()
    assert session(cloud, temporary)("ecs").list_clusters()["clusterArns"]
    iam.create_policy_version(
        PolicyArn=policy, PolicyDocument=document(dict(allow("ecs:*", "*"), Effect="Deny")), SetAsDefault=True
    )
    denied(lambda: as_bob("ecs").list_clusters(), "AccessDeniedException", "with an explicit deny in an identity-based policy")
    result = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/bob", ActionNames=["ecs:ListClusters"]
    )["EvaluationResults"][0]
    assert result["EvalDecision"] == "explicitDeny"
    assert result["MatchedStatements"][0]["SourcePolicyId"] == "lister"

    iam.update_access_key(UserName="bob", AccessKeyId=bob["AccessKeyId"], Status="Inactive")
    denied(lambda: as_bob("ecs").list_clusters(), "UnrecognizedClientException", "security token")
    iam.delete_access_key(UserName="bob", AccessKeyId=bob["AccessKeyId"])
    # A key that was issued once is never a stranger's, who would be root here.
    denied(lambda: as_bob("iam").list_users(), "InvalidClientTokenId")


def test_alarms_are_resources_with_tags(cloud):
    metrics = cloud.client("cloudwatch")
    for name, team in (("theirs-a", "a"), ("theirs-b", "b")):
        metrics.put_metric_alarm(AlarmName=name, Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
                                 Threshold=1, ComparisonOperator="GreaterThanThreshold", Tags=[{"Key": "team", "Value": team}])
    alarms = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:theirs-*"
    key = user(cloud, "keeper", allow("cloudwatch:DeleteAlarms", alarms, Condition={
        "StringEquals": {"aws:ResourceTag/team": "a"}}), allow("cloudwatch:GetDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/theirs"))
    keeper = session(cloud, key)("cloudwatch")
    denied(lambda: keeper.delete_alarms(AlarmNames=["theirs-b"]), "AccessDenied", "cloudwatch:DeleteAlarms", "theirs-b")
    denied(lambda: keeper.delete_alarms(AlarmNames=["theirs-a", "theirs-b"]), "AccessDenied", "theirs-b")
    denied(keeper.describe_alarms, "AccessDenied", "cloudwatch:DescribeAlarms")
    denied(lambda: keeper.get_dashboard(DashboardName="other"), "AccessDenied", "dashboard/other")
    denied(lambda: keeper.get_dashboard(DashboardName="theirs"), "ResourceNotFound", "theirs")
    denied(session(cloud, key)("sqs").list_queues, "AccessDenied", "sqs:ListQueues")
    keeper.delete_alarms(AlarmNames=["theirs-a"])
    assert [alarm["AlarmName"] for alarm in metrics.describe_alarms()["MetricAlarms"]] == ["theirs-b"]
    metrics.delete_alarms(AlarmNames=["theirs-b"])


def test_a_role_is_handed_over_only_by_whom_may_pass_it(cloud):
    runner = user(cloud, "runner", allow("ecs:*", "*"))
    arn = role(cloud, "passed", document(allow("ecs:ListClusters", "*")), Service="ecs-tasks.amazonaws.com")
    ecs = session(cloud, runner)("ecs")
    task = dict(family="passed", taskRoleArn=arn, containerDefinitions=[dict(name="c", image="busybox", memory=32)])
    denied(lambda: ecs.register_task_definition(**task), "AccessDeniedException", f"iam:PassRole on resource: {arn}")
    only_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    cloud.client("iam").put_user_policy(
        UserName="runner", PolicyName="pass", PolicyDocument=document(allow("iam:PassRole", arn, Condition=only_tasks))
    )
    assert ecs.register_task_definition(**task)["taskDefinition"]["taskRoleArn"] == arn
    mistrusted = role(cloud, "mistrusted", document(allow("ecs:*", "*")), Service="lambda.amazonaws.com")
    denied(
        lambda: cloud.client("ecs").run_task(taskDefinition="passed", overrides=dict(taskRoleArn=mistrusted)),
        "ClientException",
        f"ECS was unable to assume the role '{mistrusted}' that was provided for this task.",
    )


ASK = """
wget -q -O - http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI > /out/keys.json
echo $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI > /out/uri
wget -q -O /out/other.json http://169.254.170.2/v2/credentials/00000000-0000-0000-0000-000000000000
echo $? > /out/other
sleep 3600
"""


def test_a_task_is_its_role(cloud, tmp_path):
    """From inside a task by 169.254.170.2: the task's own keys, and nobody else's."""
    arn = role(cloud, "inside", document(allow("ecs:DescribeClusters", WATCHED)), Service="ecs-tasks.amazonaws.com")
    ecs = cloud.client("ecs")
    out = {}
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        ecs.register_task_definition(
            family=name, taskRoleArn=arn, networkMode="bridge",
            volumes=[dict(name="out", host=dict(sourcePath=str(folder)))],
            containerDefinitions=[dict(
                name="c", image="busybox", memory=32, command=["sh", "-c", ASK],
                mountPoints=[dict(sourceVolume="out", containerPath="/out")],
            )],
        )
        started = ecs.run_task(taskDefinition=name)
        assert not started["failures"], started
        out[name] = started["tasks"][0]["taskArn"]
    for name in out:
        eventually(lambda: (tmp_path / name / "other").exists(), f"{name} asked: {cloud.log()[-2000:]}")
    keys = {name: json.loads((tmp_path / name / "keys.json").read_text()) for name in out}
    uris = {name: (tmp_path / name / "uri").read_text().strip() for name in out}
    assert uris["one"] != uris["two"] and uris["one"].startswith("/v2/credentials/")
    # An id that is not the task's own leads nowhere.
    assert (tmp_path / "one" / "other").read_text().strip() != "0"
    own = dict(keys["one"], SessionToken=keys["one"]["Token"])
    assert own["RoleArn"] == arn
    as_task = session(cloud, own)
    task_id = out["one"].rsplit("/", 1)[1]
    who = as_task("sts").get_caller_identity()["Arn"]
    assert who == f"arn:aws:sts::{ACCOUNT}:assumed-role/inside/{task_id}"
    assert as_task("ecs").describe_clusters(clusters=["watched"])["clusters"]
    denied(lambda: as_task("ecs").describe_clusters(), "AccessDeniedException", f"User: {who} is not authorized to perform: ecs:DescribeClusters")
    denied(lambda: as_task("ecs").stop_task(task=out["two"]), "AccessDeniedException", "ecs:StopTask")

    # After kill -9 of the daemon the agent is given keys anew, and the address is still the same.
    cloud.kill()
    cloud.up()
    assert as_task("sts").get_caller_identity()["Arn"] == who
    for task in out.values():
        ecs.stop_task(task=task)


def test_every_call_is_recorded(cloud):
    """In CloudTrail's form, the denied ones too; no secret is in the record."""
    carol = user(cloud, "carol")
    ecs = session(cloud, carol)("ecs")
    with pytest.raises(ClientError) as raised:
        ecs.list_clusters()
    request = raised.value.response["ResponseMetadata"]["RequestId"]

    def recorded():
        # Others call meanwhile: the last line may not be whole.
        lines = (cloud.data / "audit.jsonl").read_text().split("\n")[:-1]
        return [record for record in map(json.loads, lines) if record["requestID"] == request]

    (record,) = eventually(recorded, "the record")
    assert carol["SecretAccessKey"] not in (cloud.data / "audit.jsonl").read_text()
    identity = record["userIdentity"]
    assert (identity["type"], identity["userName"], identity["accessKeyId"]) == ("IAMUser", "carol", carol["AccessKeyId"])
    assert (record["eventSource"], record["eventName"]) == ("ecs.amazonaws.com", "ListClusters")
    assert (record["errorCode"], record["sourceIPAddress"]) == ("AccessDeniedException", "127.0.0.1")
    assert "ecs:ListClusters" in record["errorMessage"] and "Boto3" in record["userAgent"]


def test_bad_documents_are_refused_with_their_place(cloud):
    iam = cloud.client("iam")
    for text, words in [
        ('{\n  "Version": "2012-10-17",\n  "Statement": [{"Effect": "Allow", "Action": "RunTask", "Resource": "*"}]\n}', "(line 3, column 47)"),
        ('{"Version": "2012-10-17", "Statement": [', "Syntax errors in policy"),
        (document(allow("ecs:RunTask", "cluster/web")), "must be in ARN format"),
    ]:
        denied(lambda: iam.create_policy(PolicyName="bad", PolicyDocument=text), "MalformedPolicyDocument", words)
    denied(lambda: iam.create_role(RoleName="bad", AssumeRolePolicyDocument="{}"), "MalformedPolicyDocument", "Statement")
    denied(lambda: iam.get_user(UserName="nobody"), "NoSuchEntity", "The user with name nobody cannot be found.")
    denied(lambda: iam.list_users(Marker="forged"), "ValidationError", "Marker")


def test_what_a_request_cannot_say_is_refused_in_the_words_of_the_services(cloud):
    iam, sts = (cloud.client(service, parameter_validation=False) for service in ("iam", "sts"))
    names = "must contain only alphanumeric characters and/or the following: +=,.@_-"
    paths = "must begin and end with / and contain only alphanumeric characters and/or / characters."
    for call, message in [
        (lambda: iam.create_user(UserName="a/b"), f"The specified value for userName is invalid. It {names}"),
        (lambda: iam.create_user(UserName="\u00fc"), f"The specified value for userName is invalid. It {names}"),
        (lambda: iam.create_user(UserName="ok", Path="x"), f"The specified value for path is invalid. It {paths}"),
        (
            lambda: iam.create_user(UserName="x" * 65),
            f"1 validation error detected: Value '{'x' * 65}' at 'userName' failed to satisfy constraint: "
            "Member must have length less than or equal to 64",
        ),
        (
            lambda: iam.create_user(UserName="ok", Tags=[{"Key": "k", "Value": "v"}, {"Key": "{", "Value": ""}]),
            "1 validation error detected: Value '{' at 'tags.2.member.key' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+",
        ),
        (
            lambda: sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/r", RoleSessionName="a b"),
            "1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [\w+=,.@-]*",
        ),
    ]:
        with pytest.raises(ClientError) as error:
            call()
        assert error.value.response["Error"]["Code"] == "ValidationError"
        assert error.value.response["Error"]["Message"] == message


def test_lists_are_paged_by_boto3(cloud):
    iam = cloud.client("iam")
    made = {f"paged-{number}" for number in range(5)}
    for name in made:
        iam.create_user(UserName=name, Path="/paged/")
    pages = iam.get_paginator("list_users").paginate(PathPrefix="/paged/", PaginationConfig={"PageSize": 2})
    seen = [user["UserName"] for page in pages for user in page["Users"]]
    assert sorted(made) == seen
    for name in made:
        iam.delete_user(UserName=name)
    assert os.environ.get("AWS_PROFILE") is None


def test_ecs_has_a_role_of_its_own_from_its_first_use_on(cloud):
    iam, name = cloud.client("iam"), "AWSServiceRoleForECS"
    # The cluster of the first node is the first use.
    made = iam.get_role(RoleName=name)["Role"]
    assert made["Path"] == "/aws-service-role/ecs.amazonaws.com/", made
    service = cloud.ecs.create_service(serviceName="linked", deploymentController={"type": "EXTERNAL"})["service"]
    assert service["roleArn"] == made["Arn"], service
    cloud.ecs.delete_service(service="linked")
    # It stays while there is a cluster.
    failed = deletion(iam, name)
    assert failed["Status"] == "FAILED", failed
    [usage] = failed["Reason"]["RoleUsageList"]
    assert usage["Region"] == cloud.region and f"arn:aws:ecs:{cloud.region}:{cloud.account}:cluster/default" in usage["Resources"]
    assert iam.get_role(RoleName=name)["Role"]["Arn"] == made["Arn"]
    with pytest.raises(ClientError, match="you must also specify a load balancer"):
        cloud.ecs.create_service(serviceName="linked", desiredCount=0, role="ecsServiceRole")


def test_who_may_not_make_the_role_of_ecs_gets_a_cluster_without_it(cloud):
    name, account = "AWSServiceRoleForECS", "111111111111"
    iam, ecs = cloud.client("iam", account=account), cloud.client("ecs", account=account)
    iam.create_user(UserName="limited")
    iam.put_user_policy(UserName="limited", PolicyName="inline", PolicyDocument=document(allow("ecs:*", "*")))
    limited = session(cloud, iam.create_access_key(UserName="limited")["AccessKey"])("ecs")
    limited.create_cluster(clusterName="limited")
    with pytest.raises(ClientError, match="Unable to assume the service linked role"):
        limited.create_service(cluster="limited", serviceName="linked", deploymentController={"type": "EXTERNAL"})
    ecs.create_cluster(clusterName="limited")
    assert iam.get_role(RoleName=name)["Role"]["Path"] == "/aws-service-role/ecs.amazonaws.com/"
    limited.create_service(cluster="limited", serviceName="linked", deploymentController={"type": "EXTERNAL"})
    # Once the clusters have gone, in every region, it may go too.
    away = cloud.client("ecs", account=account, region="eu-west-1")
    away.create_cluster(clusterName="away")
    ecs.delete_service(cluster="limited", service="linked", force=True)
    eventually(lambda: ecs.describe_services(cluster="limited", services=["linked"])["services"][0]["status"] == "INACTIVE", "the service has gone")
    ecs.delete_cluster(cluster="limited")
    failed = deletion(iam, name)
    assert failed["Reason"]["RoleUsageList"] == [{"Region": "eu-west-1", "Resources": [f"arn:aws:ecs:eu-west-1:{account}:cluster/away"]}]
    away.delete_cluster(cluster="away")
    assert deletion(iam, name) == {"Status": "SUCCEEDED"}
    denied(lambda: iam.get_role(RoleName=name), "NoSuchEntity")


def deletion(iam, role):
    """What came of the role's deletion."""
    task = iam.delete_service_linked_role(RoleName=role)["DeletionTaskId"]
    status = iam.get_service_linked_role_deletion_status(DeletionTaskId=task)
    return {member: status[member] for member in ("Status", "Reason") if member in status}
