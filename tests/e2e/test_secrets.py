"""Secrets Manager with the aws CLI and boto3: versions, labels, deletion, and what outlives a crash."""

import json

import boto3
import pytest
from roadstead import contents


def test_a_secret_lives_through_versions_labels_and_a_crash(fresh):
    cloud = fresh()
    made = cloud.aws("secretsmanager", "create-secret", "--name", "db/password", "--secret-string", "first-4711",
                     "--description", "The database's", "--tags", "Key=team,Value=blue")
    assert made["ARN"].startswith("arn:aws:secretsmanager:us-east-1:000000000000:secret:db/password-")
    cloud.aws("secretsmanager", "put-secret-value", "--secret-id", "db/password", "--secret-string", "second-4711")
    get = ["secretsmanager", "get-secret-value", "--secret-id", made["ARN"][:-7]]
    assert cloud.aws(*get)["SecretString"] == "second-4711"
    assert cloud.aws(*get, "--version-stage", "AWSPREVIOUS")["SecretString"] == "first-4711"
    # What was answered is durable, and not for whoever reads the disk.
    cloud.kill()
    kept = [data for path, data in contents(cloud.data).items() if "images" not in path.parts]
    assert kept and not any(b"second-4711" in data for data in kept)
    assert (cloud.data / "secrets-key").stat().st_mode & 0o777 == 0o600
    cloud.up()
    assert cloud.aws(*get)["SecretString"] == "second-4711"
    secrets = cloud.client("secretsmanager")
    versions = secrets.describe_secret(SecretId="db/password")["VersionIdsToStages"]
    by_label = {label: version for version, labels in versions.items() for label in labels}
    secrets.update_secret_version_stage(SecretId="db/password", VersionStage="AWSCURRENT",
                                        MoveToVersionId=by_label["AWSPREVIOUS"], RemoveFromVersionId=by_label["AWSCURRENT"])
    assert secrets.get_secret_value(SecretId="db/password")["SecretString"] == "first-4711"
    secrets.update_secret(SecretId="db/password", SecretBinary=b"\x00\xff")
    assert secrets.get_secret_value(SecretId="db/password")["SecretBinary"] == b"\x00\xff"


def test_secrets_are_listed_deleted_and_brought_back(cloud):
    secrets = cloud.client("secretsmanager")
    for number in range(5):
        secrets.create_secret(Name=f"list/{number}", SecretString="x", Tags=[{"Key": "n", "Value": str(number)}])
    pages = secrets.get_paginator("list_secrets").paginate(
        Filters=[{"Key": "name", "Values": ["list/"]}], PaginationConfig={"PageSize": 2})
    assert [secret["Name"] for page in pages for secret in page["SecretList"]] == [f"list/{n}" for n in range(5)]
    secrets.delete_secret(SecretId="list/0")
    with pytest.raises(secrets.exceptions.InvalidRequestException, match="marked for deletion"):
        secrets.get_secret_value(SecretId="list/0")
    secrets.restore_secret(SecretId="list/0")
    assert secrets.get_secret_value(SecretId="list/0")["SecretString"] == "x"
    secrets.delete_secret(SecretId="list/0", ForceDeleteWithoutRecovery=True)
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.describe_secret(SecretId="list/0")


def test_what_is_not_built_says_so(cloud):
    for words in (["rotate-secret", "--secret-id", "a"], ["get-random-password"],
                  ["replicate-secret-to-regions", "--secret-id", "a", "--add-replica-regions", "Region=eu-west-1"]):
        done = cloud.aws("secretsmanager", *words, check=False)
        assert done.returncode != 0 and "not implemented" in done.stderr.lower(), done.stderr


def test_a_secrets_own_policy_says_who_may_read_it(cloud):
    secrets, iam = cloud.client("secretsmanager"), cloud.client("iam")
    user = iam.create_user(UserName="reader")["User"]["Arn"]
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    reader = boto3.client("secretsmanager", endpoint_url=cloud.url, region_name=cloud.region,
                          aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    secrets.create_secret(Name="guarded", SecretString="x")

    def denied():
        with pytest.raises(reader.exceptions.ClientError, match="AccessDenied"):
            reader.get_secret_value(SecretId="guarded")

    denied()
    statement = {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    secrets.put_resource_policy(SecretId="guarded", ResourcePolicy=policy, BlockPublicPolicy=True)
    assert reader.get_secret_value(SecretId="guarded")["SecretString"] == "x"
    with pytest.raises(reader.exceptions.ClientError, match="AccessDenied"):
        reader.describe_secret(SecretId="guarded")
    secrets.delete_resource_policy(SecretId="guarded")
    denied()
    # An identity's policy speaks of the ARN, whose last characters a name leaves out.
    arn = secrets.describe_secret(SecretId="guarded")["ARN"]
    statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn[:-6] + "??????"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="reader", PolicyName="guarded", PolicyDocument=policy)
    assert reader.get_secret_value(SecretId="guarded")["SecretString"] == "x"


def test_secrets_are_read_as_the_execution_role(cloud):
    secrets, iam = cloud.client("secretsmanager"), cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="reads", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    plain = secrets.create_secret(Name="task/plain", SecretString="first-word")["ARN"]
    secrets.put_secret_value(SecretId=plain, SecretString="second-word")
    parts = secrets.create_secret(Name="task/parts", SecretString=json.dumps({"user": "robot", "port": 5432}))["ARN"]

    def define(family, **variables):
        command = "; ".join(f'echo "{name}=${name}"' for name in variables)
        return cloud.define(family, {
            "name": "app", "image": "busybox", "command": ["sh", "-c", command],
            "secrets": [{"name": name, "valueFrom": source} for name, source in variables.items()]}, executionRoleArn=role)

    good = define("secret", NOW=plain, BEFORE=f"{plain}::AWSPREVIOUS:", USER_NAME=f"{parts}:user::", PORT=f"{parts}:port:AWSCURRENT:")
    denied = cloud.until(cloud.run(good), "STOPPED")
    assert denied["stopCode"] == "TaskFailedToStart"
    words = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed"
    assert denied["stoppedReason"].startswith(words) and "AccessDenied" in denied["stoppedReason"]
    allow = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    iam.put_role_policy(RoleName="reads", PolicyName="read", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    codes, _, output = cloud.finished(cloud.run(good))
    assert codes == {"app": 0}
    for line in ("NOW=second-word", "BEFORE=first-word", "USER_NAME=robot", "PORT=5432"):
        assert line in output, output
    missing = cloud.until(cloud.run(define("no-key", A=f"{parts}:absent::")), "STOPPED")
    assert "did not contain json key absent" in missing["stoppedReason"]
    shown = cloud.ecs.describe_task_definition(taskDefinition="secret")["taskDefinition"]["containerDefinitions"][0]
    assert {"name": "NOW", "valueFrom": plain} in shown["secrets"]
    # The agent's records have none of it.
    records = contents(cloud.data / "agent").values()
    assert records and not any(b"second-word" in data for data in records)
