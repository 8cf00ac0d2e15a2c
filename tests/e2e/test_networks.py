"""Networks are closed until opened, also to each other."""

import pytest
from roadstead import address, connects, eventually, http

SERVE = "mkdir /w; hostname > /w/index.html; httpd -f -p 80 -h /w"


def server(cloud, family, **more):
    return cloud.define(family, {"name": "web", "image": "busybox", "command": ["sh", "-c", SERVE]}, **more)


def asker(cloud, family, target, **more):
    """Asks until there is an answer: a server of a task that runs may not listen yet."""
    script = f"n=0; until timeout 5 wget -qO- http://{target}/ && echo REACHED; do n=$((n+1)); [ $n -lt 30 ] || exit 1; sleep 1; done"
    return cloud.define(family, {"name": "asker", "image": "busybox", "command": ["sh", "-c", script]}, **more)


def probe(cloud, family, target, **more):
    script = f"timeout 5 wget -qO- http://{target}/ && echo REACHED || echo BLOCKED"
    return cloud.define(family, {"name": "probe", "image": "busybox", "command": ["sh", "-c", script]}, **more)


def test_two_vpcs_with_the_same_cidr_do_not_see_each_other(cloud):
    sides = []
    for name in ("left", "right"):
        vpc = cloud.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        zone = f"{cloud.region}a"
        subnet = cloud.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        group = cloud.open_group(name, 80, vpc=vpc)
        sides.append((subnet, group))
    definition = server(cloud, "twin", fargate=True)
    arns = [cloud.run(definition, [subnet], [group], launch="FARGATE") for subnet, group in sides]
    tasks = [cloud.until(arn, "RUNNING") for arn in arns]
    left, right = (address(task) for task in tasks)
    assert left.startswith("10.9.1.") and right.startswith("10.9.1.")
    assert all("containerInstanceArn" not in task for task in tasks)

    # A second task on the left moves on: its address is free on the right, where nobody must answer.
    other = cloud.until(cloud.run(definition, [sides[0][0]], [sides[0][1]], launch="FARGATE"), "RUNNING")
    target = address(other)
    assert target not in (left, right)
    within = cloud.run(asker(cloud, "within", target, fargate=True), [sides[0][0]], [sides[0][1]], launch="FARGATE")
    assert "REACHED" in cloud.finished(within)[2]
    across = cloud.run(probe(cloud, "across", target, fargate=True), [sides[1][0]], [sides[1][1]], launch="FARGATE")
    assert "BLOCKED" in cloud.finished(across)[2]
    assert not connects(left, 80), "the host has no way into a VPC that is not attached"
    for arn in [*arns, other["taskArn"]]:
        cloud.stop(arn)


def test_groups_are_sources(cloud):
    clients = cloud.open_group("clients")
    servers = cloud.open_group("servers")
    cloud.ec2.authorize_security_group_ingress(GroupId=servers, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": clients}]}])
    arn = cloud.run(server(cloud, "behind"), groups=[servers])
    target = address(cloud.until(arn, "RUNNING"))
    assert "REACHED" in cloud.finished(cloud.run(asker(cloud, "asks", target), groups=[clients]))[2]
    assert "BLOCKED" in cloud.finished(cloud.run(probe(cloud, "asks", target), groups=[servers]))[2]
    assert not connects(target, 80), "the host wears no group"
    cloud.stop(arn)


def test_egress_rules_hold(cloud):
    arn = cloud.run(server(cloud, "open"), groups=[cloud.open_group("egress-server", 80)])
    target = address(cloud.until(arn, "RUNNING"))
    silent = cloud.open_group("silent")
    cloud.ec2.revoke_security_group_egress(GroupId=silent, IpPermissions=[
        {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    assert "BLOCKED" in cloud.finished(cloud.run(probe(cloud, "mute", target), groups=[silent]))[2]
    cloud.stop(arn)


def test_nothing_of_the_host_can_be_reached_from_a_task(cloud):
    port = int(cloud.listen.rsplit(":", 1)[1])
    script = "; ".join(f"nc -w 2 {target} {port} < /dev/null && echo REACHED {target}" for target in
                       ("127.0.0.1", "172.31.0.1", "172.31.0.2", "169.254.170.1", "169.254.172.1", "169.254.169.254")) + "; true"
    definition = cloud.define("escape", {"name": "app", "image": "busybox", "command": ["sh", "-c", script]})
    _, _, output = cloud.finished(cloud.run(definition, groups=[cloud.open_group("escape")]))
    assert "REACHED" not in output


def test_launch_type_ec2_goes_only_where_the_subnet_is(cloud):
    far = cloud.ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": [f"{cloud.region}b"]}])
    far = far["Subnets"][0]["SubnetId"]
    definition = server(cloud, "far")
    answer = cloud.ecs.run_task(
        cluster="default", taskDefinition=definition, launchType="EC2",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [far]}})
    assert answer["tasks"] == [] and answer["failures"], answer


def test_a_subnet_without_room_stops_the_task_with_a_reason(cloud):
    vpc = cloud.ec2.create_vpc(CidrBlock="10.8.0.0/24")["Vpc"]["VpcId"]
    subnet = cloud.ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.0.0/28", AvailabilityZone=f"{cloud.region}a")
    subnet = subnet["Subnet"]["SubnetId"]
    for _ in range(11):
        cloud.ec2.create_network_interface(SubnetId=subnet)
    definition = server(cloud, "full", fargate=True)
    task = cloud.until(cloud.run(definition, [subnet], launch="FARGATE"), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "free addresses" in task["stoppedReason"] or "InsufficientFreeAddresses" in task["stoppedReason"], task
