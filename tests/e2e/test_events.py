"""Rules as the aws CLI and boto3 make them: patterns, schedules, targets."""

import datetime
import json

import pytest
from botocore.exceptions import ClientError

from roadstead import eventually


@pytest.fixture
def events(cloud):
    return cloud.client("events")


def test_a_rule_lives_as_the_cli_writes_it(cloud, tmp_path):
    pattern = tmp_path / "pattern.json"
    pattern.write_text(json.dumps({"source": ["shop"], "detail": {"amount": [{"numeric": [">", 10]}]}}))
    made = cloud.aws("events", "put-rule", "--name", "large", "--event-pattern", f"file://{pattern}",
                                "--description", "large orders")
    assert made["RuleArn"].endswith(":rule/large")
    shown = cloud.aws("events", "describe-rule", "--name", "large")
    assert shown["State"] == "ENABLED" and json.loads(shown["EventPattern"])["source"] == ["shop"]
    tested = cloud.aws(
        "events", "test-event-pattern", "--event-pattern", f"file://{pattern}", "--event", json.dumps({
            "id": "1", "account": "0", "source": "shop", "time": "t", "region": "r", "resources": [],
            "detail-type": "Order", "detail": {"amount": 11}}))
    assert tested["Result"] is True
    cloud.aws("events", "delete-rule", "--name", "large")
    assert cloud.aws("events", "list-rules")["Rules"] == []


def test_faults_are_told_in_the_services_words(events):
    with pytest.raises(ClientError) as caught:
        events.put_rule(Name="bad", EventPattern='{\n  "source": [{"prefix": 5}]\n}')
    error = caught.value.response["Error"]
    assert error["Code"] == "InvalidEventPatternException"
    assert "line: 2, column: 25" in error["Message"]
    for schedule, position in (("rate(5 minute)", 7), ("cron(0 12 * * MON *)", 14), ("every day", 0)):
        with pytest.raises(ClientError) as caught:
            events.put_rule(Name="bad", ScheduleExpression=schedule)
        error = caught.value.response["Error"]
        assert error["Code"] == "ValidationException"
        assert error["Message"].startswith(f"Parameter ScheduleExpression is not valid. Reason: at position {position}: ")


def test_published_events_are_answered_one_by_one(events):
    answer = events.put_events(Entries=[
        {"Source": "shop", "DetailType": "Order", "Detail": "{}"},
        {"Source": "aws.ecs", "DetailType": "Order", "Detail": "{}"},
        {"Source": "shop", "DetailType": "Order", "Detail": "no json"},
    ])
    assert answer["FailedEntryCount"] == 2
    assert [entry.get("ErrorCode") for entry in answer["Entries"]] == [None, "NotAuthorizedForSource", "MalformedDetail"]


def test_pages_and_paginators(events):
    for number in range(5):
        events.put_rule(Name=f"page-{number}", ScheduleExpression="rate(1 day)", State="DISABLED")
    first = events.list_rules(NamePrefix="page-", Limit=3)
    rest = events.list_rules(NamePrefix="page-", Limit=3, NextToken=first["NextToken"])
    names = [rule["Name"] for page in (first, rest) for rule in page["Rules"]]
    assert names == [f"page-{number}" for number in range(5)] and "NextToken" not in rest
    for name in names:
        events.delete_rule(Name=name)


def test_calls_become_events_and_what_rules_did_becomes_metrics(fresh):
    """Also over an orderly stop: what was counted by then is told."""
    cloud = fresh("calls", clusters=())
    logs, events = cloud.client("logs"), cloud.client("events")
    logs.create_log_group(logGroupName="/calls")
    cloud.let_rules_write_logs()
    pattern = {"source": ["aws.ecs"], "detail-type": ["AWS API Call via CloudTrail"]}
    events.put_rule(Name="calls", EventPattern=json.dumps(pattern))
    group = f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:/calls"
    events.put_targets(Rule="calls", Targets=[{"Id": "log", "Arn": group}])
    ecs = cloud.client("ecs")
    ecs.list_clusters()
    ecs.create_cluster(clusterName="made", tags=[{"key": "team", "value": "a"}])

    def told():
        return [json.loads(line["message"]) for line in logs.filter_log_events(logGroupName="/calls")["events"]]

    event, = eventually(told, "the event of the call")
    detail = event["detail"]
    assert detail["eventName"] == "CreateCluster" and detail["eventSource"] == "ecs.amazonaws.com"
    assert detail["requestParameters"] == {"clusterName": "made", "tags": [{"key": "team", "value": "a"}]}
    assert detail["responseElements"]["cluster"]["clusterName"] == "made"
    assert detail["sourceIPAddress"] == "127.0.0.1" and "Boto3" in detail["userAgent"]
    assert detail["userIdentity"]["type"] == "Root"
    cloud.down(purge=False)
    cloud.up()
    now = datetime.datetime.now(datetime.timezone.utc)
    metrics = cloud.client("cloudwatch")
    for name in ("MatchedEvents", "TriggeredRules", "Invocations"):
        points = metrics.get_metric_statistics(
            Namespace="AWS/Events", MetricName=name, Dimensions=[{"Name": "RuleName", "Value": "calls"}],
            StartTime=now - datetime.timedelta(hours=1), EndTime=now + datetime.timedelta(hours=1),
            Period=3600, Statistics=["Sum"])["Datapoints"]
        assert sum(point["Sum"] for point in points) == 1, name
