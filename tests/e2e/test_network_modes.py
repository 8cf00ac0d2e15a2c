"""The network modes besides awsvpc: a bridge with published ports, the host's network, none at all."""

import json
import os
import re
import socket
import subprocess

import pytest
from botocore.exceptions import ClientError
from roadstead import connects, eventually, free_port, http

SHELL = ["sh", "-c"]
SERVE = "mkdir -p /w; hostname > /w/index.html; exec httpd -f -p {port} -h /w"
# The machine's own interpreter, since the test images have no server for UDP.
SYSTEM = {name: path for name, path in (("usr", "/usr"), ("lib", "/usr/lib"), ("lib64", "/usr/lib64")) if os.path.isdir(path)}
PYTHON = {"mountPoints": [{"sourceVolume": name, "containerPath": f"/{name}", "readOnly": True} for name in SYSTEM]}
PYTHON_VOLUMES = [{"name": name, "host": {"sourcePath": path}} for name, path in SYSTEM.items()]
ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 5353))
while True:
    data, peer = s.recvfrom(2048)
    s.sendto(b"echo " + data, peer)
"""


def bindings(task, name=None):
    containers = [c for c in task["containers"] if name in (None, c["name"])]
    return containers[0]["networkBindings"]


def run(cloud, definition, **more):
    return cloud.run(definition, awsvpc=False, **more)


def refusals(cloud, definition):
    answer = cloud.ecs.run_task(cluster="default", taskDefinition=definition)
    assert answer["tasks"] == [], answer
    return [failure["reason"] for failure in answer["failures"]]


def dynamic_ports():
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first, last = file.read().split()
    return range(int(first), int(last) + 1)


def test_a_static_port_leads_to_nginx_and_is_reserved_until_the_task_is_gone(cloud):
    port = free_port()
    definition = cloud.define(
        "static", {"name": "web", "image": "nginx", "portMappings": [{"containerPort": 80, "hostPort": port}]},
        networkMode="bridge")
    arn = run(cloud, definition)
    task = cloud.until(arn, "RUNNING")
    assert bindings(task) == [{"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": port, "protocol": "tcp"}]
    assert task["containers"][0]["networkInterfaces"] == [] and task["attachments"] == []
    assert "Welcome to nginx!" in eventually(lambda: http("127.0.0.1", port), "nginx answers")
    assert refusals(cloud, definition) == ["RESOURCE:PORTS"]
    instance = cloud.ecs.describe_container_instances(containerInstances=[task["containerInstanceArn"]])
    left = {r["name"]: r for r in instance["containerInstances"][0]["remainingResources"]}
    assert str(port) in left["PORTS"]["stringSetValue"]
    cloud.stop(arn)
    assert not connects("127.0.0.1", port)
    again = run(cloud, definition)
    cloud.until(again, "RUNNING")
    assert "Welcome to nginx!" in eventually(lambda: http("127.0.0.1", port), "nginx answers again")
    cloud.stop(again)


def test_dynamic_ports_let_two_copies_live_side_by_side(cloud):
    # Without a network mode: bridge is the default.
    answer = cloud.ecs.register_task_definition(family="dynamic", containerDefinitions=[{
        "name": "web", "image": "busybox", "memory": 32, "stopTimeout": 2,
        "command": [*SHELL, SERVE.format(port=8080)], "portMappings": [{"containerPort": 8080}]}])
    definition = answer["taskDefinition"]["taskDefinitionArn"]
    assert "networkMode" not in answer["taskDefinition"]
    arns = [run(cloud, definition) for _ in range(2)]
    ports, names = set(), set()
    for arn in arns:
        (binding,) = bindings(cloud.until(arn, "RUNNING"))
        assert binding["containerPort"] == 8080 and binding["hostPort"] in dynamic_ports(), binding
        ports.add(binding["hostPort"])
        names.add(eventually(lambda: http("127.0.0.1", binding["hostPort"]), "httpd answers").strip())
    assert len(ports) == 2 and len(names) == 2, "each port leads to its own copy"
    for arn in arns:
        cloud.stop(arn)
    assert not any(connects("127.0.0.1", port) for port in ports)


def test_a_port_that_somebody_has_is_told(cloud):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        definition = cloud.define(
            "taken", {"name": "web", "image": "busybox", "command": ["sleep", "60"],
                      "portMappings": [{"containerPort": 80, "hostPort": port}]},
            networkMode="bridge")
        task = cloud.until(run(cloud, definition), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart", task
    assert f":{port} failed: port is already allocated" in task["stoppedReason"], task


def test_datagrams_find_their_way_in_and_out(cloud):
    definition = cloud.define(
        "datagrams",
        {"name": "echo", "image": "busybox", "command": ["/usr/bin/python3", "-c", ECHO], **PYTHON,
         "portMappings": [{"containerPort": 5353, "protocol": "udp"}]},
        networkMode="bridge", volumes=PYTHON_VOLUMES)
    arn = run(cloud, definition)
    (binding,) = bindings(cloud.until(arn, "RUNNING"))
    assert binding["protocol"] == "udp"

    def answered():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(1)
            client.sendto(b"hello", ("127.0.0.1", binding["hostPort"]))
            try:
                return client.recv(100)
            except OSError:
                return None

    assert eventually(answered, "an answer") == b"echo hello"
    cloud.stop(arn)


def test_a_range_of_ports_gets_a_range_of_the_hosts(cloud):
    definition = cloud.define(
        "range", {"name": "web", "image": "busybox", "command": [*SHELL, SERVE.format(port=8001)],
                  "portMappings": [{"containerPortRange": "8000-8004"}]},
        networkMode="bridge")
    arn = run(cloud, definition)
    (binding,) = bindings(cloud.until(arn, "RUNNING"))
    assert binding["containerPortRange"] == "8000-8004" and "containerPort" not in binding, binding
    first, last = (int(port) for port in binding["hostPortRange"].split("-"))
    assert last - first == 4
    eventually(lambda: http("127.0.0.1", first + 1), "the second port of the range answers")
    cloud.stop(arn)


def test_containers_of_a_bridge_find_each_other_by_links(cloud):
    definition = cloud.define(
        "linked",
        {"name": "app", "image": "busybox", "links": ["db:store"],
         "command": [*SHELL, "cat /etc/hosts; until wget -qO- http://store:8080/; do sleep 0.2; done; wget -qO- http://db:8080/"]},
        {"name": "db", "image": "busybox", "essential": False, "hostname": "database",
         "command": [*SHELL, SERVE.format(port=8080)]},
        networkMode="bridge")
    codes, _, output = cloud.finished(run(cloud, definition))
    assert codes["app"] == 0, output
    assert re.search(r"^.*\d+\.\d+\.\d+\.\d+ store db database$", output, re.M), output
    assert output.count("database") == 3, "in the hosts file and as the answer under both names"


def test_tasks_know_their_network_from_the_metadata(cloud):
    script = "wget -qO- $ECS_CONTAINER_METADATA_URI_V4; echo; ip -o -4 addr show dev eth0; cat /etc/hosts; sleep 300"
    definition = cloud.define(
        "known", {"name": "app", "image": "busybox", "command": [*SHELL, script],
                  "portMappings": [{"containerPort": 80}, {"containerPort": 80}, {"containerPortRange": "90-91", "protocol": "udp"}]},
        networkMode="bridge")
    arn = run(cloud, definition)
    task = cloud.until(arn, "RUNNING")
    output = eventually(lambda: "127.0.0.1 localhost" in cloud.logs(arn) and cloud.logs(arn), "the container looked")
    line = next(line for line in output.splitlines() if '"DockerId"' in line)
    document = json.loads(line[line.index("{"):])
    address = re.search(r"inet (\d+\.\d+\.\d+\.\d+)/", output).group(1)
    assert document["Networks"][0]["NetworkMode"] == "bridge"
    assert document["Networks"][0]["IPv4Addresses"] == [address]
    one, other, many = document["Ports"]
    told = bindings(task)
    for port, binding in ((one, told[0]), (other, told[1])):
        assert (port["ContainerPort"], port["HostPort"]) == (80, binding["hostPort"])
    assert one["HostPort"] != other["HostPort"]
    assert (many["ContainerPortRange"], many["HostPortRange"], many["Protocol"]) == ("90-91", told[2]["hostPortRange"], "udp")
    assert re.search(rf"{re.escape(address)} [0-9a-f]{{12}}$", output, re.M), "its own name in its hosts file"
    cloud.stop(arn)


def test_the_hosts_network_is_the_hosts(cloud):
    port = free_port()
    definition = cloud.define(
        "hosted", {"name": "web", "image": "busybox", "command": [*SHELL, SERVE.format(port=port)],
                   "portMappings": [{"containerPort": port}]},
        networkMode="host")
    other = cloud.define("named", {"name": "app", "image": "busybox", "command": ["hostname"], "hostname": "pier"}, networkMode="host")
    assert cloud.finished(run(cloud, other))[2].strip() == "pier"
    arn = run(cloud, definition)
    task = cloud.until(arn, "RUNNING")
    assert bindings(task) == [{"bindIP": "0.0.0.0", "containerPort": port, "hostPort": port, "protocol": "tcp"}]
    name = subprocess.run(["hostname"], capture_output=True, text=True, check=True).stdout
    assert eventually(lambda: http("127.0.0.1", port), "httpd answers") == name
    assert refusals(cloud, definition) == ["RESOURCE:PORTS"]
    cloud.stop(arn)


def test_none_is_loopback_alone(cloud):
    definition = cloud.define(
        "alone", {"name": "app", "image": "busybox", "command": [*SHELL, "ip -o link; ip route; env"]}, networkMode="none")
    codes, task, output = cloud.finished(run(cloud, definition))
    assert codes == {"app": 0} and bindings(task) == []
    assert re.findall(r": (\w+)[@:]", output) == ["lo"], output
    assert "ECS_CONTAINER_METADATA_URI" not in output
    with pytest.raises(ClientError, match="networkMode=none"):
        cloud.define("alone", {"name": "app", "image": "busybox", "portMappings": [{"containerPort": 80}]}, networkMode="none")


def test_an_interface_is_for_awsvpc_alone(cloud):
    definition = cloud.define("bridged", {"name": "app", "image": "busybox"}, networkMode="bridge")
    with pytest.raises(ClientError, match="not valid for the given networkMode"):
        cloud.run(definition)


def test_nothing_of_the_host_can_be_reached_from_a_bridge(cloud):
    port = int(cloud.listen.rsplit(":", 1)[1])
    gateway = "$(ip route | sed -n 's/^default via \\([0-9.]*\\) .*/\\1/p')"
    script = f"for ip in {gateway} 172.31.0.1 169.254.169.254; do nc -w 2 $ip {port} < /dev/null && echo REACHED $ip; done; true"
    definition = cloud.define("closed", {"name": "app", "image": "busybox", "command": [*SHELL, script]}, networkMode="bridge")
    codes, _, output = cloud.finished(run(cloud, definition))
    assert codes == {"app": 0} and "REACHED" not in output


def test_ports_outlive_the_daemon_and_are_known_again(fresh):
    cloud = fresh()
    definition = cloud.define(
        "lasting", {"name": "web", "image": "busybox", "command": [*SHELL, SERVE.format(port=8080)],
                    "portMappings": [{"containerPort": 8080}]},
        networkMode="bridge")
    arn = run(cloud, definition)
    before = bindings(cloud.until(arn, "RUNNING"))
    port = before[0]["hostPort"]
    eventually(lambda: http("127.0.0.1", port), "httpd answers")
    cloud.kill()
    assert http("127.0.0.1", port)
    cloud.up()
    assert bindings(cloud.until(arn, "RUNNING")) == before
    assert http("127.0.0.1", port)
    cloud.stop(arn)
    assert not connects("127.0.0.1", port)
