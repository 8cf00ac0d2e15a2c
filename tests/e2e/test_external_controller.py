"""Task sets of services with an EXTERNAL deployment controller, with real tasks, as the aws CLI and boto3 see them."""

import pytest
from botocore.exceptions import ClientError
from roadstead import eventually

NAME = "canary"


def sets(cloud, **more):
    answer = cloud.ecs.describe_task_sets(cluster="default", service=NAME, **more)
    assert answer["failures"] == [], answer
    return {one["id"]: one for one in answer["taskSets"]}


def settled(cloud, **counts):
    """The task sets once they are stable with so many running tasks each."""
    def found():
        now = sets(cloud)
        run = {one: now[one]["runningCount"] for one in now}
        stable = all(one["stabilityStatus"] == "STEADY_STATE" for one in now.values())
        return now if stable and run == counts["running"] else None

    return eventually(found, f"the task sets run {counts['running']}: {sets(cloud)}")


def started_by(cloud):
    arns = cloud.ecs.list_tasks(serviceName=NAME)["taskArns"]
    tasks = cloud.ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
    assert all(task["group"] == f"service:{NAME}" for task in tasks)
    return sorted(task["startedBy"] for task in tasks)


def test_a_third_party_deploys_by_task_sets(cloud):
    old = cloud.define("canary", {"name": "app", "image": "busybox", "command": ["sleep", "3600"]})
    new = cloud.define("canary", {"name": "app", "image": "busybox", "command": ["sleep", "3601"]})
    network = f"awsvpcConfiguration={{subnets=[{cloud.subnet()}]}}"
    made = cloud.aws("ecs", "create-service", "--service-name", NAME, "--deployment-controller", "type=EXTERNAL",
                     "--desired-count", "2")["service"]
    assert made["deploymentController"] == {"type": "EXTERNAL"} and made["taskSets"] == made["deployments"] == []
    assert "taskDefinition" not in made, made
    blue = cloud.aws("ecs", "create-task-set", "--cluster", "default", "--service", NAME, "--task-definition", old,
                     "--network-configuration", network, "--scale", "value=100,unit=PERCENT", "--launch-type", "EC2",
                     "--external-id", "blue", "--tags", "key=team,value=a")["taskSet"]
    assert blue["status"] == "ACTIVE" and blue["computedDesiredCount"] == 2 and blue["externalId"] == "blue", blue
    settled(cloud, running={blue["id"]: 2})
    assert started_by(cloud) == [blue["id"]] * 2
    assert sets(cloud, include=["TAGS"])[blue["id"]]["tags"] == [{"key": "team", "value": "a"}]
    cloud.ecs.update_service_primary_task_set(cluster="default", service=NAME, primaryTaskSet=blue["id"])
    shown = cloud.ecs.describe_services(services=[NAME])["services"][0]
    assert shown["taskDefinition"] == old and shown["taskSets"][0]["status"] == "PRIMARY", shown

    # A canary of a quarter: half a task, rounded up to one. Of the old, one goes.
    green = cloud.ecs.create_task_set(
        cluster="default", service=NAME, taskDefinition=new, networkConfiguration=blue["networkConfiguration"],
        scale={"value": 25, "unit": "PERCENT"}, clientToken="green")["taskSet"]
    again = cloud.ecs.create_task_set(
        cluster="default", service=NAME, taskDefinition=new, networkConfiguration=blue["networkConfiguration"],
        scale={"value": 25, "unit": "PERCENT"}, clientToken="green")["taskSet"]
    assert again["id"] == green["id"]
    settled(cloud, running={blue["id"]: 2, green["id"]: 1})
    cloud.ecs.update_task_set(cluster="default", service=NAME, taskSet=blue["taskSetArn"], scale={"value": 50})
    settled(cloud, running={blue["id"]: 1, green["id"]: 1})

    # A task that dies is replaced by one of its own set.
    victim = next(arn for arn in cloud.ecs.list_tasks(serviceName=NAME)["taskArns"]
                  if cloud.task(arn)["startedBy"] == green["id"])
    cloud.ecs.stop_task(task=victim)
    eventually(lambda: cloud.task(victim)["lastStatus"] == "STOPPED", "the task has stopped")
    settled(cloud, running={blue["id"]: 1, green["id"]: 1})
    assert started_by(cloud) == sorted([blue["id"], green["id"]])

    # The new one takes over.
    cloud.ecs.update_service_primary_task_set(cluster="default", service=NAME, primaryTaskSet=green["id"])
    cloud.ecs.update_task_set(cluster="default", service=NAME, taskSet=green["id"], scale={"value": 100})
    with pytest.raises(ClientError, match="scaled above 0"):
        cloud.ecs.delete_task_set(cluster="default", service=NAME, taskSet=blue["id"])
    gone = cloud.aws("ecs", "delete-task-set", "--cluster", "default", "--service", NAME, "--task-set", blue["id"],
                     "--force")["taskSet"]
    assert gone["status"] == "DRAINING"
    settled(cloud, running={green["id"]: 2})
    shown = cloud.ecs.describe_services(services=[NAME])["services"][0]
    assert shown["taskDefinition"] == new and shown["runningCount"] == 2, shown

    with pytest.raises(ClientError, match="Unable to update task definition"):
        cloud.ecs.update_service(service=NAME, taskDefinition=new)
    cloud.ecs.update_service(service=NAME, desiredCount=0)
    settled(cloud, running={green["id"]: 0})
    with pytest.raises(ClientError, match="deployments are active"):
        cloud.ecs.delete_service(service=NAME)
    cloud.ecs.delete_service(service=NAME, force=True)
    cloud.ecs.get_waiter("services_inactive").wait(services=[NAME], WaiterConfig={"Delay": 1, "MaxAttempts": 180})
