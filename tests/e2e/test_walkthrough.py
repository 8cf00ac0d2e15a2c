"""The task-networking walkthrough to the letter, with the aws CLI as installed."""

import json
import subprocess

import pytest
from etcd import Etcd
from roadstead import Roadstead, address, connects, eventually, http, leftovers, sandbox_pids

CLUSTER = "awsvpc-ecs-demo"


@pytest.fixture(scope="module", params=["disk", "memory", "etcd"])
def cloud(request, tmp_path_factory, images):
    """One for each store: the walkthrough is the same on all."""
    folder = tmp_path_factory.mktemp("rs")
    etcd = Etcd(folder / "etcd")
    if request.param == "etcd":
        etcd.start()
        request.addfinalizer(etcd.kill)
    store = etcd.url("/walkthrough") if request.param == "etcd" else request.param
    with Roadstead(folder, clusters=["default", CLUSTER], options=["--store", store]) as roadstead:
        for path in images.values():
            roadstead.command("image", "import", path)
        yield roadstead


@pytest.fixture(scope="module")
def walk(cloud, walkthroughs):
    """Steps up to a running task."""
    folder = walkthroughs / "task-networking"
    aws = cloud.aws
    created = aws("ecs", "create-cluster", "--cluster-name", CLUSTER)["cluster"]
    assert (created["clusterName"], created["status"]) == (CLUSTER, "ACTIVE")
    definition = aws("ecs", "register-task-definition", "--cli-input-json", "file://./nginx-awsvpc.json", cwd=folder)
    assert definition["taskDefinition"]["revision"] == 1
    group = aws("ec2", "create-security-group", "--group-name", "web", "--description", "web")["GroupId"]
    aws("ec2", "authorize-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "80",
        "--cidr", "0.0.0.0/0")
    network = f"awsvpcConfiguration={{subnets=[{cloud.subnet()}],securityGroups=[{group}]}}"

    def run():
        ran = aws("ecs", "run-task", "--cluster", CLUSTER, "--task-definition", "nginx-awsvpc",
                  "--network-configuration", network)
        assert ran["failures"] == []
        return ran["tasks"][0]

    task = run()
    assert task["lastStatus"] == "PROVISIONING"
    assert task["attachments"][0]["status"] == "PRECREATED"
    return {"arn": task["taskArn"], "run": run, "group": group, "network": network}


@pytest.fixture(scope="module")
def running(cloud, walk):
    aws = cloud.aws
    aws("ecs", "wait", "tasks-running", "--cluster", CLUSTER, "--tasks", walk["arn"])
    return aws("ecs", "describe-tasks", "--cluster", CLUSTER, "--tasks", walk["arn"], "--query", "tasks[0]")


def test_the_attachment_is_shown_as_the_walkthrough_says(cloud, walk, running):
    attachment = running["attachments"][0]
    assert (attachment["type"], attachment["status"]) == ("ElasticNetworkInterface", "ATTACHED")
    details = {detail["name"]: detail["value"] for detail in attachment["details"]}
    assert set(details) >= {"subnetId", "networkInterfaceId", "macAddress", "privateIPv4Address"}
    assert details["subnetId"] == cloud.subnet()
    container = running["containers"][0]
    assert container["networkBindings"] == []
    assert container["networkInterfaces"] == [
        {"attachmentId": attachment["id"], "privateIpv4Address": details["privateIPv4Address"]}
    ]
    shown = cloud.aws("ecs", "describe-tasks", "--cluster", CLUSTER, "--tasks", walk["arn"],
                      "--query", "tasks[0].containers[0].networkInterfaces[0].privateIpv4Address")
    assert shown == details["privateIPv4Address"]
    interface = cloud.aws("ec2", "describe-network-interfaces", "--network-interface-ids", details["networkInterfaceId"])
    interface = interface["NetworkInterfaces"][0]
    assert interface["MacAddress"] == details["macAddress"]
    assert interface["PrivateIpAddress"] == details["privateIPv4Address"]
    assert [group["GroupId"] for group in interface["Groups"]] == [walk["group"]]


def test_nginx_answers_on_port_80_and_every_other_port_is_closed(running):
    eventually(lambda: "nginx" in http(address(running)), "nginx")
    assert not connects(address(running), 81)
    assert not connects(address(running), 443)


def test_the_interfaces_in_the_namespace_are_the_three_described(cloud, running):
    mac = {detail["name"]: detail["value"] for detail in running["attachments"][0]["details"]}["macAddress"]
    eventually(lambda: "nginx" in sandbox_pids(cloud.instance).values(), "the process")
    pids = sandbox_pids(cloud.instance)
    inside = [pid for pid, name in pids.items() if name == "nginx"]
    assert "pause" in pids.values(), pids
    for pid in inside:
        shown = subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "-j", "addr"], capture_output=True, check=True)
        links = {link["ifname"]: link for link in json.loads(shown.stdout)}
        assert set(links) == {"lo", "eth0", "ecs-eth0"}
        assert links["eth0"]["address"] == mac
        assert [info["local"] for info in links["eth0"]["addr_info"] if info["family"] == "inet"] == [address(running)]


def test_several_copies_share_a_node_and_a_port(cloud, walk, running):
    second = cloud.until(walk["run"]()["taskArn"], "RUNNING", CLUSTER)
    assert address(second) != address(running)
    assert second["containerInstanceArn"] == running["containerInstanceArn"]
    eventually(lambda: "nginx" in http(address(second)), "nginx")
    assert "nginx" in http(address(running))
    cloud.stop(second["taskArn"], CLUSTER)


def test_the_firewall_follows_the_group(cloud, walk, running):
    rule = {"GroupId": walk["group"], "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0"}
    cloud.ec2.revoke_security_group_ingress(**rule)
    eventually(lambda: not connects(address(running), 80, 0.5), "port 80 closed")
    cloud.ec2.authorize_security_group_ingress(**rule)
    eventually(lambda: connects(address(running), 80, 0.5), "port 80 open again")


def test_the_log_has_what_nginx_wrote(cloud, walk, running):
    http(address(running))
    eventually(lambda: "GET / HTTP/1.1" in cloud.logs(walk["arn"]), "the access log")


def test_stopping_leaves_nothing(cloud, walk, running):
    aws = cloud.aws
    interface = {d["name"]: d["value"] for d in running["attachments"][0]["details"]}["networkInterfaceId"]
    stopped = aws("ecs", "stop-task", "--cluster", CLUSTER, "--task", walk["arn"], "--reason", "enough")["task"]
    assert stopped["desiredStatus"] == "STOPPED"
    aws("ecs", "wait", "tasks-stopped", "--cluster", CLUSTER, "--tasks", walk["arn"])
    task = cloud.task(walk["arn"], CLUSTER)
    assert (task["lastStatus"], task["stopCode"], task["stoppedReason"]) == ("STOPPED", "UserInitiated", "enough")
    assert task["attachments"][0]["status"] == "DELETED"
    assert task["containers"][0]["exitCode"] == 0
    refused = aws("ec2", "describe-network-interfaces", "--network-interface-ids", interface, check=False)
    assert "InvalidNetworkInterfaceID.NotFound" in refused.stderr
    eventually(lambda: not sandbox_pids(cloud.instance), "no process of the task")
    assert not connects(address(running), 80)
    eventually(lambda: not {"mounts", "processes"} & set(leftovers(cloud.instance)), "nothing of it is left")


def test_a_cluster_without_instances_says_so(cloud, walk):
    cloud.aws("ecs", "create-cluster", "--cluster-name", "empty")
    refused = cloud.aws("ecs", "run-task", "--cluster", "empty", "--task-definition", "nginx-awsvpc",
                        "--network-configuration", walk["network"], check=False)
    assert "InvalidParameterException" in refused.stderr
    assert "No Container Instances were found in your cluster." in refused.stderr
