"""One-second metrics as the aws CLI and boto3 write and read them, and what metric filters make of log lines."""

import datetime
import json
import re
import subprocess
import time

import pytest
from botocore.exceptions import ClientError
from roadstead import BINARY, eventually


def test_one_second_metrics_by_the_cli(cloud):
    now = int(time.time()) - 5
    for second, value in ((now, 1), (now + 1, 2), (now + 2, 4)):
        cloud.aws("cloudwatch", "put-metric-data", "--namespace", "ECS", "--metric-data",
                  f"MetricName=RunningTask,Dimensions=[{{Name=ClusterName,Value=c}}],Value={value},Unit=Count,"
                  f"StorageResolution=1,Timestamp={second}")
    answer = cloud.aws("cloudwatch", "get-metric-statistics", "--namespace", "ECS", "--metric-name", "RunningTask",
                       "--dimensions", "Name=ClusterName,Value=c", "--start-time", str(now), "--end-time", str(now + 3),
                       "--period", "1", "--statistics", "Maximum", "SampleCount")
    points = sorted((point["Timestamp"], point["Maximum"]) for point in answer["Datapoints"])
    assert [value for _, value in points] == [1, 2, 4]
    listed = cloud.aws("cloudwatch", "list-metrics", "--namespace", "ECS")
    assert listed["Metrics"] == [{"Namespace": "ECS", "MetricName": "RunningTask", "Dimensions": [{"Name": "ClusterName", "Value": "c"}]}]


def test_samples_survive_a_crash_and_are_read_many_at_once(fresh):
    cloud = fresh("crash")
    metrics = cloud.client("cloudwatch")
    start = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) - datetime.timedelta(seconds=30)
    for second in range(20):
        metrics.put_metric_data(Namespace="App", MetricData=[
            {"MetricName": "n", "Timestamp": start + datetime.timedelta(seconds=second), "Value": second, "StorageResolution": 1}])
    cloud.kill()
    cloud.up()
    metrics = cloud.client("cloudwatch")
    query = {"Id": "n", "MetricStat": {"Metric": {"Namespace": "App", "MetricName": "n"}, "Period": 1, "Stat": "Sum"}}
    pages = metrics.get_paginator("get_metric_data").paginate(
        StartTime=start, EndTime=start + datetime.timedelta(seconds=20), MetricDataQueries=[query],
        ScanBy="TimestampAscending", MaxDatapoints=7)
    values = [value for page in pages for result in page["MetricDataResults"] for value in result["Values"]]
    assert values == [float(second) for second in range(20)]


def test_large_requests_are_compressed_by_the_client_and_read(cloud):
    data = [{"MetricName": f"metric-{number:04}", "Value": number, "Dimensions": [{"Name": "Host", "Value": "x" * 100}]} for number in range(1000)]
    metrics = cloud.client("cloudwatch")
    metrics.put_metric_data(Namespace="Large", MetricData=data)
    pages = list(metrics.get_paginator("list_metrics").paginate(Namespace="Large"))
    assert [len(page["Metrics"]) for page in pages] == [500, 500]
    assert len({metric["MetricName"] for page in pages for metric in page["Metrics"]}) == 1000


def test_a_metric_filter_counts_log_lines(cloud):
    logs, metrics = cloud.client("logs"), cloud.client("cloudwatch")
    logs.create_log_group(logGroupName="/filtered")
    logs.create_log_stream(logGroupName="/filtered", logStreamName="s")
    logs.put_metric_filter(logGroupName="/filtered", filterName="errors", filterPattern="ERROR", metricTransformations=[
        {"metricName": "Errors", "metricNamespace": "Filtered", "metricValue": "1", "unit": "Count"}])
    now = int(time.time() * 1000)
    logs.put_log_events(logGroupName="/filtered", logStreamName="s", logEvents=[
        {"timestamp": now, "message": message} for message in ("ERROR a", "fine", "ERROR b")])

    def counted():
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=1)
        answer = metrics.get_metric_statistics(Namespace="Filtered", MetricName="Errors", Period=60, Statistics=["Sum"],
                                               StartTime=end - datetime.timedelta(minutes=5), EndTime=end)
        return sum(point["Sum"] for point in answer["Datapoints"])

    eventually(lambda: counted() == 2, "the count")


def test_faults_are_told_in_the_services_words(cloud):
    metrics = cloud.client("cloudwatch")
    with pytest.raises(ClientError) as caught:
        metrics.put_metric_data(Namespace="AWS/ECS", MetricData=[{"MetricName": "m", "Value": 1.0}])
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    now = datetime.datetime.now(datetime.timezone.utc)
    with pytest.raises(ClientError) as caught:
        metrics.get_metric_statistics(Namespace="App", MetricName="m", StartTime=now - datetime.timedelta(days=2),
                                      EndTime=now, Period=60, Statistics=["Sum"])
    assert "exceeds the limit of 1440" in caught.value.response["Error"]["Message"]


def test_expressions_over_metrics_by_the_cli(cloud):
    start = int(time.time()) // 60 * 60 - 300
    for name, values in (("Errors", (1, 2)), ("Requests", (10, 10))):
        for minute, value in enumerate(values):
            cloud.aws("cloudwatch", "put-metric-data", "--namespace", "Math", "--metric-data",
                      f"MetricName={name},Dimensions=[{{Name=Host,Value=a}}],Value={value},Timestamp={start + 60 * minute}")
    stat = {"Period": 60, "Stat": "Sum"}
    hidden = [{"Id": name[0].lower(), "ReturnData": False, "MetricStat": {**stat, "Metric": {
        "Namespace": "Math", "MetricName": name, "Dimensions": [{"Name": "Host", "Value": "a"}]}}} for name in ("Errors", "Requests")]
    queries = [{"Id": "rate", "Expression": "100 * e / r", "Label": "last ${LAST}"},
               {"Id": "found", "Expression": "SEARCH('{Math,Host} MetricName=Errors', 'Sum', 60)", "Label": "on ${PROP('Dim.Host')}"}, *hidden]
    answer = cloud.aws("cloudwatch", "get-metric-data", "--start-time", str(start), "--end-time", str(start + 120),
                       "--scan-by", "TimestampAscending", "--metric-data-queries", json.dumps(queries))
    assert [(result["Label"], result["Values"]) for result in answer["MetricDataResults"]] == [
        ("last 20", [10.0, 20.0]), ("on a", [1.0, 2.0])]
    with pytest.raises(ClientError) as caught:
        cloud.client("cloudwatch").get_metric_data(StartTime=start, EndTime=start + 60, MetricDataQueries=[
            {"Id": "e1", "Expression": "SUM(nobody) / 2", "Period": 60}])
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationError" and "Error in expression 'e1'" in error["Message"] and "column 5" in error["Message"]


def drawn(cloud, *words, **variables):
    env = {**cloud.env, "LC_ALL": "C.UTF-8", **variables}
    done = subprocess.run([BINARY, "metrics", *words], env=env, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_metrics_are_listed_and_drawn_in_a_terminal(cloud):
    now = int(time.time())
    for host, values in (("a", (1, 2, 4)), ("b", (3, 3, 3))):
        cloud.client("cloudwatch").put_metric_data(Namespace="Plot", MetricData=[
            {"MetricName": "Load", "Dimensions": [{"Name": "Host", "Value": host}], "Value": value, "Unit": "Percent",
             "StorageResolution": 1, "Timestamp": now - 60 + 20 * place} for place, value in enumerate(values)])
    assert drawn(cloud, "list", "Plot") == ["Plot Load --dimension Host=a", "Plot Load --dimension Host=b"]
    size = ("--period", "1", "--since", "5m", "--width", "60", "--height", "9")
    one = drawn(cloud, "plot", "Plot", "Load", "--dimension", "Host=a", *size)
    assert one[0].strip() == "Percent"
    assert sum(line.count("•") for line in one[1:10]) == 3, one
    assert one[1].startswith("  4 ┤") and one[9].startswith("  1 ┤"), one
    assert one[-1] == "• Load (Average): last 4, lowest 1, highest 4"
    assert all(len(line) <= 64 for line in one)
    two = drawn(cloud, "plot", "--expression", "SEARCH('{Plot,Host} Load', 'Maximum')", *size, LC_ALL="C")
    assert two[-2:] == ["* a: last 4, lowest 1, highest 4", "x b: last 3, lowest 3, highest 3"]
    assert re.search(r"^ *4 \+", two[0]) and all(line.isascii() for line in two)
    several = drawn(cloud, "plot", "Plot", "Load", "--dimension", "Host=b", "--stat", "Sum", "--stat", "p50", *size)
    assert several[-2:] == ["• Sum of Load: last 3, lowest 3, highest 3", "× p50 of Load: last 3, lowest 3, highest 3"]
    refused = subprocess.run([BINARY, "metrics", "plot", "--expression", "SUM("], env=cloud.env, capture_output=True, text=True, timeout=180)
    assert refused.returncode == 1 and "Error in expression" in refused.stderr
