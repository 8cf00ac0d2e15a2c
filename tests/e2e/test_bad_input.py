"""Every mistake gets the service's own error, or a stopped task with a reason a person understands."""

import pytest
from botocore.exceptions import ClientError
from roadstead import eventually, leftovers, sandbox_pids


def code(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response
    assert 400 <= error["ResponseMetadata"]["HTTPStatusCode"] < 500, error
    return error["Error"]["Code"], error["Error"]["Message"]


@pytest.fixture(scope="module")
def group(cloud):
    return cloud.open_group("bad")


def stopped(cloud, group, family, **container):
    definition = cloud.define(family, {"name": "app", "image": "busybox", **container})
    task = cloud.until(cloud.run(definition, groups=[group]), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart", task
    return task["stoppedReason"] + " " + task["containers"][0].get("reason", "")


def test_an_image_that_does_not_exist(cloud, group):
    reason = stopped(cloud, group, "noimage", image="127.0.0.1:9/nothing:here")
    assert "CannotPullContainerError" in reason, reason


def test_an_image_name_that_is_none(cloud, group):
    assert "CannotPullContainerError" in stopped(cloud, group, "badimage", image="UPPER/case:tag:tag")


def test_an_entry_point_that_does_not_exist(cloud, group):
    reason = stopped(cloud, group, "noentry", entryPoint=["/not/there"])
    assert "/not/there" in reason and ("CannotStartContainerError" in reason or "CannotCreateContainerError" in reason)


def test_a_user_that_does_not_exist(cloud, group):
    reason = stopped(cloud, group, "nouser", user="nobody-of-that-name", command=["true"])
    assert "nobody-of-that-name" in reason, reason


def test_a_task_larger_than_the_node(cloud, group):
    definition = cloud.define("huge", {"name": "app", "image": "busybox", "memory": 10_000_000})
    answer = cloud.ecs.run_task(cluster="default", taskDefinition=definition, launchType="EC2", networkConfiguration={
        "awsvpcConfiguration": {"subnets": [cloud.subnet()], "securityGroups": [group]}})
    assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:MEMORY"], answer


def test_requests_that_name_nothing(cloud, group):
    network = {"awsvpcConfiguration": {"subnets": ["subnet-00000000"]}}
    definition = cloud.define("fine", {"name": "app", "image": "busybox"})
    ecs, ec2 = cloud.ecs, cloud.ec2
    for expected, named, call, arguments in [
        ("ClusterNotFoundException", "Cluster not found", ecs.run_task, dict(cluster="none", taskDefinition=definition)),
        ("ClientException", "TaskDefinition not found", ecs.run_task, dict(taskDefinition="none")),
        ("InvalidParameterException", "subnet-00000000", ecs.run_task, dict(taskDefinition=definition, networkConfiguration=network)),
        ("InvalidParameterException", "Network Configuration must be provided", ecs.run_task, dict(taskDefinition=definition)),
        ("InvalidParameterException", "", ecs.describe_tasks, dict(tasks=["arn:nonsense"])),
        ("ClientException", "", ecs.describe_task_definition, dict(taskDefinition="none:1")),
        ("InvalidParameterException", "", ecs.stop_task, dict(task="0" * 32)),
        ("InvalidSubnetID.NotFound", "", ec2.describe_subnets, dict(SubnetIds=["subnet-00000000"])),
        ("InvalidVpcID.NotFound", "", ec2.create_subnet, dict(VpcId="vpc-00000000", CidrBlock="10.0.0.0/24")),
        ("InvalidGroup.NotFound", "", ec2.describe_security_groups, dict(GroupIds=["sg-00000000"])),
        ("InvalidVpc.Range", "", ec2.create_vpc, dict(CidrBlock="10.0.0.0/8")),
    ]:
        got, message = code(call, **arguments)
        assert got == expected, (call, got, message)
        assert named in message, message


def test_an_operation_that_is_not_built_is_named(cloud):
    with pytest.raises(ClientError) as caught:
        cloud.ecs.update_container_agent(containerInstance="x")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert "UpdateContainerAgent" in caught.value.response["Error"]["Message"]
    with pytest.raises(ClientError) as caught:
        cloud.ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert "RunInstances" in caught.value.response["Error"]["Message"]


def test_failures_leak_nothing(cloud, group):
    for number in range(3):
        stopped(cloud, group, "leak", entryPoint=["/not/there"])
        stopped(cloud, group, "leak2", image="127.0.0.1:9/nothing:here")
    eventually(lambda: not sandbox_pids(cloud.instance), "no process")
    eventually(lambda: not {"mounts", "processes"} & set(leftovers(cloud.instance)), "no mount")
    left = leftovers(cloud.instance)
    assert not [line for line in left.get("interfaces", []) if "e" in line and "eth0" in line]
