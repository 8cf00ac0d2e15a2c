"""One-second metrics as the aws CLI and boto3 write and read them, and what metric filters make of log lines."""

import datetime
import time

import pytest
from botocore.exceptions import ClientError
from roadstead import eventually


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

    assert eventually(counted, "the count") == 2


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
