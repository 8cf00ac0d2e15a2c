"""Where tasks go among several machines: two agents join one cluster, each with its own data folder and names."""

import contextlib
import os
import subprocess

import pytest
from botocore.exceptions import ClientError
from roadstead import BINARY, eventually, leftovers

CLUSTER = "placed"


@pytest.fixture(scope="module")
def nodes(cloud, images, tmp_path_factory):
    """The ARNs of two container instances of the cluster `placed`."""
    subnet = cloud.ec2.describe_subnets(SubnetIds=[cloud.subnet()])["Subnets"][0]
    env = dict(os.environ, AWS_ACCESS_KEY_ID=cloud.account, AWS_SECRET_ACCESS_KEY="any")
    instances = []
    with contextlib.ExitStack() as stack:
        for name in ("one", "two"):
            folder = tmp_path_factory.mktemp(name)
            data, log = folder / "data", folder / "agent.log"
            agent = subprocess.Popen(
                [BINARY, "agent", "--backend", cloud.url, "--cluster", CLUSTER, "--data", data, "--vpc", subnet["VpcId"],
                 "--subnet", subnet["SubnetId"], "--availability-zone", subnet["AvailabilityZone"]],
                env=env, stdout=open(log, "w"), stderr=subprocess.STDOUT)
            stack.callback(gone, agent, data, instances)
            eventually(lambda: "ready" in log.read_text(), f"the node {name} is ready")
            subprocess.run([BINARY, "image", "import", images["busybox"], "--data", data], check=True,
                           stdout=subprocess.DEVNULL)
        def connected():
            return cloud.ecs.list_container_instances(cluster=CLUSTER, filter="agentConnected == true")["containerInstanceArns"]

        yield sorted(eventually(lambda: len(connected()) == 2 and connected(), "both are connected"))
    for instance in instances:
        assert leftovers(instance) == {}


def gone(agent, data, instances):
    agent.kill()
    agent.wait()
    if (data / "instance").exists():
        instances.append((data / "instance").read_text().strip())
    subprocess.run([BINARY, "down", "--data", data, "--purge"], check=True)


def sleeper(cloud, family, **more):
    container = {"name": "app", "image": "busybox", "command": ["sleep", "300"], "cpu": 10, "memory": 16}
    return cloud.define(family, {**container, **more.pop("container", {})}, networkMode="host", **more)


def run(cloud, definition, **more):
    answer = cloud.ecs.run_task(cluster=CLUSTER, taskDefinition=definition, **more)
    return answer["tasks"], answer["failures"]


def hosts(tasks):
    return [task["containerInstanceArn"] for task in tasks]


def explained(cloud, *words):
    done = subprocess.run([BINARY, "explain", "--cluster", CLUSTER, *words], env=cloud.env, capture_output=True, text=True,
                          timeout=180)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def ended(cloud):
    yield
    for arn in cloud.ecs.list_tasks(cluster=CLUSTER)["taskArns"]:
        cloud.stop(arn, CLUSTER)


def test_attributes_constrain_and_strategies_choose(cloud, nodes, ended):
    one, two = nodes
    definition = sleeper(cloud, "placed-a")
    cloud.aws("ecs", "put-attributes", "--cluster", CLUSTER, "--attributes", f"name=rack,value=7,targetId={two}")
    listed = cloud.ecs.list_attributes(cluster=CLUSTER, targetType="container-instance", attributeName="rack")
    assert listed["attributes"] == [{"name": "rack", "value": "7", "targetId": two}]
    assert cloud.ecs.list_container_instances(cluster=CLUSTER, filter="attribute:rack == 7")["containerInstanceArns"] == [two]
    member = [{"type": "memberOf", "expression": "attribute:rack == 7"}]
    tasks, failures = run(cloud, definition, count=2, placementConstraints=member)
    assert (hosts(tasks), failures) == ([two, two], [])
    cloud.until(tasks[0]["taskArn"], "RUNNING", CLUSTER)
    spread = [{"type": "spread", "field": "instanceId"}]
    tasks, _ = run(cloud, definition, count=4, group="spread", placementStrategy=spread)
    assert sorted(hosts(tasks)) == [one, one, two, two]
    packed = [{"type": "binpack", "field": "memory"}]
    tasks, _ = run(cloud, definition, count=3, group="packed", placementStrategy=packed)
    assert hosts(tasks) == [two] * 3, "where the least is left"
    # What no instance is.
    windows = [{"type": "memberOf", "expression": "attribute:ecs.os-type == windows"}]
    tasks, failures = run(cloud, definition, placementConstraints=windows)
    assert tasks == [] and [failure["reason"] for failure in failures] == ["ATTRIBUTE"] * 2
    wanted = sleeper(cloud, "placed-w", runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"})
    tasks, failures = run(cloud, wanted)
    assert tasks == [] and [failure["reason"] for failure in failures] == ["ATTRIBUTE"] * 2
    with pytest.raises(ClientError, match="column 13: expected an operator"):
        run(cloud, definition, placementConstraints=[{"type": "memberOf", "expression": "attribute:a = b"}])
    cloud.ecs.delete_attributes(cluster=CLUSTER, attributes=[{"name": "rack", "targetId": two}])
    tasks, failures = run(cloud, definition, placementConstraints=member)
    assert tasks == [] and len(failures) == 2


def test_a_draining_instance_keeps_its_tasks_and_takes_none(cloud, nodes, ended):
    one, two = nodes
    definition = sleeper(cloud, "placed-d")
    task = cloud.ecs.start_task(cluster=CLUSTER, taskDefinition=definition, containerInstances=[one])["tasks"][0]
    cloud.until(task["taskArn"], "RUNNING", CLUSTER)
    cloud.ecs.update_container_instances_state(cluster=CLUSTER, containerInstances=[one], status="DRAINING")
    try:
        tasks, failures = run(cloud, definition, count=4)
        assert (set(hosts(tasks)), failures) == ({two}, [])
        assert cloud.ecs.list_container_instances(cluster=CLUSTER, status="DRAINING")["containerInstanceArns"] == [one]
        assert cloud.task(task["taskArn"], CLUSTER)["lastStatus"] == "RUNNING"
        assert "it is DRAINING and takes no new tasks" in explained(cloud, "--task-definition", "placed-d")
    finally:
        cloud.ecs.update_container_instances_state(cluster=CLUSTER, containerInstances=[one], status="ACTIVE")


def test_explain_says_what_is_lacking_and_who_has_it(cloud, nodes, ended):
    one, two = nodes
    described = cloud.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=[one])["containerInstances"][0]
    cpu = next(it["integerValue"] for it in described["registeredResources"] if it["name"] == "CPU")
    big = sleeper(cloud, "placed-big", container={"cpu": cpu - 100})
    task = run(cloud, big)[0][0]
    cloud.until(task["taskArn"], "RUNNING", CLUSTER)
    host = task["containerInstanceArn"]
    other = two if host == one else one
    said = explained(cloud, "--task-definition", "placed-big")
    assert f"goes to {other.rsplit('/')[-1]}." in said
    assert f"it needs {cpu - 100} CPU units, 100 of {cpu} are free" in said
    assert f"family:placed-big {task['taskArn'].rsplit('/')[-1]} has {cpu - 100} CPU units" in said
    said = explained(cloud, "--task-definition", "placed-big", "--distinct-instance", "--member-of", "attribute:rack == 9")
    assert "can go nowhere" in said and said.count("it is none where attribute:rack == 9") == 2
    gpu = sleeper(cloud, "placed-gpu", container={"resourceRequirements": [{"type": "GPU", "value": "1"}]})
    answer = cloud.ecs.run_task(cluster=CLUSTER, taskDefinition=gpu, launchType="EC2")
    assert answer["tasks"] == [] and {failure["reason"] for failure in answer["failures"]} == {"RESOURCE:GPU"}
    said = explained(cloud, "--task-definition", "placed-gpu")
    assert "can go nowhere" in said and said.count("RESOURCE:GPU: it needs 1 GPU, and has no GPUs to give") == 2, said
    said = explained(cloud, task["taskArn"])
    assert "is RUNNING" in said and f"placed on the container instance {host.rsplit('/')[-1]}" in said
    wrong = subprocess.run([BINARY, "explain", "--task-definition", "placed-big", "--member-of", "attribute:a"],
                           env=cloud.env, capture_output=True, text=True)
    assert wrong.returncode != 0 and "column 12: expected an operator" in wrong.stderr


def test_a_strategy_of_capacity_providers_shares_tasks(cloud):
    definition = cloud.define("shared", {"name": "app", "image": "busybox", "command": ["sleep", "300"]}, fargate=True)
    network = {"awsvpcConfiguration": {"subnets": [cloud.subnet()]}}
    cloud.ecs.create_cluster(clusterName="shared", capacityProviders=["FARGATE", "FARGATE_SPOT"],
                             defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}])
    strategy = [{"capacityProvider": "FARGATE", "base": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    request = dict(cluster="shared", taskDefinition=definition, networkConfiguration=network)
    both = cloud.ecs.run_task(**request, count=2, capacityProviderStrategy=strategy)
    assert [task["capacityProviderName"] for task in both["tasks"]] == ["FARGATE", "FARGATE_SPOT"], both
    for task in both["tasks"]:
        assert cloud.until(task["taskArn"], "RUNNING", "shared")["launchType"] == "FARGATE"
        cloud.stop(task["taskArn"], "shared")
    alone = cloud.ecs.run_task(**request)["tasks"][0]
    assert alone["capacityProviderName"] == "FARGATE_SPOT"
    with pytest.raises(ClientError, match="in use"):
        cloud.ecs.put_cluster_capacity_providers(
            cluster="shared", capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[])
    cloud.stop(alone["taskArn"], "shared")
    shown = cloud.ecs.describe_capacity_providers(cluster="shared")["capacityProviders"]
    assert [provider["name"] for provider in shown] == ["FARGATE", "FARGATE_SPOT"]
