"""Every member that the coverage tables call refused is refused by its name, with the code they state."""

import io
import json
import time
import tomllib
import zipfile

import botocore.session
import pytest
from botocore.exceptions import ClientError
from roadstead import ROOT

SERVICES = ("cloudwatch", "ecs", "ec2", "events", "iam", "lambda", "logs", "secretsmanager", "sns", "ssm", "stepfunctions", "sts")
# Not sqs: its refusals are the entries' own, or in words of the service that name no member; its handlers' tests read them.
# The client itself goes elsewhere with these, or not at all without a library of its own; the handlers' tests send them.
NOT_BY_CLIENT = {"PutEvents.EndpointId", "StartSyncExecution.traceHeader"} | {
    # Refused entry by entry, in an answer that is none of an error.
    f"PublishBatch.PublishBatchRequestEntries.{_member}" for _member in ("MessageDeduplicationId", "MessageGroupId")}


def refused():
    for service in SERVICES:
        verdicts = tomllib.loads((ROOT / f"docs/coverage/{service}.toml").read_text())
        for operation, members in verdicts.items():
            for member, verdict in members.items():
                parts = [part.strip() for part in verdict.split(";")]
                if f"{operation}.{member}" in NOT_BY_CLIENT:
                    continue
                if all(part.startswith("refused:") for part in parts):
                    code = parts[0].removeprefix("refused:").split()[0]
                    yield pytest.param(service, operation, member, code, names(members, member), id=f"{operation}.{member}")


def names(members, member):
    """What the refusal may name: the member, or what it stands in, if that is refused as a whole."""
    path = member.split(".")
    around = [".".join(path[:length]) for length in range(1, len(path))]
    return [path[-1], *(name.split(".")[-1] for name in around if members.get(name, "").startswith("refused:"))]


def sample(shape, depth=0):
    """A value that asks for something."""
    if shape.type_name == "structure":
        names = shape.required_members or list(shape.members)
        return {name: sample(shape.members[name], depth + 1) for name in names if depth < 6}
    if shape.type_name == "list":
        return [sample(shape.member, depth + 1)]
    if shape.type_name == "map":
        return {"key": sample(shape.value, depth + 1)}
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else "value"
    if shape.type_name in ("integer", "long"):
        return max(1, shape.metadata.get("min", 1))
    return {"boolean": True, "double": 1.0, "float": 1.0, "timestamp": 1_700_000_000, "blob": b"x"}[shape.type_name]


# Values of a form that the model asks for.
VALUES = {
    "CreateEventBus.EventSourceName": "aws.partner/a/b",
    "PutSecretValue.RotationToken": "x" * 40,
    "SimulateCustomPolicy.ResourceHandlingOption": "EC2-VPC-InstanceStore",
    "SimulatePrincipalPolicy.ResourceHandlingOption": "EC2-VPC-InstanceStore",
    "DescribeLogGroups.accountIdentifiers": ["000000000000"],
    "ListLogGroups.accountIdentifiers": ["000000000000"],
    "PutMetricData.EntityMetricData": [{"MetricData": [{"MetricName": "m", "Value": 1.0}]}],
    "ListMetrics.OwningAccount": "000000000000",
    "PutLogEvents.entity": {"attributes": {"a": "b"}},
    "CreateSecret.AddReplicaRegions": [{"Region": "eu-west-1"}],
    "AssumeRole.SerialNumber": "arn:aws:iam::000000000000:mfa/a",
    "GetSessionToken.SerialNumber": "arn:aws:iam::000000000000:mfa/a",
    "AssumeRole.TokenCode": "123456",
    "CreateFunction.CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": "arn:aws:lambda:us-east-1:000000000000:capacity-provider:a"}},
    "CreateFunction.CodeSigningConfigArn": "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-00000000000000000",
    "CreateFunction.Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:a:1"],
    "CreateFunction.Code.SourceKMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/a",
    "ListFunctions.MasterRegion": "ALL",
    "UpdateFunctionCode.SourceKMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/a",
    "UpdateFunctionConfiguration.CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": "arn:aws:lambda:us-east-1:000000000000:capacity-provider:a"}},
    "UpdateFunctionConfiguration.Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:a:1"],
    "AddPermission.PrincipalOrgID": "o-aaaaaaaaaa",
    "AddLayerVersionPermission.OrganizationId": "o-aaaaaaaaaa",
    "GetSessionToken.TokenCode": "123456",
}


# What must stand beside a member, or in it, for the request to get as far as the refusal.
BESIDE = {
    "RegisterTaskDefinition.containerDefinitions.logConfiguration.secretOptions": lambda request: request[
        "containerDefinitions"][0]["logConfiguration"].update(logDriver="json-file"),
}
BESIDE["PutMetricAlarm.Metrics.AccountId"] = lambda request: [request.pop(name) for name in (
    "Namespace", "MetricName", "Statistic", "Period")]
for _member in ("targetId", "targetType"):
    BESIDE[f"RegisterContainerInstance.attributes.{_member}"] = lambda request: request["attributes"][0].update(name="a")
for _kind in ("configuredAtLaunch", "dockerVolumeConfiguration", "efsVolumeConfiguration",
              "fsxWindowsFileServerVolumeConfiguration", "s3filesVolumeConfiguration"):
    BESIDE[f"RegisterTaskDefinition.volumes.{_kind}"] = lambda request: request["volumes"][0].update(name="data")


def put(request, shape, path, value=None):
    """Sets the member at `path`, making the structures around it."""
    name, *rest = path
    inner = shape.members[name]
    if not rest:
        request[name] = sample(inner) if value is None else value
        return
    around, fields = request.setdefault(name, {}), inner
    if inner.type_name == "list":
        request[name] = around = around or [{}]
        around, fields = around[0], inner.member
    if fields.type_name == "map":
        around, fields = around.setdefault("key", {}), fields.value
    put(around, fields, rest, value)
    # What the model wants beside it.
    for needed in fields.required_members:
        around.setdefault(needed, sample(fields.members[needed]))


@pytest.fixture(scope="module")
def bases(cloud):
    """A request of each operation that would be accepted."""
    container = {"name": "app", "image": "busybox", "memory": 16}
    definition = cloud.define("refused", {"name": "app", "image": "busybox"})
    subnet = cloud.subnet()
    network = {"awsvpcConfiguration": {"subnets": [subnet]}}
    described = cloud.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]
    group = cloud.open_group("refused")
    interface = cloud.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    instances = cloud.ecs.list_container_instances(cluster="default")["containerInstanceArns"]
    cloud.client("events").put_rule(Name="refused", ScheduleExpression="rate(1 day)", State="DISABLED")
    target = {"Id": "a", "Arn": f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:/refused"}
    cloud.client("logs").create_log_group(logGroupName="/refused")
    cloud.client("logs").create_log_stream(logGroupName="/refused", logStreamName="s")
    role = f"arn:aws:iam::{cloud.account}:role/refused"
    event = {"Source": "a", "DetailType": "b", "Detail": "{}"}
    metric = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    filtered = {"logGroupName": "/refused", "filterName": "f", "filterPattern": "a", "metricTransformations": [metric]}
    secret = cloud.client("secretsmanager").create_secret(Name="refused", SecretString="x")["ARN"]
    query = {"Id": "a", "MetricStat": {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}}
    alarm = dict(AlarmName="refused", Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1.0,
                 ComparisonOperator="GreaterThanThreshold")
    cloud.ecs.create_service(serviceName="refused", taskDefinition=definition, desiredCount=0, networkConfiguration=network)
    cloud.ecs.create_service(serviceName="refused-3", deploymentController={"type": "EXTERNAL"})
    topic = cloud.client("sns").create_topic(Name="refused")["TopicArn"]
    span = {"StartTime": 1_700_000_000, "EndTime": 1_700_000_600}
    machine = '{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}'
    simulated = {"ActionNames": ["ecs:RunTask"]}
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a.py", "")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    runner = cloud.client("iam").create_role(RoleName="runner", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    function = dict(Role=runner, Runtime="python3.12", Handler="a.b", Code={"ZipFile": archive.getvalue()})
    cloud.client("lambda").create_function(FunctionName="refused", **function)
    return {
        "CreateFunction": lambda: dict(function, FunctionName="new", Code=dict(function["Code"])),
        "Invoke": lambda: dict(FunctionName="refused"),
        "AddPermission": lambda: dict(FunctionName="refused", StatementId="a", Action="lambda:InvokeFunction", Principal="*"),
        "PublishVersion": lambda: dict(FunctionName="refused"),
        "UpdateFunctionCode": lambda: dict(FunctionName="refused"),
        "PublishLayerVersion": lambda: dict(LayerName="refused", Content=dict(function["Code"])),
        "AddLayerVersionPermission": lambda: dict(
            LayerName="refused", VersionNumber=1, StatementId="a", Action="lambda:GetLayerVersion", Principal="*"),
        "UpdateFunctionConfiguration": lambda: dict(FunctionName="refused"),
        "RegisterTaskDefinition": lambda: dict(family="refused", networkMode="awsvpc", containerDefinitions=[dict(container)]),
        "RunTask": lambda: dict(taskDefinition=definition, networkConfiguration=dict(network)),
        "StartTask": lambda: dict(taskDefinition=definition, containerInstances=instances, networkConfiguration=dict(network)),
        "CreateCluster": lambda: dict(clusterName="refused"),
        "CreateCapacityProvider": lambda: dict(name="refused", autoScalingGroupProvider={"autoScalingGroupArn": "group"}),
        "UpdateCapacityProvider": lambda: dict(name="FARGATE"),
        "DeleteCapacityProvider": lambda: dict(capacityProvider="FARGATE"),
        "CreateService": lambda: dict(serviceName="refused-2", taskDefinition=definition, desiredCount=0, networkConfiguration=dict(network)),
        "UpdateService": lambda: dict(service="refused"),
        "CreateTaskSet": lambda: dict(
            cluster="default", service="refused-3", taskDefinition=definition, networkConfiguration=dict(network)),
        "PutMetricAlarm": lambda: dict(alarm),
        "PutCompositeAlarm": lambda: dict(AlarmName="refused", AlarmRule="FALSE"),
        "CreateTopic": lambda: dict(Name="refused-2"),
        "Publish": lambda: dict(TopicArn=topic, Message="x"),
        "PublishBatch": lambda: dict(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "a", "Message": "x"}]),
        "PutParameter": lambda: dict(Name="refused", Value="x", Type="String"),
        "CreateActivity": lambda: dict(name="refused"),
        "TestState": lambda: dict(
            definition='{"Type": "Parallel", "End": true, "Branches": [%s]}' % machine, mock={"errorOutput": {"error": "E"}}),
        "CreateStateMachine": lambda: dict(name="refused", definition=machine, roleArn=role),
        "StartExecution": lambda: dict(stateMachineArn=f"arn:aws:states:{cloud.region}:{cloud.account}:stateMachine:m"),
        "UpdateStateMachine": lambda: dict(stateMachineArn=f"arn:aws:states:{cloud.region}:{cloud.account}:stateMachine:m", roleArn=role),
        "UpdateCluster": lambda: dict(cluster="default"),
        "DeleteAttributes": lambda: dict(attributes=[{"name": "rack", "targetId": instances[0]}]),
        "PutMetricData": lambda: dict(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0}]),
        "GetMetricData": lambda: dict(span, MetricDataQueries=[dict(query)]),
        "CreateEventBus": lambda: dict(Name="refused"),
        "UpdateEventBus": lambda: dict(Name="default"),
        "PutEvents": lambda: dict(Entries=[dict(event)]),
        "PutTargets": lambda: dict(Rule="refused", Targets=[dict(target)]),
        "CreateLogGroup": lambda: dict(logGroupName="/refused-2"),
        "PutLogEvents": lambda: dict(logGroupName="/refused", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "x"}]),
        "PutMetricFilter": lambda: dict(filtered),
        "PutSubscriptionFilter": lambda: dict(
            logGroupName="/refused", filterName="f", filterPattern="", destinationArn="arn:aws:lambda:us-east-1:000000000000:function:f"),
        "CreateSecret": lambda: dict(Name="refused-2", SecretString="x"),
        "UpdateSecret": lambda: dict(SecretId=secret),
        "PutSecretValue": lambda: dict(SecretId=secret, SecretString="y"),
        "SimulateCustomPolicy": lambda: dict(simulated, PolicyInputList=['{"Version": "2012-10-17", "Statement": []}']),
        "SimulatePrincipalPolicy": lambda: dict(simulated, PolicySourceArn=role),
        "AssumeRole": lambda: dict(RoleArn=role, RoleSessionName="session"),
        "CreateVpc": lambda: dict(CidrBlock="10.77.0.0/16"),
        "CreateSubnet": lambda: dict(VpcId=described["VpcId"], CidrBlock="172.31.250.0/24"),
        "CreateSecurityGroup": lambda: dict(GroupName="refused-2", Description="x"),
        "CreateNetworkInterface": lambda: dict(SubnetId=subnet),
        "AssociateVpcCidrBlock": lambda: dict(VpcId=described["VpcId"]),
        "AssociateSubnetCidrBlock": lambda: dict(SubnetId=subnet),
        "ModifySubnetAttribute": lambda: dict(SubnetId=subnet),
        "AssignIpv6Addresses": lambda: dict(NetworkInterfaceId=interface),
        "UnassignIpv6Addresses": lambda: dict(NetworkInterfaceId=interface),
        "ModifyNetworkInterfaceAttribute": lambda: dict(NetworkInterfaceId=interface),
        "AuthorizeSecurityGroupIngress": lambda: dict(GroupId=group, IpPermissions=[dict(rule)]),
        "AuthorizeSecurityGroupEgress": lambda: dict(GroupId=group, IpPermissions=[dict(rule)]),
        "RevokeSecurityGroupIngress": lambda: dict(GroupId=group, IpPermissions=[dict(rule)]),
        "RevokeSecurityGroupEgress": lambda: dict(GroupId=group, IpPermissions=[dict(rule)]),
        "AttachNetworkInterface": lambda: dict(NetworkInterfaceId=interface, InstanceId="i-0123456789abcdef0", DeviceIndex=1),
    }


@pytest.mark.parametrize("service, operation, member, code, names", refused())
def test_refused_members_are_refused_by_name(cloud, bases, service, operation, member, code, names):
    client = cloud.client(service, parameter_validation=False, inject_host_prefix=False)
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape
    request = bases.get(operation, dict)()
    put(request, shape, member.split("."), VALUES.get(f"{operation}.{member}"))
    BESIDE.get(f"{operation}.{member}", lambda request: None)(request)
    method = {v: k for k, v in client.meta.method_to_api_mapping.items()}[operation]
    with pytest.raises(ClientError) as caught:
        getattr(client, method)(**request)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert any(name.lower() in error["Message"].lower() for name in names), error
