"""Parameter Store with the aws CLI and boto3: paths, versions, secure strings, and who may read them."""

import json

import boto3
import pytest
from roadstead import contents


def test_parameters_by_the_cli_and_across_a_crash(fresh):
    cloud = fresh()
    put = ["ssm", "put-parameter", "--type", "String"]
    assert cloud.aws(*put, "--name", "/app/url", "--value", "one")["Version"] == 1
    assert cloud.aws(*put, "--name", "/app/url", "--value", "two", "--overwrite") == {"Version": 2, "Tier": "Standard"}
    cloud.aws("ssm", "put-parameter", "--name", "/app/db/password", "--value", "hunter-4711", "--type", "SecureString")
    cloud.aws("ssm", "label-parameter-version", "--name", "/app/url", "--parameter-version", "1", "--labels", "stable")
    # What was answered is durable, and not for whoever reads the disk.
    cloud.kill()
    kept = [data for path, data in contents(cloud.data).items() if "images" not in path.parts]
    assert kept and not any(b"hunter-4711" in data for data in kept)
    cloud.up()
    get = ["ssm", "get-parameter", "--name"]
    assert cloud.aws(*get, "/app/url")["Parameter"]["Value"] == "two"
    assert cloud.aws(*get, "/app/url:stable")["Parameter"]["Value"] == "one"
    assert "hunter" not in cloud.aws(*get, "/app/db/password")["Parameter"]["Value"]
    assert cloud.aws(*get, "/app/db/password", "--with-decryption")["Parameter"]["Value"] == "hunter-4711"
    found = cloud.aws("ssm", "get-parameters-by-path", "--path", "/app", "--recursive", "--with-decryption")
    assert {one["Name"]: one["Value"] for one in found["Parameters"]} == {"/app/url": "two", "/app/db/password": "hunter-4711"}
    for words in (["get-parameter", "--name", "/aws/service/ecs/optimized-ami"], ["delete-parameter", "--name", "no"]):
        done = cloud.aws("ssm", *words, check=False)
        assert done.returncode != 0 and "ParameterNotFound" in done.stderr, done.stderr
    done = cloud.aws("ssm", "list-documents", check=False)
    assert done.returncode != 0 and "not implemented" in done.stderr.lower(), done.stderr


def test_many_parameters_with_boto3(cloud):
    ssm = cloud.client("ssm")
    for number in range(12):
        ssm.put_parameter(Name=f"/many/{number:02}", Value=str(number), Type="String", Tags=[{"Key": "n", "Value": str(number)}])
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/many", PaginationConfig={"PageSize": 5})
    assert [one["Value"] for page in pages for one in page["Parameters"]] == [str(number) for number in range(12)]
    pages = ssm.get_paginator("describe_parameters").paginate(
        ParameterFilters=[{"Key": "Path", "Values": ["/many"]}, {"Key": "tag:n", "Values": ["3", "4"]}])
    assert [one["Name"] for page in pages for one in page["Parameters"]] == ["/many/03", "/many/04"]
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name="/many/00", Value="x", Type="String")
    with pytest.raises(ssm.exceptions.ParameterPatternMismatchException):
        ssm.put_parameter(Name="/many/x", Value="x", Type="String", AllowedPattern=r"^\d+$")
    deleted = ssm.delete_parameters(Names=["/many/00", "/many/none"])
    assert (deleted["DeletedParameters"], deleted["InvalidParameters"]) == (["/many/00"], ["/many/none"])


def test_policies_speak_of_parameters_by_arn(cloud):
    ssm, iam = cloud.client("ssm"), cloud.client("iam")
    iam.create_user(UserName="deployer")
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    statement = {"Effect": "Allow", "Action": ["ssm:GetParameter", "ssm:GetParametersByPath"],
                 "Resource": "arn:aws:ssm:us-east-1:000000000000:parameter/open*"}
    iam.put_user_policy(UserName="deployer", PolicyName="p",
                        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    deployer = boto3.client("ssm", endpoint_url=cloud.url, region_name=cloud.region,
                            aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    for name in ("/open/a", "/closed/a"):
        ssm.put_parameter(Name=name, Value="x", Type="String")
    assert deployer.get_parameter(Name="/open/a")["Parameter"]["Value"] == "x"
    assert len(deployer.get_parameters_by_path(Path="/open")["Parameters"]) == 1
    for call in (lambda: deployer.get_parameter(Name="/closed/a"), lambda: deployer.get_parameters_by_path(Path="/closed"),
                 lambda: deployer.put_parameter(Name="/open/b", Value="x", Type="String")):
        with pytest.raises(deployer.exceptions.ClientError, match="AccessDenied"):
            call()


def test_parameters_are_read_as_the_execution_role(cloud):
    ssm, iam = cloud.client("ssm"), cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="reads-parameters", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    ssm.put_parameter(Name="/task/url", Value="first-word", Type="String")
    ssm.put_parameter(Name="/task/url", Value="second-word", Type="String", Overwrite=True)
    ssm.put_parameter(Name="/task/password", Value="hunter-1848", Type="SecureString")
    prefix = "arn:aws:ssm:us-east-1:000000000000:parameter"

    def define(family, **variables):
        command = "; ".join(f'echo "{name}=${name}"' for name in variables)
        return cloud.define(family, {
            "name": "app", "image": "busybox", "command": ["sh", "-c", command],
            "secrets": [{"name": name, "valueFrom": source} for name, source in variables.items()]}, executionRoleArn=role)

    good = define("parameter", NOW="/task/url", BEFORE="/task/url:1", PASSWORD=f"{prefix}/task/password")
    denied = cloud.until(cloud.run(good), "STOPPED")
    assert denied["stopCode"] == "TaskFailedToStart"
    words = ("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
             "unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: ")
    assert denied["stoppedReason"].startswith(words) and "ssm:GetParameters" in denied["stoppedReason"]
    # By the ARNs of the parameters, and for nothing else.
    allow = {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": f"{prefix}/task/*"}
    iam.put_role_policy(RoleName="reads-parameters", PolicyName="read",
                        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    codes, _, output = cloud.finished(cloud.run(good))
    assert codes == {"app": 0}
    for line in ("NOW=second-word", "BEFORE=first-word", "PASSWORD=hunter-1848"):
        assert line in output, output
    for source in ("/task/missing", f"{prefix}/task/missing"):
        missing = cloud.until(cloud.run(define("missing", A=source)), "STOPPED")
        assert missing["stoppedReason"].endswith(f"invalid ssm parameters: {source}"), missing["stoppedReason"]
    outside = cloud.until(cloud.run(define("outside", A="/other/url")), "STOPPED")
    assert "AccessDeniedException" in outside["stoppedReason"]
    records = contents(cloud.data / "agent").values()
    assert records and not any(b"hunter-1848" in data for data in records)
