"""IPv6 beside IPv4, by the aws CLI: blocks, addresses, groups, names, and the setting that decides."""

import ipaddress
import json

import pytest
from roadstead import address, connects, eventually

SERVE = "mkdir /w; hostname > /w/index.html; httpd -f -p [::]:80 -h /w"


def text(cloud, *words):
    return cloud.aws(*words, "--output", "text")


def aws(cloud, *words):
    return cloud.aws(*words, "--output", "json")


@pytest.fixture(scope="module")
def dual(cloud):
    """A VPC with an IPv6 block, a subnet with a part of it, and two groups: `clients` may reach `servers`."""
    vpc = aws(cloud, "ec2", "create-vpc", "--cidr-block", "10.6.0.0/16", "--amazon-provided-ipv6-cidr-block")["Vpc"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]
    assert block["Ipv6CidrBlockState"]["State"] == "associated"
    block = ipaddress.ip_network(block["Ipv6CidrBlock"])
    assert block.prefixlen == 56
    part = next(block.subnets(new_prefix=64))
    subnet = aws(
        cloud, "ec2", "create-subnet", "--vpc-id", vpc["VpcId"], "--cidr-block", "10.6.1.0/24",
        "--ipv6-cidr-block", str(part), "--availability-zone", f"{cloud.region}a",
    )["Subnet"]
    assert subnet["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"] == str(part)
    groups = {}
    for name in ("clients", "servers"):
        groups[name] = aws(
            cloud, "ec2", "create-security-group", "--group-name", name, "--description", name, "--vpc-id", vpc["VpcId"],
        )["GroupId"]
    shown = aws(cloud, "ec2", "describe-security-groups", "--group-ids", groups["clients"])["SecurityGroups"][0]
    assert shown["IpPermissionsEgress"][0]["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]
    return {"vpc": vpc["VpcId"], "subnet": subnet["SubnetId"], "block": part, **groups}


def run(cloud, dual, family, group, *command):
    script = command[0] if len(command) == 1 else "; ".join(command)
    container = {"name": "app", "image": "busybox", "command": ["sh", "-c", script]}
    definition = cloud.define(family, container, fargate=True)
    return cloud.run(definition, [dual["subnet"]], [dual[group]], launch="FARGATE")


def ipv6(task):
    return task["containers"][0]["networkInterfaces"][0]["ipv6Address"]


def ask(cloud, dual, group, target):
    script = f"timeout 5 wget -qO- 'http://{target}/' && echo REACHED || echo BLOCKED"
    return cloud.finished(run(cloud, dual, "asks6", group, script))[2]


def reach(cloud, dual, group, target):
    """The same by somebody who asks until there is an answer."""
    script = f"n=0; until timeout 5 wget -qO- 'http://{target}/' && echo REACHED; do n=$((n+1)); [ $n -lt 30 ] || exit 1; sleep 1; done"
    return cloud.finished(run(cloud, dual, "reaches6", group, script))[2]


def permit(cloud, verb, group, *permissions):
    aws(
        cloud, "ec2", f"{verb}-security-group-ingress", "--group-id", group,
        "--ip-permissions", json.dumps(list(permissions)),
    )


def test_two_dual_stack_tasks_reach_each_other_only_as_the_groups_allow(cloud, dual):
    tcp = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    from_group = {**tcp, "UserIdGroupPairs": [{"GroupId": dual["clients"]}]}
    permit(cloud, "authorize", dual["servers"], from_group)
    arn = run(cloud, dual, "serves6", "servers", SERVE)
    task = cloud.until(arn, "RUNNING")
    target = ipv6(task)
    assert ipaddress.ip_address(target) in dual["block"]
    details = {one["name"]: one["value"] for one in task["attachments"][0]["details"]}
    assert details["ipv6Address"] == target
    interface = aws(
        cloud, "ec2", "describe-network-interfaces", "--filters", f"Name=ipv6-addresses.ipv6-address,Values={target}",
    )["NetworkInterfaces"]
    assert [one["NetworkInterfaceId"] for one in interface] == [details["networkInterfaceId"]]

    assert "REACHED" in reach(cloud, dual, "clients", f"[{target}]"), "the group is a source by IPv6 too"
    assert "BLOCKED" in ask(cloud, dual, "servers", f"[{target}]")
    permit(cloud, "revoke", dual["servers"], from_group)
    assert "BLOCKED" in ask(cloud, dual, "clients", f"[{target}]")
    everywhere = {**tcp, "Ipv6Ranges": [{"CidrIpv6": str(dual["block"])}]}
    permit(cloud, "authorize", dual["servers"], everywhere)
    assert "REACHED" in reach(cloud, dual, "clients", f"[{target}]")
    assert "BLOCKED" in ask(cloud, dual, "clients", address(task)), "an IPv6 range opens nothing for IPv4"
    permit(cloud, "revoke", dual["servers"], everywhere)

    ping = {"IpProtocol": "icmpv6", "FromPort": 128, "ToPort": -1, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    script = f"n=0; until ping -6 -c 1 -W 2 {target} > /dev/null && echo REACHED; do n=$((n+1)); [ $n -lt 3 ] || {{ echo BLOCKED; break; }}; done"
    assert "BLOCKED" in cloud.finished(run(cloud, dual, "pings6", "clients", script))[2]
    permit(cloud, "authorize", dual["servers"], ping)
    assert "REACHED" in cloud.finished(run(cloud, dual, "pings6", "clients", script))[2]
    permit(cloud, "revoke", dual["servers"], ping)
    cloud.stop(arn)


def test_a_task_knows_its_ipv6_address_and_names(cloud, dual):
    arn = run(
        cloud, dual, "knows6", "clients",
        "ip -6 addr show dev eth0", "ip -6 route", "cat /etc/hosts", "nslookup $(hostname)",
        'wget -qO- "$ECS_CONTAINER_METADATA_URI_V4"',
    )
    codes, task, output = cloud.finished(arn)
    own, host = ipv6(task), f"ip-{address(task).replace('.', '-')}.ec2.internal"
    assert f"inet6 {own}/64 scope global" in output, output
    assert f"default via {dual['block'][1]} dev eth0" in output, output
    assert f"{own} {host}" in output, "the hosts file"
    assert "Name:\t" + host + "\nAddress: " + own in output, "the resolver"
    document = json.loads(output[output.index('{"'):output.rindex("}") + 1])
    network = document["Networks"][0]
    assert network["IPv6Addresses"] == [own]
    assert network["IPv6SubnetCIDRBlock"] == str(dual["block"])
    assert codes["app"] == 0


def test_the_accounts_setting_decides(cloud, dual):
    def effective():
        answer = aws(cloud, "ecs", "list-account-settings", "--name", "dualStackIPv6", "--effective-settings")
        return answer["settings"][0]["value"]

    assert effective() == "enabled"
    aws(cloud, "ecs", "put-account-setting-default", "--name", "dualStackIPv6", "--value", "disabled")
    try:
        assert effective() == "disabled"
        _, task, output = cloud.finished(run(cloud, dual, "plain6", "clients", "ip -6 addr show dev eth0"))
        assert "ipv6Address" not in task["containers"][0]["networkInterfaces"][0]
        assert "scope global" not in output
    finally:
        aws(cloud, "ecs", "delete-account-setting", "--name", "dualStackIPv6")
    assert effective() == "enabled"
    refused = cloud.aws("ecs", "put-account-setting", "--name", "awsvpcTrunking", "--value", "enabled", check=False)
    assert refused.returncode != 0 and "awsvpcTrunking = enabled is not supported" in refused.stderr


@pytest.fixture(scope="module")
def default(cloud):
    """The default VPC's first subnet, with an IPv6 block that it got later."""
    subnet = cloud.subnet()
    vpc = aws(cloud, "ec2", "describe-subnets", "--subnet-ids", subnet)["Subnets"][0]["VpcId"]
    block = aws(cloud, "ec2", "associate-vpc-cidr-block", "--vpc-id", vpc, "--amazon-provided-ipv6-cidr-block")
    block = ipaddress.ip_network(block["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"])
    part = next(block.subnets(new_prefix=64))
    aws(cloud, "ec2", "associate-subnet-cidr-block", "--subnet-id", subnet, "--ipv6-cidr-block", str(part))
    return {"vpc": vpc, "subnet": subnet, "block": part}


def test_a_task_cannot_send_from_an_address_that_is_not_its_own(cloud, default):
    group = cloud.open_group("forging")
    permit(cloud, "authorize", group, {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]})
    server = cloud.define("serves6", {"name": "app", "image": "busybox", "command": ["sh", "-c", SERVE]})
    arn = cloud.run(server, groups=[group])
    target = ipv6(cloud.until(arn, "RUNNING"))
    forged, gateway = default["block"][0xBAD], default["block"][1]
    script = f"""
        reach() {{ timeout 3 wget -qO- 'http://[{target}]/' > /dev/null && echo "$1 REACHED" || echo "$1 BLOCKED"; }}
        for n in $(seq 30); do reach own | tee /w; grep -q REACHED /w && break; sleep 1; done
        ip -6 addr flush dev eth0 scope global
        ip -6 addr add {forged}/64 dev eth0
        ip -6 route add default via {gateway} dev eth0 2> /dev/null
        ip -6 addr show dev eth0
        reach forged
    """
    container = {
        "name": "app", "image": "busybox", "command": ["sh", "-c", script],
        "linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}},
    }
    output = cloud.finished(cloud.run(cloud.define("forges6", container), groups=[group]))[2]
    assert f"inet6 {forged}/64" in output, output
    assert "own REACHED" in output and "forged BLOCKED" in output, output
    cloud.stop(arn)


def test_the_host_reaches_the_default_vpc_by_ipv6(cloud, default):
    group = cloud.open_group("host6")
    permit(cloud, "authorize", group, {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]})
    server = cloud.define("serves6", {"name": "app", "image": "busybox", "command": ["sh", "-c", SERVE]})
    arn = cloud.run(server, groups=[group])
    target = ipv6(cloud.until(arn, "RUNNING"))
    eventually(lambda: connects(target, 80), f"the host reaches {target}")
    permit(cloud, "revoke", group, {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]})
    eventually(lambda: not connects(target, 80), "closed again")
    cloud.stop(arn)
