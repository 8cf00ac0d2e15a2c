"""Health checks of containers: who waits for them, and where they show."""

import json

from roadstead import eventually

SHELL = ["sh", "-c"]


def check(command, **more):
    return {"healthCheck": {"command": ["CMD-SHELL", command], "interval": 5, "timeout": 2, "retries": 1, **more}}


def test_a_container_waits_until_another_is_healthy(cloud):
    db = {"name": "db", "image": "busybox", "essential": False, "command": [*SHELL, "sleep 1; touch /tmp/ready; sleep 300"],
          **check("test -e /tmp/ready", timeout=30, retries=10)}
    app = {"name": "app", "image": "busybox", "command": ["wget", "-qO-", "http://169.254.170.2/v3/nobody"],
           "dependsOn": [{"containerName": "db", "condition": "HEALTHY"}]}
    metadata = [*SHELL, "wget -qO- $ECS_CONTAINER_METADATA_URI_V4/task"]
    task = cloud.run(cloud.define("waits", db, {**app, "command": metadata}))
    codes, _, output = cloud.finished(task)
    assert codes["app"] == 0
    told = json.loads(next(line[line.index("{"):] for line in output.splitlines() if "TaskARN" in line))
    health = {one["Name"]: one.get("Health") for one in told["Containers"]}
    assert health["db"]["status"] == "HEALTHY" and health["db"]["exitCode"] == 0 and health["app"] is None


def test_a_failing_check_does_not_end_a_task_of_its_own(cloud):
    app = {"name": "app", "image": "busybox", "command": [*SHELL, "sleep 300"], **check("echo broken; exit 3")}
    waiter = {"name": "waiter", "image": "busybox", "essential": False, "command": ["true"],
              "dependsOn": [{"containerName": "app", "condition": "HEALTHY"}]}
    # As documented, one that waits in vain ends with the startTimeout of what it waits for.
    plain = cloud.run(cloud.define("sick", app))
    task = cloud.run(cloud.define("unhealthy", {**app, "startTimeout": 8}, waiter))
    stopped = cloud.until(task, "STOPPED")
    assert "HEALTHY within its startTimeout" in stopped["stoppedReason"]
    definition = cloud.ecs.describe_task_definition(taskDefinition="unhealthy")["taskDefinition"]
    shown = definition["containerDefinitions"][0]["healthCheck"]
    assert shown == {"command": ["CMD-SHELL", "echo broken; exit 3"], "interval": 5, "timeout": 2, "retries": 1}
    eventually(lambda: cloud.task(plain)["healthStatus"] == "UNHEALTHY", "told")
    shown = cloud.until(plain, "RUNNING")
    assert shown["containers"][0]["healthStatus"] == "UNHEALTHY"
    cloud.stop(plain)
