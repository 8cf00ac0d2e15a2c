"""The wire as clients see it: TLS, public listeners, certificates that change, and tokens of pages."""

import io
import json
import os
import re
import resource
import shlex
import socket
import ssl
import subprocess
import zipfile

import boto3
import botocore.config
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, SSLError
from roadstead import BINARY, PATIENCE, ROOT, eventually, free_port

# Of its own, so that it is not the loopback listener's address.
PUBLIC = "127.0.0.2"


def exports(roadstead, *words):
    """What `roadstead env` prints, as a shell reads it."""
    done = subprocess.run([BINARY, "env", "--listen", roadstead.listen, "--data", roadstead.data, *words],
                          capture_output=True, text=True, check=True)
    pairs = [shlex.split(line)[1].split("=", 1) for line in done.stdout.splitlines()]
    return dict(pairs)


def client(url, key, secret, verify=None, service="ecs"):
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=key,
                        aws_secret_access_key=secret, verify=verify,
                        config=botocore.config.Config(retries={"max_attempts": 0}))


def code(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def curl(*words):
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "60", *words], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else done.stderr


def test_tls_on_the_loopback_listener_with_an_authority_of_its_own(fresh):
    cloud = fresh(options=["--tls", "--tls-name", "cloud.example,*.cloud.example"])
    env = exports(cloud, "--tls")
    authority = env["AWS_CA_BUNDLE"]
    assert env["AWS_ENDPOINT_URL"] == f"https://{cloud.listen}" and authority == str(cloud.data / "tls/ca.pem")
    # The aws CLI with nothing but the exports.
    aws = subprocess.run([ROOT / "target/venv/bin/aws", "ecs", "list-clusters"], env={**os.environ, **env},
                         capture_output=True, text=True)
    assert aws.returncode == 0 and json.loads(aws.stdout)["clusterArns"], aws.stderr
    with pytest.raises(SSLError):
        client(env["AWS_ENDPOINT_URL"], "000000000000", "any").list_clusters()
    # Another implementation of TLS and HTTP/2, by every name in the certificate.
    port = cloud.listen.rsplit(":", 1)[1]
    for name in ("127.0.0.1", "localhost", "cloud.example", "s3.cloud.example"):
        said = curl("--http2", "--cacert", authority, "--resolve", f"{name}:{port}:127.0.0.1", "--noproxy", "*",
                    "--write-out", "%{http_version} %{ssl_verify_result}", "--output", "/dev/null",
                    f"https://{name}:{port}/_roadstead/health")
        assert said == "2 0", (name, said)
    assert "no alternative certificate subject name" in curl(
        "--cacert", authority, "--resolve", f"other.example:{port}:127.0.0.1", f"https://other.example:{port}/_roadstead/health")
    # Plain HTTP is there as before.
    assert cloud.ecs.list_clusters()["clusterArns"]
    before = pathlib_text(authority)
    cloud.kill()
    cloud.up()
    assert pathlib_text(authority) == before
    assert client(env["AWS_ENDPOINT_URL"], "000000000000", "any", verify=authority).list_clusters()["clusterArns"]


def pathlib_text(path):
    with open(path) as file:
        return file.read()


def test_strangers_are_nobody_on_a_public_listener(fresh):
    address = f"{PUBLIC}:{free_port()}"
    cloud = fresh(options=["--listen-public", address])
    env = exports(cloud, "--agent", "--listen-public", address)
    assert env["ROADSTEAD_BACKEND"] == f"https://{address}"
    authority = env["ROADSTEAD_CA"]
    url = f"https://{address}"
    for key in ("000000000000", "AKIAIOSFODNN7EXAMPLE"):
        assert code(client(url, key, "any", authority).list_clusters) == "UnrecognizedClientException"
        assert code(client(url, key, "any", authority, "ec2").describe_vpcs) == "AuthFailure"
    known = client(url, env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], authority)
    assert known.list_clusters()["clusterArns"]
    guessed = client(url, env["AWS_ACCESS_KEY_ID"], "guess", authority)
    assert code(guessed.list_clusters) == "InvalidSignatureException"
    said = curl(f"http://{address}/_roadstead/health")
    assert said == "This address speaks TLS: use an https:// URL.\n"
    # The channel's address is told in the scheme that the asker came by.
    endpoint = known.discover_poll_endpoint()["endpoint"]
    assert endpoint.startswith(f"https://{address}/"), endpoint
    # The key is the folder's: it outlives the daemon.
    cloud.kill()
    cloud.up()
    assert exports(cloud, "--agent", "--listen-public", address) == env
    assert known.list_clusters()["clusterArns"]


def test_a_public_listener_without_tls_is_the_operators_choice(fresh):
    address = f"{PUBLIC}:{free_port()}"
    cloud = fresh(options=["--listen-public", address, "--public-without-tls"])
    env = exports(cloud, "--agent", "--listen-public", address, "--public-without-tls")
    assert "ROADSTEAD_CA" not in env and not (cloud.data / "tls").exists()
    assert code(client(f"http://{address}", "000000000000", "any").list_clusters) == "UnrecognizedClientException"
    assert "has no Authorization header" in curl(f"http://{address}/_roadstead/metrics")
    known = client(env["ROADSTEAD_BACKEND"], env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
    assert known.list_clusters()["clusterArns"]
    # A link to an archive is proof enough, here too.
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a.py", "")
    content = cloud.client("lambda").publish_layer_version(LayerName="l", Content={"ZipFile": archive.getvalue()})["Content"]
    link = content["Location"].replace(cloud.url, f"http://{address}")
    assert subprocess.run(["curl", "-sf", link], check=True, capture_output=True).stdout == archive.getvalue()
    assert "older than ten minutes" in curl(link[:-2])


def certificate(folder, name):
    """A certificate that is its own authority, made by another implementation."""
    folder.mkdir(exist_ok=True)
    chain, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.2", "-keyout", key, "-out", chain],
                   check=True, capture_output=True)
    return chain, key


def test_the_operators_certificate_is_read_again_when_it_changes(fresh, tmp_path):
    first, second = certificate(tmp_path / "made", "first"), certificate(tmp_path / "made", "second")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"

    def install(pair):
        # As tools that renew certificates do: one file after the other.
        for source, target in zip(pair, (chain, key)):
            part = target.with_suffix(".new")
            part.write_bytes(source.read_bytes())
            part.rename(target)

    install(first)
    port = free_port()
    cloud = fresh(options=["--listen-public", f"{PUBLIC}:{port}", "--tls-cert", chain, "--tls-key", key])

    def shown():
        return ssl.get_server_certificate((PUBLIC, port))

    def der(pair):
        return ssl.PEM_cert_to_DER_cert(pair[0].read_text())

    assert ssl.PEM_cert_to_DER_cert(shown()) == der(first)
    install(second)
    eventually(lambda: ssl.PEM_cert_to_DER_cert(shown()) == der(second), "the new certificate is shown")
    chain.write_text("nonsense")
    eventually(lambda: "cannot be replaced" in cloud.log(), "the mistake is told")
    assert ssl.PEM_cert_to_DER_cert(shown()) == der(second)
    cloud.interrupt()
    refused = subprocess.run([BINARY, "up", "--data", cloud.data, "--listen", cloud.listen, "--listen-public", f"{PUBLIC}:{port}",
                              "--tls-cert", chain, "--tls-key", key], capture_output=True, text=True, timeout=PATIENCE)
    assert refused.returncode != 0 and "no certificate in the chain" in refused.stderr, refused.stderr


def test_a_crowd_of_silent_clients_keeps_nobody_from_working(fresh):
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
    crowd = []
    try:
        cloud = fresh()
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        limits = pathlib_text(f"/proc/{cloud.process.pid}/limits")
        soft, hard = re.search(r"Max open files\s+(\d+)\s+(\d+)", limits).groups()
        assert soft == hard == str(most), "all that it may have"
        host, port = cloud.listen.rsplit(":", 1)
        crowd += [socket.create_connection((host, int(port))) for _ in range(600)]
        # With more connections open than the limit it was started with, writes still find their files.
        definition = cloud.define("crowd", {"name": "app", "image": "busybox", "command": ["true"]})
        codes, _, _ = cloud.finished(cloud.run(definition, groups=[cloud.open_group("crowd")]))
        assert codes == {"app": 0}
    finally:
        for silent in crowd:
            silent.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


# --- pages ---

GROUP = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/events/a"
POLICY = "arn:aws:iam::000000000000:policy/p0"
PROVIDER = "arn:aws:iam::000000000000:oidc-provider/id.example.com"
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}]})
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
TAGS = [{"Key": key, "Value": "x"} for key in "abc"]

# Listings, how to ask for a page with another one behind it, and where the page's items are. Whoever adds an
# operation with pages adds it here, and what it lists to `many`.
TOPIC = "arn:aws:sns:us-east-1:000000000000:t0"
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:m0"
EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:m0:e0"
PAGED = {
    ("cloudwatch", "DescribeAlarmHistory"): (dict(MaxRecords=1, HistoryItemType="ConfigurationUpdate"), "AlarmHistoryItems"),
    ("cloudwatch", "DescribeAlarms"): (dict(MaxRecords=1), "MetricAlarms"),
    ("ecs", "DescribeCapacityProviders"): (dict(maxResults=1), "capacityProviders"),
    ("ecs", "ListAttributes"): (dict(maxResults=5, targetType="container-instance"), "attributes"),
    ("ecs", "ListClusters"): (dict(maxResults=1), "clusterArns"),
    ("ecs", "ListServiceDeployments"): (dict(maxResults=1, service="s0"), "serviceDeployments"),
    ("ecs", "ListServices"): (dict(maxResults=1), "serviceArns"),
    ("ecs", "ListTaskDefinitionFamilies"): (dict(maxResults=1), "families"),
    ("ecs", "ListTaskDefinitions"): (dict(maxResults=1), "taskDefinitionArns"),
    ("ecs", "ListTasks"): (dict(maxResults=1, desiredStatus="STOPPED"), "taskArns"),
    ("ec2", "DescribeNetworkInterfaces"): (dict(MaxResults=5), "NetworkInterfaces"),
    ("ec2", "DescribeSecurityGroupRules"): (dict(MaxResults=5), "SecurityGroupRules"),
    ("ec2", "DescribeSecurityGroups"): (dict(MaxResults=5), "SecurityGroups"),
    ("ec2", "DescribeSubnets"): (dict(MaxResults=5), "Subnets"),
    ("ec2", "DescribeTags"): (dict(MaxResults=5), "Tags"),
    ("ec2", "DescribeVpcs"): (dict(MaxResults=5), "Vpcs"),
    ("events", "ListEventBuses"): (dict(Limit=1), "EventBuses"),
    ("events", "ListRuleNamesByTarget"): (dict(Limit=1, TargetArn=GROUP), "RuleNames"),
    ("events", "ListRules"): (dict(Limit=1), "Rules"),
    ("events", "ListTargetsByRule"): (dict(Limit=1, Rule="r0"), "Targets"),
    ("iam", "GetAccountAuthorizationDetails"): (dict(MaxItems=1, Filter=["User"]), "UserDetailList"),
    ("iam", "GetGroup"): (dict(MaxItems=1, GroupName="g0"), "Users"),
    ("iam", "ListAccessKeys"): (dict(MaxItems=1, UserName="u0"), "AccessKeyMetadata"),
    ("iam", "ListAttachedGroupPolicies"): (dict(MaxItems=1, GroupName="g0"), "AttachedPolicies"),
    ("iam", "ListAttachedRolePolicies"): (dict(MaxItems=1, RoleName="r0"), "AttachedPolicies"),
    ("iam", "ListAttachedUserPolicies"): (dict(MaxItems=1, UserName="u0"), "AttachedPolicies"),
    ("iam", "ListGroupPolicies"): (dict(MaxItems=1, GroupName="g0"), "PolicyNames"),
    ("iam", "ListGroups"): (dict(MaxItems=1), "Groups"),
    ("iam", "ListGroupsForUser"): (dict(MaxItems=1, UserName="u0"), "Groups"),
    ("iam", "ListInstanceProfiles"): (dict(MaxItems=1), "InstanceProfiles"),
    ("iam", "ListInstanceProfilesForRole"): (dict(MaxItems=1, RoleName="r0"), "InstanceProfiles"),
    ("iam", "ListOpenIDConnectProviderTags"): (dict(MaxItems=1, OpenIDConnectProviderArn=PROVIDER), "Tags"),
    ("iam", "ListPolicies"): (dict(MaxItems=1, Scope="Local"), "Policies"),
    ("iam", "ListPolicyTags"): (dict(MaxItems=1, PolicyArn=POLICY), "Tags"),
    ("iam", "ListPolicyVersions"): (dict(MaxItems=1, PolicyArn=POLICY), "Versions"),
    ("iam", "ListRolePolicies"): (dict(MaxItems=1, RoleName="r0"), "PolicyNames"),
    ("iam", "ListRoleTags"): (dict(MaxItems=1, RoleName="r0"), "Tags"),
    ("iam", "ListRoles"): (dict(MaxItems=1), "Roles"),
    ("iam", "ListUserPolicies"): (dict(MaxItems=1, UserName="u0"), "PolicyNames"),
    ("iam", "ListUserTags"): (dict(MaxItems=1, UserName="u0"), "Tags"),
    ("iam", "ListUsers"): (dict(MaxItems=1), "Users"),
    ("lambda", "ListAliases"): (dict(MaxItems=1, FunctionName="f0"), "Aliases"),
    ("lambda", "ListFunctionEventInvokeConfigs"): (dict(MaxItems=1, FunctionName="f0"), "FunctionEventInvokeConfigs"),
    ("lambda", "ListVersionsByFunction"): (dict(MaxItems=1, FunctionName="f0"), "Versions"),
    ("lambda", "ListFunctions"): (dict(MaxItems=1), "Functions"),
    ("lambda", "ListLayerVersions"): (dict(MaxItems=1, LayerName="l0"), "LayerVersions"),
    ("lambda", "ListLayers"): (dict(MaxItems=1), "Layers"),
    ("logs", "DescribeLogGroups"): (dict(limit=1), "logGroups"),
    ("logs", "DescribeLogStreams"): (dict(limit=1, logGroupName="g0"), "logStreams"),
    ("logs", "DescribeMetricFilters"): (dict(limit=1, logGroupName="g0"), "metricFilters"),
    ("logs", "DescribeQueries"): (dict(maxResults=1, status="Complete"), "queries"),
    ("logs", "DescribeQueryDefinitions"): (dict(maxResults=1), "queryDefinitions"),
    ("logs", "DescribeResourcePolicies"): (dict(limit=1), "resourcePolicies"),
    ("logs", "ListLogGroups"): (dict(limit=1), "logGroups"),
    ("secretsmanager", "ListSecrets"): (dict(MaxResults=1), "SecretList"),
    ("sns", "ListSubscriptions"): (dict(), "Subscriptions"),
    ("sns", "ListSubscriptionsByTopic"): (dict(TopicArn=TOPIC), "Subscriptions"),
    ("sns", "ListTopics"): (dict(), "Topics"),
    ("ssm", "DescribeParameters"): (dict(MaxResults=1), "Parameters"),
    ("ssm", "GetParameterHistory"): (dict(Name="/p/0", MaxResults=1), "Parameters"),
    ("ssm", "GetParametersByPath"): (dict(Path="/p", MaxResults=1), "Parameters"),
    ("sqs", "ListDeadLetterSourceQueues"): (dict(MaxResults=1, QueueUrl="http://here/000000000000/q0"), "queueUrls"),
    ("sqs", "ListQueues"): (dict(MaxResults=1), "QueueUrls"),
    ("stepfunctions", "GetExecutionHistory"): (dict(maxResults=1, executionArn=EXECUTION), "events"),
    ("stepfunctions", "ListActivities"): (dict(maxResults=1), "activities"),
    ("stepfunctions", "ListExecutions"): (dict(maxResults=1, stateMachineArn=MACHINE), "executions"),
    ("stepfunctions", "ListStateMachineAliases"): (dict(maxResults=1, stateMachineArn=MACHINE), "stateMachineAliases"),
    ("stepfunctions", "ListStateMachineVersions"): (dict(maxResults=1, stateMachineArn=MACHINE), "stateMachineVersions"),
    ("stepfunctions", "ListStateMachines"): (dict(maxResults=1), "stateMachines"),
}
TOKENS = ("nextToken", "NextToken", "Marker")
REFUSED = {"InvalidParameterException", "InvalidNextToken", "InvalidNextTokenException", "ValidationException", "InvalidInput", "ValidationError",
           "InvalidParameterValue", "InvalidParameter", "InvalidParameterValueException", "InvalidToken"}


def paged_operations():
    """Every operation here that takes a token, by the models."""
    for path in sorted((ROOT / "models").glob("*.json")):
        model = json.loads(path.read_text())
        for name, operation in sorted(model["operations"].items()):
            members = model["shapes"].get(operation.get("input", {}).get("shape"), {}).get("members", {})
            token = next((token for token in TOKENS if token in members), None)
            if token:
                yield path.stem, name, token


@pytest.fixture(scope="module")
def many(tmp_path_factory, images):
    """A cloud with more of everything than a page holds, and one page of each listing from before a restart."""
    from roadstead import Roadstead, eventually
    with Roadstead(tmp_path_factory.mktemp("many"), clusters=["default", "b", "c"]) as cloud:
        cloud.command("image", "import", images["busybox"])
        for number in range(6):
            vpc = cloud.ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
            subnet = cloud.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{number}.0.0/24")["Subnet"]["SubnetId"]
            cloud.ec2.create_network_interface(SubnetId=subnet)
            cloud.ec2.create_tags(Resources=[vpc], Tags=[{"Key": "n", "Value": str(number)}])
            cloud.define(f"page-{number}", {"name": "app", "image": "busybox", "command": ["true"]})
        for number in range(3):
            cloud.finished(cloud.run(f"page-{number}", groups=[cloud.open_group(f"g{number}")]))
            network = {"awsvpcConfiguration": {"subnets": [cloud.subnet()]}}
            cloud.ecs.create_service(serviceName=f"s{number}", taskDefinition="page-0", desiredCount=0, networkConfiguration=network)
        for _ in range(2):
            cloud.ecs.update_service(service="s0", forceNewDeployment=True)
        over = ["SUCCESSFUL", "STOPPED"]
        eventually(lambda: len(cloud.ecs.list_service_deployments(service="s0", status=over)["serviceDeployments"]) == 3,
                   "three deployments are over")
        identities(cloud.client("iam"))
        functions(cloud)
        machines(cloud.client("iam"), cloud.client("stepfunctions"))
        names = ("events", "logs", "secretsmanager", "sns", "sqs")
        events, logs, secrets, topics, queues = (cloud.client(name) for name in names)
        logs.create_log_group(logGroupName="g0")
        for number in range(3):
            logs.create_log_group(logGroupName=f"more{number}")
            logs.create_log_stream(logGroupName="g0", logStreamName=f"s{number}")
            logs.put_metric_filter(logGroupName="g0", filterName=f"f{number}", filterPattern="x", metricTransformations=[
                {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}])
            logs.put_resource_policy(policyName=f"p{number}", policyDocument=json.dumps({"Statement": {
                "Effect": "Allow", "Principal": "*", "Action": "logs:*", "Resource": "*"}}))
            logs.put_query_definition(name=f"q{number}", queryString="limit 1")
            logs.start_query(logGroupName="g0", startTime=0, endTime=1, queryString="limit 1")
            events.create_event_bus(Name=f"b{number}")
            events.put_rule(Name=f"r{number}", EventPattern='{"source": ["a"]}')
            events.put_targets(Rule=f"r{number}", Targets=[{"Id": str(n), "Arn": GROUP} for n in range(3)])
            secrets.create_secret(Name=f"s{number}", SecretString="x")
            cloud.client("ssm").put_parameter(Name=f"/p/{number}", Value="x", Type="String")
            cloud.client("ssm").put_parameter(Name="/p/0", Value=f"{number}", Type="String", Overwrite=True)
            cloud.client("cloudwatch").put_metric_alarm(
                AlarmName=f"a{number}", Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
                Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore")
            redrive = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:q0", "maxReceiveCount": 1}
            queues.create_queue(QueueName=f"q{number}", Attributes={"RedrivePolicy": json.dumps(redrive)} if number else {})
        eventually(lambda: len(logs.describe_queries(status="Complete")["queries"]) == 3, "three queries are complete")
        for number in range(101):  # a page of these is a hundred
            topics.create_topic(Name=f"t{number}")
            topics.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:000000000000:q{number}")
        pages = {}
        for (service, name), (arguments, items) in PAGED.items():
            api = cloud.client(service)
            pages[service, name] = call(api, name, **arguments)
        cloud.interrupt()
        cloud.up()
        yield cloud, pages


def functions(cloud):
    """Three of them."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a.py", "")
    trust = TRUST.replace("ec2", "lambda")
    role = cloud.client("iam").create_role(RoleName="runner", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    for number in range(3):
        cloud.client("lambda").create_function(
            FunctionName=f"f{number}", Role=role, Runtime="python3.12", Handler="a.b", Code={"ZipFile": archive.getvalue()})
    api = cloud.client("lambda")
    for name in ("l0", "l1", "l2", "l0", "l0"):
        api.publish_layer_version(LayerName=name, Content={"ZipFile": archive.getvalue()})
    for number in range(2):
        api.update_function_configuration(FunctionName="f0", Timeout=5 + number)
        version = api.publish_version(FunctionName="f0")["Version"]
        api.create_alias(FunctionName="f0", Name=f"a{number}", FunctionVersion=version)
        api.put_function_event_invoke_config(FunctionName="f0", Qualifier=version, MaximumRetryAttempts=1)


def machines(iam, states):
    """Three activities, three machines, and three executions, versions and aliases of the first."""
    from roadstead import eventually
    role = iam.create_role(RoleName="machines", AssumeRolePolicyDocument=TRUST.replace("ec2", "states"))["Role"]["Arn"]
    for number in range(3):
        states.create_activity(name=f"w{number}")
        states.create_state_machine(name=f"m{number}", roleArn=role, definition='{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}')
    for number in range(3):
        states.start_execution(stateMachineArn=MACHINE, name=f"e{number}")
        definition = json.dumps({"StartAt": "S", "States": {"S": {"Type": "Succeed", "Comment": str(number)}}})
        version = states.update_state_machine(stateMachineArn=MACHINE, definition=definition, publish=True)["stateMachineVersionArn"]
        states.create_state_machine_alias(name=f"a{number}", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}])
    eventually(lambda: len(states.list_executions(stateMachineArn=MACHINE, statusFilter="SUCCEEDED")["executions"]) == 3, "three ends")


def identities(iam):
    """Three of each, all of them of the first."""
    iam.create_open_id_connect_provider(Url="https://id.example.com", ThumbprintList=["0" * 40], Tags=TAGS)
    for number in range(3):
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=DOCUMENT, Tags=TAGS)
        iam.create_user(UserName=f"u{number}", Tags=TAGS)
        iam.create_role(RoleName=f"r{number}", AssumeRolePolicyDocument=TRUST, Tags=TAGS)
        iam.create_group(GroupName=f"g{number}")
        iam.create_instance_profile(InstanceProfileName=f"ip{number}")
        iam.add_user_to_group(GroupName=f"g{number}", UserName="u0")
        iam.add_role_to_instance_profile(InstanceProfileName=f"ip{number}", RoleName="r0")
        policy = f"arn:aws:iam::000000000000:policy/p{number}"
        iam.attach_user_policy(UserName="u0", PolicyArn=policy)
        iam.attach_role_policy(RoleName="r0", PolicyArn=policy)
        iam.attach_group_policy(GroupName="g0", PolicyArn=policy)
        iam.put_user_policy(UserName="u0", PolicyName=f"i{number}", PolicyDocument=DOCUMENT)
        iam.put_role_policy(RoleName="r0", PolicyName=f"i{number}", PolicyDocument=DOCUMENT)
        iam.put_group_policy(GroupName="g0", PolicyName=f"i{number}", PolicyDocument=DOCUMENT)
        iam.create_policy_version(PolicyArn=POLICY, PolicyDocument=DOCUMENT)
    for number in (1, 2):
        iam.add_user_to_group(GroupName="g0", UserName=f"u{number}")
        iam.create_access_key(UserName="u0")


def following(answer, token):
    """The token in an answer, which mostly has the name that it has in requests."""
    return answer.get(token, answer.get(f"Next{token}"))


def call(api, name, **arguments):
    return getattr(api, xform_name(name))(**arguments)


@pytest.mark.parametrize("service,name,token", paged_operations())
def test_tokens_survive_a_restart_and_cannot_be_forged(many, service, name, token):
    cloud, pages = many
    if (service, name) not in PAGED:
        pytest.skip(f"PAGED says nothing of {service} {name}")
    api = cloud.client(service)
    arguments, items = PAGED[service, name]
    first = pages[service, name]
    # The listing goes on where it was, to the end, without a gap or an item twice.
    seen, answer = list(first[items]), first
    for _ in range(100):
        if following(answer, token) is None:
            break
        answer = call(api, name, **arguments, **{token: following(answer, token)})
        seen += answer[items]
    whole = {key: value for key, value in arguments.items() if not key.lower().startswith(("max", "limit"))}
    if whole != arguments:  # else nobody can ask for more than a page
        assert seen == call(api, name, **whole)[items]
    assert len({repr(item) for item in seen}) == len(seen)
    assert len(seen) > len(first[items])
    # Any other text is refused: changed anywhere, cut, made up, of another listing, or another account's.
    real = following(first, token)
    other = next(page[t] for (s, n), page in pages.items() for t in TOKENS if n != name and t in page)
    changed = [real[:at] + ("A" if real[at] != "A" else "B") + real[at + 1:] for at in (0, 7, len(real) // 2)]
    for forged in [*changed, real[:-4], real + "AAAA", "AAAA", "1", other]:
        assert code(getattr(api, xform_name(name)), **arguments, **{token: forged}) in REFUSED, forged
    foreign = [cloud.client(service, account="111111111111")]
    if service != "iam":  # which is of no region
        foreign.append(cloud.client(service, region="eu-west-1"))
    for elsewhere in foreign:
        # Or what it lists is not there at all.
        assert code(getattr(elsewhere, xform_name(name)), **arguments, **{token: real}) in REFUSED | {
            "ClusterNotFoundException", "NoSuchEntity", "ParameterNotFound", "ResourceNotFoundException",
            "InvalidArn", "AWS.SimpleQueueService.NonExistentQueue", "AWS.SimpleQueueService.UnsupportedOperation"}
