"""What becomes of tasks, as events on the default bus that a rule writes to a log group."""

import json

from dateutil.parser import isoparse
from roadstead import eventually

TASK = "ECS Task State Change"


def rule_into_a_group(cloud, name, pattern):
    events, logs = cloud.client("events"), cloud.client("logs")
    logs.create_log_group(logGroupName=f"/events/{name}")
    cloud.let_rules_write_logs()
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    arn = f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:/events/{name}"
    answer = events.put_targets(Rule=name, Targets=[{"Id": "log", "Arn": arn}])
    assert answer["FailedEntryCount"] == 0


def written(cloud, name, arn):
    """The events about an ARN in the group, in the order of their versions, each once."""
    found = cloud.client("logs").filter_log_events(logGroupName=f"/events/{name}")["events"]
    events = [json.loads(event["message"]) for event in found]
    mine = {event["detail"]["version"]: event for event in events if event["resources"] == [arn]}
    return [mine[version] for version in sorted(mine)]


def as_described(detail):
    """Times as boto3 has them, and without what events alone have."""
    assert isoparse(detail["updatedAt"])
    return {name: isoparse(value) if name.endswith("At") else value
            for name, value in detail.items() if name != "updatedAt"}


def test_a_task_that_stopped_is_told_as_it_is_described(cloud):
    rule_into_a_group(cloud, "stopped", {
        "source": ["aws.ecs"], "detail-type": [TASK], "detail": {"lastStatus": ["STOPPED"]}})
    rule_into_a_group(cloud, "all", {"source": ["aws.ecs"], "detail-type": [TASK]})
    definition = cloud.define("told", {"name": "app", "image": "busybox", "command": ["sleep", "600"]})
    arn = cloud.run(definition)
    running = cloud.until(arn, "RUNNING")

    def told(status, version=None):
        return [event for event in written(cloud, "all", arn)
                if event["detail"]["lastStatus"] == status and version in (None, event["detail"]["version"])]

    event, = eventually(lambda: told("RUNNING", running["version"]), "the event of the running task")
    assert as_described(event["detail"]) == running
    assert written(cloud, "stopped", arn) == []

    stopped = cloud.stop(arn)
    event, = eventually(lambda: written(cloud, "stopped", arn), "the event of the stopped task")
    assert as_described(event["detail"]) == stopped
    assert (event["source"], event["detail-type"], event["account"], event["region"]) == (
        "aws.ecs", TASK, cloud.account, cloud.region)
    eventually(lambda: told("STOPPED"), "the last event")
    states = [(event["detail"]["lastStatus"], event["detail"]["desiredStatus"]) for event in written(cloud, "all", arn)]
    assert states == [("PROVISIONING", "RUNNING"), ("PENDING", "RUNNING"), ("RUNNING", "RUNNING"), ("RUNNING", "STOPPED"),
                      ("STOPPING", "STOPPED"), ("DEPROVISIONING", "STOPPED"), ("STOPPED", "STOPPED")]


def test_no_event_is_lost_in_a_crash(fresh):
    cloud = fresh("crash")
    rule_into_a_group(cloud, "stopped", {
        "source": ["aws.ecs"], "detail-type": [TASK], "detail": {"lastStatus": ["STOPPED"]}})
    definition = cloud.define("short", {"name": "app", "image": "busybox", "command": ["true"]})
    arns = [cloud.run(definition) for _ in range(3)]
    for arn in arns:
        cloud.until(arn, "STOPPED")
        cloud.kill()
        cloud.up()
    for arn in arns:
        described = cloud.until(arn, "STOPPED")
        event, = eventually(lambda arn=arn: written(cloud, "stopped", arn), "the event of the stopped task")
        assert as_described(event["detail"]) == described


def test_a_container_instance_is_told_of_when_its_agent_comes_back(fresh):
    cloud = fresh("agent")
    rule_into_a_group(cloud, "instances", {"source": ["aws.ecs"], "detail-type": ["ECS Container Instance State Change"]})
    cloud.kill()
    cloud.up()
    instance, = cloud.ecs.list_container_instances()["containerInstanceArns"]

    def connected():
        return [event for event in written(cloud, "instances", instance) if event["detail"]["agentConnected"]]

    event = eventually(connected, "the event of the connected agent")[-1]
    assert (event["detail"]["status"], event["resources"]) == ("ACTIVE", [instance])


def test_a_cron_rule_starts_a_task_each_minute_across_a_crash(fresh):
    cloud = fresh()
    iam, events = cloud.client("iam"), cloud.client("events")
    trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    run = {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*"}
    document = lambda *statements: json.dumps({"Version": "2012-10-17", "Statement": statements})
    role = iam.create_role(RoleName="starter", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="starter", PolicyName="run", PolicyDocument=document(run))
    definition = cloud.define("tick", {"name": "app", "image": "busybox", "command": ["sleep", "600"]})
    events.put_rule(Name="each-minute", ScheduleExpression="cron(0/1 * * * ? *)")
    events.put_targets(Rule="each-minute", Targets=[{
        "Id": "task", "RoleArn": role, "Arn": f"arn:aws:ecs:{cloud.region}:{cloud.account}:cluster/default",
        "EcsParameters": {"TaskDefinitionArn": definition, "TaskCount": 1, "LaunchType": "EC2",
                          "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": [cloud.subnet()]}}}}])

    def started():
        arns = cloud.ecs.list_tasks(startedBy="events-rule/each-minute")["taskArns"]
        return cloud.ecs.describe_tasks(tasks=arns)["tasks"] if arns else []

    first, = eventually(started, "the task of a minute")
    cloud.kill()
    cloud.up()
    tasks = eventually(lambda: len(started()) > 1 and started(), "the task of the minute after the crash")
    assert first["taskArn"] in {task["taskArn"] for task in tasks}
    # One each minute: no tick twice, and the one during the crash, if any, neither lost nor doubled.
    minutes = sorted(task["createdAt"].timestamp() // 60 for task in tasks)
    assert len(set(minutes)) == len(minutes)
