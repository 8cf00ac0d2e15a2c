"""Log groups as the aws CLI and boto3 use them, also over a crash, and as a target of rules."""

import json
import time

import pytest
from botocore.exceptions import ClientError
from roadstead import eventually


def now():
    return int(time.time() * 1000)


def test_lines_go_in_and_come_out_by_the_cli(cloud, tmp_path):
    cloud.aws("logs", "create-log-group", "--log-group-name", "/cli/app", "--tags", "team=a")
    cloud.aws("logs", "create-log-stream", "--log-group-name", "/cli/app", "--log-stream-name", "one")
    lines = tmp_path / "lines.json"
    lines.write_text(json.dumps([
        {"timestamp": now() - 2000, "message": "ERROR first"}, {"timestamp": now() - 1000, "message": "fine"},
        {"timestamp": now(), "message": '{"status": 503, "who": "ü"}'}]))
    cloud.aws("logs", "put-log-events", "--log-group-name", "/cli/app", "--log-stream-name", "one",
              "--log-events", f"file://{lines}")
    read = cloud.aws("logs", "get-log-events", "--log-group-name", "/cli/app", "--log-stream-name", "one")
    assert [event["message"] for event in read["events"]] == ["ERROR first", "fine", '{"status": 503, "who": "ü"}']
    found = cloud.aws("logs", "filter-log-events", "--log-group-name", "/cli/app", "--filter-pattern", "{ $.status = 5* }")
    assert len(found["events"]) == 1
    groups = cloud.aws("logs", "describe-log-groups", "--log-group-name-prefix", "/cli/")
    assert groups["logGroups"][0]["storedBytes"] > 0
    cloud.aws("logs", "delete-log-group", "--log-group-name", "/cli/app")


def test_acknowledged_lines_survive_a_crash(fresh):
    cloud = fresh("crash")
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/a")
    logs.create_log_stream(logGroupName="/a", logStreamName="s")
    for number in range(20):
        logs.put_log_events(logGroupName="/a", logStreamName="s",
                            logEvents=[{"timestamp": now(), "message": f"line {number}"}])
    cloud.kill()
    cloud.up()
    events = logs.get_log_events(logGroupName="/a", logStreamName="s", startFromHead=True)["events"]
    assert [event["message"] for event in events] == [f"line {number}" for number in range(20)]


def test_paginators_read_everything_once(cloud):
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/pages")
    for stream in ("a", "b"):
        logs.create_log_stream(logGroupName="/pages", logStreamName=stream)
        logs.put_log_events(logGroupName="/pages", logStreamName=stream, logEvents=[
            {"timestamp": now() - 1000 + number, "message": f"{stream}{number}"} for number in range(25)])
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/pages", PaginationConfig={"PageSize": 7})
    seen = [event["message"] for page in pages for event in page["events"]]
    assert len(seen) == 50 and len(set(seen)) == 50
    streams = logs.get_paginator("describe_log_streams").paginate(logGroupName="/pages", PaginationConfig={"PageSize": 1})
    assert [stream["logStreamName"] for page in streams for stream in page["logStreams"]] == ["a", "b"]


def test_faults_are_told_in_the_services_words(cloud):
    logs = cloud.client("logs")
    with pytest.raises(ClientError) as caught:
        logs.get_log_events(logGroupName="/nowhere", logStreamName="s")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert caught.value.response["Error"]["Message"] == "The specified log group does not exist."
    logs.create_log_group(logGroupName="/faults")
    with pytest.raises(ClientError) as caught:
        logs.filter_log_events(logGroupName="/faults", filterPattern="{ $.a = 1 && }")
    assert "at position 13" in caught.value.response["Error"]["Message"]


def test_a_subscription_needs_a_function_that_can_be_called(cloud):
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/subscribed")
    function = "arn:aws:lambda:us-east-1:000000000000:function:nowhere"
    queue = "arn:aws:sqs:us-east-1:000000000000:q"
    for destination, words in [
            (function, "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function."),
            (queue, "PutSubscriptionFilter operation cannot work with destinationArn for vendor sqs")]:
        with pytest.raises(ClientError) as caught:
            logs.put_subscription_filter(logGroupName="/subscribed", filterName="f", filterPattern="", destinationArn=destination)
        error = caught.value.response["Error"]
        assert (error["Code"], error["Message"]) == ("InvalidParameterException", words)
    described = cloud.aws("logs", "describe-subscription-filters", "--log-group-name", "/subscribed")
    assert described == {"subscriptionFilters": []}
    with pytest.raises(ClientError) as caught:
        logs.delete_subscription_filter(logGroupName="/subscribed", filterName="f")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_rule_writes_what_it_matches_to_a_log_group(cloud):
    events, logs = cloud.client("events"), cloud.client("logs")
    logs.create_log_group(logGroupName="/events/orders")
    cloud.let_rules_write_logs()
    events.put_rule(Name="orders", EventPattern=json.dumps({"source": ["shop"], "detail": {"amount": [{"numeric": [">", 10]}]}}))
    arn = f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:/events/orders"
    answer = events.put_targets(Rule="orders", Targets=[{"Id": "log", "Arn": arn}])
    assert answer["FailedEntryCount"] == 0
    events.put_events(Entries=[
        {"Source": "shop", "DetailType": "Order", "Detail": json.dumps({"amount": amount})} for amount in (5, 50)])

    def written():
        found = logs.filter_log_events(logGroupName="/events/orders")["events"]
        return [json.loads(event["message"]) for event in found]

    lines = eventually(written, "the event in the log group")
    assert [line["detail"]["amount"] for line in lines] == [50]
    assert lines[0]["detail-type"] == "Order" and lines[0]["account"] == cloud.account


def test_a_schedule_ticks_each_minute_into_a_log_group(cloud):
    events, logs = cloud.client("events"), cloud.client("logs")
    logs.create_log_group(logGroupName="/events/ticks")
    events.put_rule(Name="ticks", ScheduleExpression="cron(0/1 * * * ? *)")
    arn = f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:/events/ticks"
    events.put_targets(Rule="ticks", Targets=[{"Id": "log", "Arn": arn}])
    ticks = eventually(lambda: logs.filter_log_events(logGroupName="/events/ticks")["events"], "a tick")
    assert json.loads(ticks[0]["message"])["time"].endswith(":00Z")
    events.remove_targets(Rule="ticks", Ids=["log"])
    events.delete_rule(Name="ticks")


def test_what_the_model_forbids_is_an_invalid_parameter(fresh):
    """The service has no ValidationException for it, as others have."""
    logs = fresh("forbidden").client("logs", parameter_validation=False)
    event = [{"timestamp": 1, "message": "x"}, {"timestamp": 1, "message": ""}]
    for call, arguments, words in (
        (logs.create_log_group, {"logGroupName": "a b"},
         "Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
        (logs.describe_log_groups, {"limit": 51},
         "Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50"),
        (logs.describe_log_streams, {"logGroupName": "a", "orderBy": "size"},
         "Value 'size' at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]"),
        (logs.put_log_events, {"logGroupName": "a", "logStreamName": "s", "logEvents": event},
         "Value '' at 'logEvents.2.member.message' failed to satisfy constraint: Member must have length greater than or equal to 1"),
        (logs.create_log_stream, {"logGroupName": "a"},
         "Value null at 'logStreamName' failed to satisfy constraint: Member must not be null"),
    ):
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        error = caught.value.response["Error"]
        assert error["Code"] == "InvalidParameterException", error
        assert error["Message"].startswith(f"1 validation error detected: {words}"), error
