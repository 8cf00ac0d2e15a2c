"""Alarms as the aws CLI and boto3 see them: they fire and clear on time, tell of it, and last."""

import json

import pytest
from botocore.exceptions import ClientError

from roadstead import eventually

TOPIC = "arn:aws:sns:us-east-1:000000000000:nobody"


def state(metrics, name):
    found = metrics.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return (found["MetricAlarms"] + found["CompositeAlarms"])[0]


def until(metrics, name, value, feed=lambda: None):
    def reached():
        feed()
        found = state(metrics, name)
        return found if found["StateValue"] == value else None

    return eventually(reached, f"{name} in {value}")


def summaries(metrics, name, kind):
    pages = metrics.get_paginator("describe_alarm_history").paginate(
        AlarmName=name, HistoryItemType=kind, ScanBy="TimestampAscending", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return [item["HistorySummary"] for page in pages for item in page["AlarmHistoryItems"]]


def test_an_alarm_on_seconds_fires_clears_tells_and_lasts(fresh):
    cloud = fresh("alarms", clusters=())
    metrics, logs, events = (cloud.client(name) for name in ("cloudwatch", "logs", "events"))
    logs.create_log_group(logGroupName="/alarms")
    cloud.let_rules_write_logs()
    events.put_rule(Name="alarms", EventPattern=json.dumps(
        {"source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"]}))
    events.put_targets(Rule="alarms", Targets=[
        {"Id": "log", "Arn": f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:/alarms"}])
    cloud.aws("cloudwatch", "put-metric-alarm", "--alarm-name", "busy", "--namespace", "App", "--metric-name", "n",
              "--statistic", "Maximum", "--period", "10", "--evaluation-periods", "1", "--threshold", "5",
              "--comparison-operator", "GreaterThanThreshold", "--alarm-actions", TOPIC, "--tags", "Key=team,Value=a",
              # However long the daemon is away, nothing is fed meanwhile.
              "--treat-missing-data", "ignore")
    cloud.aws("cloudwatch", "wait", "alarm-exists", "--alarm-names", "busy")
    metrics.put_composite_alarm(AlarmName="any", AlarmRule="ALARM(busy)")
    cloud.aws("cloudwatch", "wait", "composite-alarm-exists", "--alarm-names", "any", "--alarm-types", "CompositeAlarm")
    assert state(metrics, "busy")["StateValue"] == "INSUFFICIENT_DATA"

    def feed(value):
        return lambda: metrics.put_metric_data(Namespace="App", MetricData=[
            {"MetricName": "n", "Value": value, "StorageResolution": 1}])

    fired = until(metrics, "busy", "ALARM", feed(9.0))
    assert "was greater than the threshold (5.0)" in fired["StateReason"]
    period = json.loads(fired["StateReasonData"])
    assert period["period"] == 10 and period["recentDatapoints"] == [9.0]
    until(metrics, "any", "ALARM")
    # Nobody takes the action, which is told.
    told = eventually(lambda: summaries(metrics, "busy", "Action"), "the action")
    assert told == [f'Failed to execute action {TOPIC}. Received error: "NotFound: Topic does not exist"']
    cloud.kill()
    cloud.up()
    metrics, logs = cloud.client("cloudwatch"), cloud.client("logs")
    # What it was it is, since when it was, and for the same reason.
    kept = state(metrics, "busy")
    assert {name: kept[name] for name in ("StateValue", "StateReason", "StateTransitionedTimestamp")} == {
        name: fired[name] for name in ("StateValue", "StateReason", "StateTransitionedTimestamp")}
    until(metrics, "busy", "OK", feed(1.0))
    until(metrics, "any", "OK")
    assert summaries(metrics, "busy", "StateUpdate") == [
        "Alarm updated from INSUFFICIENT_DATA to ALARM", "Alarm updated from ALARM to OK"]
    assert summaries(metrics, "busy", "ConfigurationUpdate") == ['Alarm "busy" created']

    def routed():
        found = logs.filter_log_events(logGroupName="/alarms")["events"]
        details = [json.loads(event["message"])["detail"] for event in found]
        states = [(detail["previousState"]["value"], detail["state"]["value"])
                  for detail in details if detail["alarmName"] == "busy"]
        return states if ("ALARM", "OK") in states else None

    assert eventually(routed, "the events") == [("INSUFFICIENT_DATA", "ALARM"), ("ALARM", "OK")]


def test_alarms_and_dashboards_by_the_cli(cloud):
    """The life of an alarm that never fires, in the CLI's words."""
    aws = lambda *words: cloud.aws("cloudwatch", *words)
    aws("put-metric-alarm", "--alarm-name", "quiet", "--evaluation-periods", "1", "--threshold", "1",
        "--comparison-operator", "LessThanThreshold", "--treat-missing-data", "ignore", "--metrics", json.dumps([
            {"Id": "m", "ReturnData": False, "MetricStat": {
                "Metric": {"Namespace": "App", "MetricName": "q"}, "Period": 60, "Stat": "Sum"}},
            {"Id": "e", "Expression": "m * 2", "Label": "twice"}]))
    aws("disable-alarm-actions", "--alarm-names", "quiet")
    aws("set-alarm-state", "--alarm-name", "quiet", "--state-value", "ALARM", "--state-reason", "a test")
    shown, = aws("describe-alarms", "--alarm-names", "quiet")["MetricAlarms"]
    assert (shown["StateValue"], shown["StateReason"], shown["ActionsEnabled"]) == ("ALARM", "a test", False)
    assert [query["Id"] for query in shown["Metrics"]] == ["m", "e"]
    aws("tag-resource", "--resource-arn", shown["AlarmArn"], "--tags", "Key=team,Value=b")
    assert aws("list-tags-for-resource", "--resource-arn", shown["AlarmArn"])["Tags"] == [{"Key": "team", "Value": "b"}]
    body = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "hello"}}]})
    assert aws("put-dashboard", "--dashboard-name", "d", "--dashboard-body", body)["DashboardValidationMessages"] == []
    assert aws("get-dashboard", "--dashboard-name", "d")["DashboardBody"] == body
    assert [entry["DashboardName"] for entry in aws("list-dashboards")["DashboardEntries"]] == ["d"]
    aws("delete-dashboards", "--dashboard-names", "d")
    aws("delete-alarms", "--alarm-names", "quiet")
    assert aws("describe-alarms")["MetricAlarms"] == []


def test_faults_are_told_with_their_place(cloud):
    metrics = cloud.client("cloudwatch")
    with pytest.raises(metrics.exceptions.DashboardInvalidInputError) as caught:
        metrics.put_dashboard(DashboardName="bad", DashboardBody=json.dumps({"widgets": [{"type": "text", "properties": {}}]}))
    message, = caught.value.response["dashboardValidationMessages"]
    assert message == {"DataPath": "/widgets/0/properties", "Message": "Should have required property 'markdown'"}
    with pytest.raises(ClientError) as caught:
        metrics.put_composite_alarm(AlarmName="bad", AlarmRule="ALARM(x) XOR OK(y)")
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationError" and "position 9" in error["Message"]
    with pytest.raises(metrics.exceptions.ResourceNotFound):
        metrics.delete_alarms(AlarmNames=["none"])
