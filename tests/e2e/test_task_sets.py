"""Services that share their tasks over capacity providers, as the aws CLI and boto3 see them."""

import json

import pytest
from botocore.exceptions import ClientError
from roadstead import eventually

CLUSTER = "sets"


@pytest.fixture(scope="module")
def home(cloud):
    cloud.ecs.create_cluster(clusterName=CLUSTER, capacityProviders=["FARGATE", "FARGATE_SPOT"])
    definition = cloud.define("sets", {"name": "app", "image": "busybox", "command": ["sleep", "3600"]}, fargate=True)
    return definition, {"awsvpcConfiguration": {"subnets": [cloud.subnet()]}}


def running(cloud, name, count):
    def found():
        arns = cloud.ecs.list_tasks(cluster=CLUSTER, serviceName=name)["taskArns"]
        tasks = cloud.ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
        run = [task for task in tasks if task["lastStatus"] == "RUNNING"]
        return run if len(run) == len(tasks) == count else None

    return eventually(found, f"{count} tasks of {name} run")


def remove(cloud, name):
    cloud.ecs.delete_service(cluster=CLUSTER, service=name, force=True)
    waiter = cloud.ecs.get_waiter("services_inactive")
    waiter.wait(cluster=CLUSTER, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 180})


def test_a_service_is_shared_over_fargate_and_fargate_spot(cloud, home):
    definition, network = home
    strategy = ["capacityProvider=FARGATE,weight=1", "capacityProvider=FARGATE_SPOT,weight=1"]
    made = cloud.aws("ecs", "create-service", "--cluster", CLUSTER, "--service-name", "shared", "--task-definition",
                     definition, "--desired-count", "2", "--network-configuration", json.dumps(network),
                     "--capacity-provider-strategy", *strategy)["service"]
    assert "launchType" not in made and len(made["capacityProviderStrategy"]) == 2, made
    tasks = running(cloud, "shared", 2)
    assert sorted(task["capacityProviderName"] for task in tasks) == ["FARGATE", "FARGATE_SPOT"]
    with pytest.raises(ClientError, match="in use"):
        cloud.ecs.put_cluster_capacity_providers(
            cluster=CLUSTER, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[])
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    with pytest.raises(ClientError, match="force a new deployment"):
        cloud.ecs.update_service(cluster=CLUSTER, service="shared", capacityProviderStrategy=spot)
    cloud.ecs.update_service(cluster=CLUSTER, service="shared", capacityProviderStrategy=spot, forceNewDeployment=True)
    eventually(lambda: [task["capacityProviderName"] for task in running(cloud, "shared", 2)] == ["FARGATE_SPOT"] * 2,
               "both tasks count for FARGATE_SPOT")
    remove(cloud, "shared")
