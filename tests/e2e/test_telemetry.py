"""How busy a cluster is, as CloudWatch tells it, and what a container can read of its own use."""

import datetime
import json

from roadstead import eventually

SHELL = ["sh", "-c"]


def points(cloud, name, since, **dimensions):
    metrics = cloud.client("cloudwatch")
    answer = metrics.get_metric_statistics(
        Namespace="AWS/ECS", MetricName=name, StartTime=since, EndTime=since + datetime.timedelta(minutes=30), Period=60,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        Statistics=["Average", "Maximum", "SampleCount"])
    assert all(point["Unit"] == "Percent" for point in answer["Datapoints"])
    return sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])


def test_a_busy_task_shows_in_its_clusters_metrics(fresh):
    cloud = fresh("busy")
    since = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    # The router answers nothing and is asked who it is all the same.
    script = ('ping -c 1 -W 1 $(ip route | sed -n "s/^default via \\([^ ]*\\) .*/\\1/p") > /dev/null; while :; do :; done & while :; do wget -qO- "$ECS_CONTAINER_METADATA_URI_V4/stats" > /s; '
              'grep -q network_rate_stats /s && break; sleep 0.2; done; cat /s; echo; '
              'wget -qO- "$ECS_CONTAINER_METADATA_URI_V4/task/stats"; echo; wait')
    definition = cloud.define("busy", {"name": "app", "image": "busybox", "cpu": 256, "command": [*SHELL, script]})
    arn = cloud.run(definition)
    cloud.until(arn, "RUNNING")
    instance = cloud.ecs.list_container_instances()["containerInstanceArns"][0]
    described = cloud.ecs.describe_container_instances(containerInstances=[instance])["containerInstances"][0]
    registered = {one["name"]: one.get("integerValue") for one in described["registeredResources"]}

    # From within, in the form of Docker's.
    documents = lambda: [line for line in cloud.logs(arn).splitlines() if line.startswith("{") and line.endswith("}")]
    lines = eventually(lambda: len(found := documents()) == 2 and found, "its statistics in its log")
    own, whole = json.loads(lines[0]), json.loads(lines[1])
    used = [own[part]["cpu_usage"]["total_usage"] for part in ("precpu_stats", "cpu_stats")]
    assert used[1] > used[0] > 0
    assert own["cpu_stats"]["system_cpu_usage"] >= own["precpu_stats"]["system_cpu_usage"] > 0
    assert 0 < own["memory_stats"]["usage"] < own["memory_stats"]["limit"] == 64 << 20
    assert own["pids_stats"]["current"] >= 2
    assert list(own["networks"]) == ["eth0"] and own["networks"]["eth0"]["tx_bytes"] > 0
    assert own["network_rate_stats"]["rx_bytes_per_sec"] >= 0
    assert list(whole) == [own["id"]] == [cloud.task(arn)["containers"][0]["runtimeId"]]

    # From outside, in percent of what the instance registered.
    cpu = eventually(lambda: [point for point in points(cloud, "CPUUtilization", since, ClusterName="default") if point["Average"] > 1],
                     "a busy cluster", patience=400)[0]
    assert 1 < cpu["Average"] <= 110 and cpu["SampleCount"] == 1
    memory = eventually(lambda: points(cloud, "MemoryUtilization", since, ClusterName="default"), "its memory")[-1]
    assert 0 < memory["Average"] < 64 / registered["MEMORY"] * 100
    for name, wanted in (("CPUReservation", 256 / registered["CPU"] * 100), ("MemoryReservation", 64 / registered["MEMORY"] * 100)):
        eventually(lambda: any(abs(point["Average"] - wanted) < 1e-6 for point in points(cloud, name, since, ClusterName="default")),
                   f"{name} of {wanted}")
    # Of a cluster without instances there is nothing.
    cloud.ecs.create_cluster(clusterName="empty")
    assert points(cloud, "CPUReservation", since, ClusterName="empty") == []
    healthy = cloud.ecs.describe_container_instances(containerInstances=[instance], include=["CONTAINER_INSTANCE_HEALTH"])
    status = healthy["containerInstances"][0]["healthStatus"]
    assert (status["overallStatus"], status["details"][0]["type"]) == ("OK", "CONTAINER_RUNTIME")
    cloud.ecs.stop_task(task=arn)
