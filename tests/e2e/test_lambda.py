"""Functions as boto3 and the aws CLI use them, as far as no code needs to run."""

import io
import json
import urllib.error
import urllib.request
import zipfile

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError

from roadstead import Roadstead

SOURCE = "def handler(event, context):\n    return event\n"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=()) as roadstead:
        yield roadstead


def trusting(service="lambda.amazonaws.com"):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]})


@pytest.fixture(scope="module")
def role(cloud):
    return cloud.client("iam").create_role(RoleName="runner", AssumeRolePolicyDocument=trusting())["Role"]["Arn"]


def packed(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (files or {"lambda_function": SOURCE}).items():
            archive.writestr(f"{name}.py", text)
    return buffer.getvalue()


def made(cloud, role, name, **more):
    settings = {"Runtime": "python3.12", "Handler": "lambda_function.handler", "Code": {"ZipFile": packed()}, **more}
    return cloud.client("lambda").create_function(FunctionName=name, Role=role, **settings)


def refused(call, **arguments):
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    return refusal.value.response


def test_a_function_is_made_by_the_command_line_and_lasts(cloud, role, tmp_path):
    (tmp_path / "code.zip").write_bytes(packed())
    first = cloud.aws(
        "lambda", "create-function", "--function-name", "first", "--runtime", "python3.12", "--role", role, "--handler",
        "lambda_function.handler", "--zip-file", f"fileb://{tmp_path}/code.zip", "--tags", "team=a")
    assert first["FunctionArn"] == f"arn:aws:lambda:{cloud.region}:{cloud.account}:function:first"
    cloud.aws("lambda", "wait", "function-active-v2", "--function-name", "first")
    cloud.kill()
    cloud.up()
    whole = cloud.client("lambda").get_function(FunctionName=first["FunctionArn"])
    assert (whole["Configuration"]["CodeSha256"], whole["Tags"]) == (first["CodeSha256"], {"team": "a"})
    link = whole["Code"]["Location"]
    assert link.startswith(cloud.url)
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == (tmp_path / "code.zip").read_bytes()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link[:-2])
    layer = cloud.aws("lambda", "publish-layer-version", "--layer-name", "l", "--zip-file", f"fileb://{tmp_path}/code.zip")
    with urllib.request.urlopen(layer["Content"]["Location"]) as answer:
        assert answer.read() == (tmp_path / "code.zip").read_bytes()
    assert cloud.client("lambda").list_tags(Resource=first["FunctionArn"])["Tags"] == {"team": "a"}
    assert cloud.client("lambda").delete_function(FunctionName="first")["ResponseMetadata"]["HTTPStatusCode"] == 204
    gone = refused(cloud.client("lambda").get_function, FunctionName="first")
    assert gone["Error"]["Code"] == "ResourceNotFoundException" and gone["Type"] == "User"
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_large_archive_fits_and_a_larger_one_does_not(cloud, role):
    import random
    noise = random.Random(1).randbytes(52_000_000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("noise", noise)
        archive.writestr("lambda_function.py", SOURCE)
    made(cloud, role, "large", Code={"ZipFile": buffer.getvalue()})
    larger = refused(
        cloud.client("lambda").create_function, FunctionName="larger", Role=role,
        Runtime="python3.12", Handler="x.y", Code={"ZipFile": buffer.getvalue() + bytes(500_000)})
    assert larger["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert larger["Error"]["Message"] == "Request must be smaller than 52428800 bytes for the CreateFunction operation"
    cloud.client("lambda").delete_function(FunctionName="large")


def test_bad_archives_and_roles_are_refused(cloud, role):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../etc/cron.d/x", "* * * * * root true")
    slip = refused(made, cloud=cloud, role=role, name="bad", Code={"ZipFile": buffer.getvalue()})
    assert slip["Error"]["Code"] == "InvalidParameterValueException"
    assert "leads out of the archive" in slip["Error"]["Message"]
    foreign = cloud.client("iam").create_role(
        RoleName="foreign", AssumeRolePolicyDocument=trusting("ec2.amazonaws.com"))["Role"]["Arn"]
    for wrong in (foreign, foreign.replace("foreign", "none")):
        answer = refused(made, cloud=cloud, role=wrong, name="bad")
        assert answer["Error"]["Code"] == "InvalidParameterValueException"
        assert answer["Error"]["Message"] == "The role defined for the function cannot be assumed by Lambda."


def test_what_cannot_be_done_yet_says_so(cloud, role):
    made(cloud, role, "idle")
    api = cloud.client("lambda")
    assert api.invoke(FunctionName="idle", InvocationType="DryRun")["StatusCode"] == 204
    # No runtime is prepared in this folder.
    answer = refused(api.invoke, FunctionName="idle", Payload=b"{}")
    assert answer["Error"]["Code"] == "InvalidRuntimeException"
    assert "roadstead runtime install python" in answer["Error"]["Message"]
    url = refused(api.create_function_url_config, FunctionName="idle", AuthType="NONE")
    assert url["Error"]["Code"] == "NotImplemented" and "CreateFunctionUrlConfig" in url["Error"]["Message"]
    mapping = refused(api.create_event_source_mapping, FunctionName="idle", EventSourceArn="arn:aws:sqs:us-east-1:000000000000:q")
    assert "CreateEventSourceMapping" in mapping["Error"]["Message"]


def test_tools_that_ask_who_signed_the_code_get_an_answer(cloud, role):
    made(cloud, role, "unsigned")
    shown = cloud.client("lambda").get_function_code_signing_config(FunctionName="unsigned")
    assert (shown["FunctionName"], shown["CodeSigningConfigArn"]) == ("unsigned", "")


def test_what_the_model_forbids_is_refused_in_the_services_words(cloud, role):
    made(cloud, role, "strict")
    config = botocore.config.Config(parameter_validation=False)
    api = boto3.client(
        "lambda", endpoint_url=cloud.url, region_name=cloud.region, aws_access_key_id=cloud.account,
        aws_secret_access_key="any", config=config)
    update = lambda **more: refused(api.update_function_configuration, FunctionName="strict", **more)
    for more, member in [
        ({"Timeout": 0}, "timeout"), ({"Timeout": 901}, "timeout"), ({"MemorySize": 127}, "memorySize"),
        ({"EphemeralStorage": {"Size": 10241}}, "ephemeralStorage.size"), ({"Role": "r"}, "role"),
        ({"Environment": {"Variables": {"1X": "x"}}}, "environment.variables.1X"),
    ]:
        answer = update(**more)
        assert answer["Error"]["Code"] == "ValidationException", answer
        assert answer["Error"]["Message"].startswith("1 validation error detected: Value "), answer
        assert f" at '{member}' failed to satisfy constraint: " in answer["Error"]["Message"], answer
    answer = update(Runtime="python2.8")
    assert answer["Error"]["Code"] == "InvalidParameterValueException" and answer["Type"] == "User"
    assert answer["Error"]["Message"].startswith(
        "Value python2.8 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [")
    assert answer["Error"]["Message"].endswith("] or be a valid ARN")


def test_policies_decide_who_may_make_functions_with_which_role(cloud, role):
    iam = cloud.client("iam")
    iam.create_user(UserName="ann")
    allow = lambda action, resource: {"Effect": "Allow", "Action": action, "Resource": resource}
    own = f"arn:aws:lambda:{cloud.region}:{cloud.account}:function:ann-*"
    policy = lambda *statements: iam.put_user_policy(
        UserName="ann", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    policy(allow("lambda:*", own))
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    api = boto3.client(
        "lambda", endpoint_url=cloud.url, region_name=cloud.region, aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"])
    request = dict(Role=role, Runtime="python3.12", Handler="x.y", Code={"ZipFile": packed()})
    denied = refused(api.create_function, FunctionName="ann-1", **request)
    assert denied["Error"]["Code"] == "AccessDeniedException" and f"iam:PassRole on resource: {role}" in denied["Error"]["Message"]
    policy(allow("lambda:*", own), allow("iam:PassRole", role))
    api.create_function(FunctionName="ann-1", **request)
    other = refused(api.create_function, FunctionName="bob-1", **request)
    assert "lambda:CreateFunction" in other["Error"]["Message"]
    assert "lambda:InvokeFunction" in refused(api.invoke, FunctionName="idle")["Error"]["Message"]
