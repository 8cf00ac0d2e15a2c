"""What one call is answered, the next one sees: made, shown, changed, shown, deleted, shown, without a wait in between and
by two clients at a time."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from roadstead import Roadstead

ROUNDS = 20
PASS = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
WAIT = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": True}}})


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=()) as roadstead:
        roadstead.machines = roadstead.role("machines", "states.amazonaws.com")
        yield roadstead


@contextlib.contextmanager
def gone(*codes):
    """What is asked for is not there."""
    with pytest.raises(ClientError) as refused:
        yield
    assert refused.value.response["Error"]["Code"] in codes


def queues(cloud, name):
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    for delay in ("1", "2"):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": delay})
        shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
        assert shown["Attributes"] == {"DelaySeconds": delay}
    sqs.tag_queue(QueueUrl=url, Tags={"a": "1"})
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "1"}
    sqs.delete_queue(QueueUrl=url)
    with gone("AWS.SimpleQueueService.NonExistentQueue"):
        sqs.get_queue_url(QueueName=name)
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=name)


def topics(cloud, name):
    sns = cloud.client("sns")
    arn = sns.create_topic(Name=name)["TopicArn"]
    sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="d")
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"] == "d"
    queue = f"arn:aws:sqs:{cloud.region}:{cloud.account}:nobody"
    subscription = sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    assert [one["Endpoint"] for one in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]] == [queue]
    sns.unsubscribe(SubscriptionArn=subscription)
    assert sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"] == []
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SubscriptionsDeleted"] == "1"
    sns.delete_topic(TopicArn=arn)
    with gone("NotFound"):
        sns.get_topic_attributes(TopicArn=arn)


def rules(cloud, name):
    events = cloud.client("events")
    events.create_event_bus(Name=name)
    of = {"EventBusName": name}
    rule = events.put_rule(Name="r", EventPattern='{"source": ["s"]}', **of)["RuleArn"]
    assert events.describe_rule(Name="r", **of)["State"] == "ENABLED"
    events.disable_rule(Name="r", **of)
    assert [one["State"] for one in events.list_rules(**of)["Rules"]] == ["DISABLED"]
    events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": f"arn:aws:sqs:{cloud.region}:{cloud.account}:nobody"}], **of)
    assert [one["Id"] for one in events.list_targets_by_rule(Rule="r", **of)["Targets"]] == ["t"]
    events.tag_resource(ResourceARN=rule, Tags=[{"Key": "a", "Value": "1"}])
    assert events.list_tags_for_resource(ResourceARN=rule)["Tags"] == [{"Key": "a", "Value": "1"}]
    events.remove_targets(Rule="r", Ids=["t"], **of)
    events.delete_rule(Name="r", **of)
    assert events.list_rules(**of)["Rules"] == []
    events.delete_event_bus(Name=name)
    put = events.put_events(Entries=[{"Source": "s", "DetailType": "t", "Detail": "{}", **of}])
    assert put["FailedEntryCount"] == 1
    with gone("ResourceNotFoundException"):
        events.describe_event_bus(Name=name)


def groups(cloud, name):
    logs = cloud.client("logs")
    of = {"logGroupName": name}
    logs.create_log_group(**of)
    logs.create_log_stream(logStreamName="s", **of)
    assert [one["logStreamName"] for one in logs.describe_log_streams(**of)["logStreams"]] == ["s"]
    for days in (3, 5):
        logs.put_retention_policy(retentionInDays=days, **of)
        shown, = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        assert shown["retentionInDays"] == days
    transformation = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    logs.put_metric_filter(filterName="f", filterPattern="x", metricTransformations=[transformation], **of)
    assert [one["filterName"] for one in logs.describe_metric_filters(**of)["metricFilters"]] == ["f"]
    logs.delete_metric_filter(filterName="f", **of)
    assert logs.describe_metric_filters(**of)["metricFilters"] == []
    logs.delete_log_group(**of)
    assert logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] == []
    with gone("ResourceNotFoundException"):
        logs.describe_log_streams(**of)


def alarms(cloud, name):
    metrics = cloud.client("cloudwatch")

    def put(threshold):
        metrics.put_metric_alarm(
            AlarmName=name, Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=threshold, ComparisonOperator="GreaterThanThreshold", ActionsEnabled=False)
        shown, = metrics.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        assert shown["Threshold"] == threshold
    put(1.0)
    put(2.0)
    metrics.disable_alarm_actions(AlarmNames=[name])
    metrics.put_composite_alarm(AlarmName=f"{name}-c", AlarmRule=f"ALARM({name})")
    metrics.delete_alarms(AlarmNames=[f"{name}-c"])
    metrics.delete_alarms(AlarmNames=[name])
    shown = metrics.describe_alarms(AlarmNamePrefix=name, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert shown["MetricAlarms"] == shown["CompositeAlarms"] == []
    metrics.put_dashboard(DashboardName=name, DashboardBody='{"widgets": []}')
    assert len(metrics.list_dashboards(DashboardNamePrefix=name)["DashboardEntries"]) == 1
    metrics.delete_dashboards(DashboardNames=[name])
    assert metrics.list_dashboards(DashboardNamePrefix=name)["DashboardEntries"] == []


def machines(cloud, name):
    states = cloud.client("stepfunctions")
    arn = states.create_state_machine(name=name, definition=PASS, roleArn=cloud.machines)["stateMachineArn"]
    assert states.describe_state_machine(stateMachineArn=arn)["definition"] == PASS
    states.update_state_machine(stateMachineArn=arn, definition=WAIT)
    assert states.describe_state_machine(stateMachineArn=arn)["definition"] == WAIT
    version = states.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    listed = states.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    assert [one["stateMachineVersionArn"] for one in listed] == [version]
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    listed = states.list_executions(stateMachineArn=arn)["executions"]
    assert [one["executionArn"] for one in listed] == [execution]
    states.stop_execution(executionArn=execution)
    assert states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"] == []
    states.delete_state_machine(stateMachineArn=arn)
    activity = states.create_activity(name=name)["activityArn"]
    assert activity in [one["activityArn"] for one in states.list_activities(maxResults=1000)["activities"]]
    states.delete_activity(activityArn=activity)
    with gone("ActivityDoesNotExist"):
        states.describe_activity(activityArn=activity)


def identities(cloud, name):
    iam = cloud.client("iam")
    cloud.role(name, "ec2.amazonaws.com")
    iam.update_role(RoleName=name, Description="d")
    assert iam.get_role(RoleName=name)["Role"]["Description"] == "d"
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]})
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["p"]
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    with gone("NoSuchEntity"):
        iam.get_role(RoleName=name)
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    assert [one["AccessKeyId"] for one in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]] == [key]
    iam.delete_access_key(UserName=name, AccessKeyId=key)
    iam.delete_user(UserName=name)
    with gone("NoSuchEntity"):
        iam.get_user(UserName=name)


def values(cloud, name):
    ssm, secrets = cloud.client("ssm"), cloud.client("secretsmanager")
    for value in ("1", "2"):
        ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
        assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == value
    ssm.delete_parameter(Name=name)
    with gone("ParameterNotFound"):
        ssm.get_parameter(Name=name)
    secrets.create_secret(Name=name, SecretString="1")
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "1"
    secrets.put_secret_value(SecretId=name, SecretString="2")
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "2"
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    with gone("ResourceNotFoundException"):
        secrets.describe_secret(SecretId=name)


def networks(cloud, name):
    ec2 = cloud.ec2
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    assert len(ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]) == 1
    group = ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=1, ToPort=1, CidrIp="10.0.0.0/8")
    shown, = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert len(shown["IpPermissions"]) == 1
    interface = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]["NetworkInterfaceId"]
    assert len(ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]) == 1
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
    with gone("InvalidVpcID.NotFound"):
        ec2.describe_vpcs(VpcIds=[vpc])


def services(cloud, name):
    ecs = cloud.ecs
    ecs.create_cluster(clusterName=name)
    assert [one["status"] for one in ecs.describe_clusters(clusters=[name])["clusters"]] == ["ACTIVE"]
    container = {"name": "c", "image": "busybox", "memory": 32}
    definition = ecs.register_task_definition(family=name, containerDefinitions=[container])["taskDefinition"]
    definition = definition["taskDefinitionArn"]
    assert ecs.list_task_definitions(familyPrefix=name)["taskDefinitionArns"] == [definition]
    of = {"cluster": name, "service": name}
    ecs.create_service(cluster=name, serviceName=name, taskDefinition=definition, desiredCount=0)
    ecs.update_service(desiredCount=1, **of)
    shown, = ecs.describe_services(cluster=name, services=[name])["services"]
    assert shown["desiredCount"] == 1
    arn = shown["serviceArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "1"}]
    ecs.delete_service(force=True, **of)
    shown, = ecs.describe_services(cluster=name, services=[name])["services"]
    assert shown["status"] in ("DRAINING", "INACTIVE")
    ecs.deregister_task_definition(taskDefinition=definition)
    assert ecs.list_task_definitions(familyPrefix=name)["taskDefinitionArns"] == []


@pytest.mark.parametrize("course", [
    queues, topics, rules, groups, alarms, machines, identities, values, networks, services], ids=lambda course: course.__name__)
def test_each_call_sees_what_was_answered_before(cloud, course):
    def client(number):
        for turn in range(ROUNDS):
            # One of them takes the same name again and again, where a name that was deleted is free at once.
            again = number == 0 and course not in (queues, machines, services)
            course(cloud, f"{course.__name__}-again" if again else f"{course.__name__}-{number}-{turn}")

    with ThreadPoolExecutor(2) as clients:
        list(clients.map(client, range(2)))
