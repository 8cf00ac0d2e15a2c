"""Rules as the aws CLI and boto3 make them: patterns, schedules, targets."""

import json

import pytest
from botocore.exceptions import ClientError


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


def test_faults_are_told_with_their_place(events):
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
        assert f"at position {position}:" in error["Message"], error


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
