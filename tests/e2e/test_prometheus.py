"""Debian's Prometheus scrapes Roadstead, and what it then knows is what happened."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from roadstead import PATIENCE, eventually, free_port


@pytest.fixture
def prometheus(cloud, tmp_path):
    """Scrapes the cloud every two seconds; asks it by its query API."""
    program = shutil.which("prometheus")
    assert program, "scripts/setup.sh test installs it"
    config = tmp_path / "prometheus.yml"
    config.write_text(json.dumps({"scrape_configs": [{
        "job_name": "roadstead", "metrics_path": "/_roadstead/metrics", "scrape_interval": "2s", "scrape_timeout": "2s",
        "static_configs": [{"targets": [cloud.listen]}]}]}))
    address = f"127.0.0.1:{free_port()}"
    with open(tmp_path / "prometheus.log", "w") as log:
        process = subprocess.Popen([program, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                                    f"--web.listen-address={address}"], stdout=log, stderr=subprocess.STDOUT)

    def ask(path, **words):
        with urllib.request.urlopen(f"http://{address}/api/v1/{path}?{urllib.parse.urlencode(words)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def found(query):
        try:
            return [(each["metric"], float(each["value"][1])) for each in ask("query", query=query)["result"]]
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, (tmp_path / "prometheus.log").read_text()
            return []

    found.targets = lambda: ask("targets")["activeTargets"]
    yield found
    process.terminate()
    process.wait(timeout=PATIENCE)


def test_a_scrape_knows_calls_tasks_and_cloudwatch_metrics(cloud, prometheus):
    metrics = cloud.client("cloudwatch")
    metrics.put_metric_data(Namespace="Shop/Orders", MetricData=[
        {"MetricName": "Open.Orders", "Value": 41.5, "Unit": "Count", "Timestamp": int(time.time()), "StorageResolution": 1,
         "Dimensions": [{"Name": "Shop", "Value": "main"}]}])
    query = 'cloudwatch_Shop_Orders_Open_Orders{dimension_Shop="main",region="us-east-1"}'
    [(labels, value)] = eventually(lambda: prometheus(query), "the scrape")
    assert value == 41.5
    assert (labels["namespace"], labels["metric"], labels["unit"], labels["account"]) == (
        "Shop/Orders", "Open.Orders", "Count", cloud.account)
    puts = 'roadstead_calls_total{service="cloudwatch",operation="PutMetricData",outcome="ok"}'
    [(_, before)] = eventually(lambda: prometheus(f"{puts} >= 1"), "the call itself")
    for _ in range(3):
        metrics.put_metric_data(Namespace="Shop/Orders", MetricData=[{"MetricName": "n", "Value": 1.0}])
    with pytest.raises(metrics.exceptions.ClientError):
        metrics.put_metric_data(Namespace="AWS/Own", MetricData=[{"MetricName": "n", "Value": 1.0}])
    eventually(lambda: prometheus(f"{puts} == {before + 3}"), "three more calls")
    assert eventually(lambda: prometheus('roadstead_calls_total{operation="PutMetricData",outcome="InvalidParameterValue"}'), "the refusal")
    counted = 'roadstead_call_duration_seconds_count{operation="PutMetricData"}'
    assert eventually(lambda: prometheus(f"{counted} >= {before + 3}"), "their durations")
    for each in ("roadstead_store_commits_total > 0", "roadstead_volume_bytes > 0", "process_resident_memory_bytes > 1e6",
                 "roadstead_build_info", "roadstead_outbox_waiting", "roadstead_outbox_lag_seconds >= 0",
                 "roadstead_exposition_left_out == 0"):
        assert eventually(lambda each=each: prometheus(each), each)
    eventually(lambda: [(target["health"], target["lastError"]) for target in prometheus.targets()] == [("up", "")], "a scrape without a fault")


def test_tasks_are_counted_by_their_status(cloud, prometheus):
    cloud.ecs.register_task_definition(family="counted", containerDefinitions=[
        {"name": "c", "image": "busybox", "command": ["sleep", "600"], "memory": 32, "essential": True}], networkMode="none")
    [task] = cloud.ecs.run_task(cluster="default", taskDefinition="counted", launchType="EC2")["tasks"]
    eventually(lambda: prometheus('roadstead_tasks{status="RUNNING"} == 1'), "a running task")
    cloud.ecs.stop_task(cluster="default", task=task["taskArn"])
    eventually(lambda: prometheus('roadstead_tasks{status="STOPPED"} >= 1'), "a stopped task")


def test_what_is_scraped_is_for_nobody_but_root(cloud):
    def asked(path="/_roadstead/metrics", method="GET", **headers):
        request = urllib.request.Request(cloud.url + path, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    assert asked() == 200
    assert asked(Origin="http://evil.example") == 403
    assert asked(Host="evil.example") == 403
    assert asked(Authorization="nonsense") == 403
    assert asked(method="POST") == 405
    assert asked(path="/_roadstead/metrics/more") == 404
