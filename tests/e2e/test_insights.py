"""Queries of Insights as boto3 and the aws CLI use them."""

import json
import time

import pytest
from botocore.exceptions import ClientError
from roadstead import eventually

LINES = [
    {"level": "INFO", "ms": 12, "user": {"id": "a"}},
    {"level": "ERROR", "ms": 250, "user": {"id": "b"}},
    {"level": "INFO", "ms": 30, "user": {"id": "a"}},
]


def filled(cloud, group):
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(time.time() * 1000)
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[
        {"timestamp": now - 3000 + 1000 * number, "message": json.dumps(line)} for number, line in enumerate(LINES)])
    return logs


def ask(logs, text, *groups, **more):
    now = int(time.time())
    query = logs.start_query(logGroupNames=list(groups), startTime=now - 600, endTime=now, queryString=text, **more)["queryId"]
    return eventually(lambda: ended(logs, query), "the query ends")


def ended(logs, query):
    answer = logs.get_query_results(queryId=query)
    return answer if answer["status"] not in ("Scheduled", "Running") else None


def rows(answer):
    assert answer["status"] == "Complete"
    return [{field["field"]: field["value"] for field in row if field["field"] != "@ptr"} for row in answer["results"]]


def test_queries_answer_what_is_in_the_lines(cloud):
    logs = filled(cloud, "/insights/a")
    filled(cloud, "/insights/b")
    answer = ask(logs, "filter level = 'INFO' | fields ms, user.id | sort ms desc", "/insights/a")
    assert rows(answer) == [{"ms": "30", "user.id": "a"}, {"ms": "12", "user.id": "a"}]
    assert answer["statistics"]["recordsScanned"] == 3 and answer["statistics"]["recordsMatched"] == 2
    grouped = ask(logs, "stats count(*) as n, max(ms) as most by level | sort n desc", "/insights/a", "/insights/b")
    assert rows(grouped) == [{"level": "INFO", "n": "4", "most": "30"}, {"level": "ERROR", "n": "2", "most": "250"}]
    pointer = next(field["value"] for field in answer["results"][0] if field["field"] == "@ptr")
    assert logs.get_log_record(logRecordPointer=pointer)["logRecord"]["user.id"] == "a"
    names = {field["name"] for field in logs.get_log_group_fields(logGroupName="/insights/a")["logGroupFields"]}
    assert {"@message", "level", "ms", "user.id"} <= names


def test_a_fault_is_told_with_its_place(cloud):
    logs = filled(cloud, "/insights/faults")
    with pytest.raises(ClientError) as refused:
        ask(logs, "fields ms | felds ms", "/insights/faults")
    assert refused.value.response["Error"]["Code"] == "MalformedQueryException"
    location = refused.value.response["queryCompileError"]["location"]
    assert (location["startCharOffset"], location["endCharOffset"]) == (12, 17)


def test_the_cli_asks_too_and_results_outlive_a_crash(fresh):
    cloud = fresh("insights")
    logs = filled(cloud, "/a")
    now = int(time.time())
    query = cloud.aws("logs", "start-query", "--log-group-name", "/a", "--start-time", str(now - 600), "--end-time", str(now),
                      "--query-string", "stats pct(ms, 50) as median by bin(1h)")["queryId"]
    before = eventually(lambda: ended(logs, query), "the query ends")
    cloud.kill()
    cloud.up()
    assert rows(logs.get_query_results(queryId=query)) == rows(before)
    listed = cloud.aws("logs", "describe-queries", "--log-group-name", "/a")["queries"]
    assert [(one["queryId"], one["status"]) for one in listed] == [(query, "Complete")]
    saved = cloud.aws("logs", "put-query-definition", "--name", "median", "--query-string", "stats pct(ms, 50)")
    shown = cloud.aws("logs", "describe-query-definitions")["queryDefinitions"]
    assert [one["queryDefinitionId"] for one in shown] == [saved["queryDefinitionId"]]


def test_lines_are_followed_as_they_come(cloud):
    logs = filled(cloud, "/tail/a")
    arn = logs.describe_log_groups(logGroupNamePrefix="/tail/a")["logGroups"][0]["logGroupArn"]
    # Without the prefix that clients put before the host, which an address cannot have.
    tailing = cloud.client("logs", inject_host_prefix=False)
    with pytest.raises(ClientError) as refused:
        tailing.start_live_tail(logGroupIdentifiers=["/tail/a"])
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    stream = tailing.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern="wanted")["responseStream"]
    events = iter(stream)
    start = next(events)["sessionStart"]
    assert start["logGroupIdentifiers"] == [arn] and start["sessionId"]
    logs.put_log_events(logGroupName="/tail/a", logStreamName="s", logEvents=[
        {"timestamp": int(time.time() * 1000), "message": message} for message in ("wanted 1", "other", "wanted \u00fc")])
    seen = []
    while len(seen) < 2:
        update = next(events)["sessionUpdate"]
        assert update["sessionMetadata"] == {"sampled": False}
        seen += [(line["message"], line["logStreamName"], line["logGroupIdentifier"]) for line in update["sessionResults"]]
    assert seen == [("wanted 1", "s", arn), ("wanted \u00fc", "s", arn)]
    stream.close()
