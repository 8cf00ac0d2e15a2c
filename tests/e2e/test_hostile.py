"""A privileged task owns its network namespace, and nothing beside it. What it may send by hand is tried frame by frame
in `crates/node/net/tests/node/hostile`; here is what a shell in such a task can do to others."""

import pytest
from roadstead import address, http

SERVE = "mkdir /w; echo served > /w/index.html; httpd -f -p 80 -h /w"


@pytest.fixture
def open_node(fresh):
    return fresh(options=["--allow-privileged"])


def server(cloud, name, group):
    definition = cloud.define(name, {"name": "web", "image": "busybox", "command": ["sh", "-c", SERVE]})
    return cloud.until(cloud.run(definition, groups=[group]), "RUNNING")


def test_a_privileged_task_is_nobody_else_and_gets_nowhere_else(open_node):
    cloud = open_node
    everyone, friends = cloud.open_group("everyone", 80), cloud.open_group("friends")
    hostile = cloud.open_group("hostile")
    cloud.ec2.authorize_security_group_ingress(GroupId=friends, IpPermissions=[
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": friends}]}])
    shut, opened = server(cloud, "shut", friends), server(cloud, "opened", everyone)
    victim, neighbour = address(shut), address(opened)
    port = int(cloud.listen.rsplit(":", 1)[1])
    script = f"""
    try() {{ timeout 3 wget -qO- "http://$2/" >/dev/null 2>&1 && echo "REACHED $1"; }}
    try control {neighbour}
    try plainly {victim}
    ip link set eth0 promisc on
    ip route add {victim}/32 dev eth0
    try 'by a route of its own' {victim}
    ip route replace {victim}/32 via 169.254.172.1 dev ecs-eth0 onlink
    try 'by the private link' {victim}
    ip route del {victim}/32
    for target in 172.31.0.1 172.31.0.2 169.254.172.1 169.254.170.1 169.254.169.254 127.0.0.1; do
        nc -w 2 $target {port} </dev/null >/dev/null 2>&1 && echo "REACHED host by $target"
    done
    own=$(cat /sys/class/net/eth0/address)
    ip addr add {victim}/32 dev eth0
    ip route replace {neighbour}/32 via 172.31.0.1 dev eth0 src {victim}
    try 'as another address' {neighbour}
    ip link set eth0 down; ip link set eth0 address 02:66:66:66:66:66; ip link set eth0 up
    ip route replace default via 172.31.0.1 dev eth0
    try 'with another MAC' {neighbour}
    ip link set eth0 down; ip link set eth0 address $own; ip link set eth0 up
    ip addr del {victim}/32 dev eth0
    ip route replace default via 172.31.0.1 dev eth0
    try 'control again' {neighbour}
    try 'the agent as itself' 169.254.170.2/v2/metadata
    for last in 2 3 4 5 6 7 8; do
        ip -o addr show dev ecs-eth0 | grep -qF "169.254.172.$last/22" && continue
        ip addr add 169.254.172.$last/32 dev ecs-eth0 2>/dev/null || continue
        ip route replace 169.254.170.2/32 via 169.254.172.1 dev ecs-eth0 src 169.254.172.$last onlink
        try "the agent as 169.254.172.$last" 169.254.170.2/v2/metadata
        ip addr del 169.254.172.$last/32 dev ecs-eth0
    done
    true"""
    definition = cloud.define("hostile", {
        "name": "app", "image": "busybox", "privileged": True, "command": ["sh", "-c", script]})
    _, _, output = cloud.finished(cloud.run(definition, groups=[hostile]))
    reached = [line for line in output.splitlines() if "REACHED" in line]
    assert [line.split("REACHED ")[1] for line in reached] == [
        "control", "control again", "the agent as itself"], output
    assert http(neighbour), "and the others are as they were"
    for task in (shut, opened):
        cloud.stop(task["taskArn"])
