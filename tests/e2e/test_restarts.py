"""The daemon's death stops no container; what was acknowledged is there afterwards."""

from roadstead import PATIENCE, address, connects, eventually, http, leftovers, sandbox_pids, settled_pids

SERVE = ["sh", "-c", "mkdir /w; echo alive > /w/index.html; httpd -f -p 80 -h /w"]


def start(cloud, family="web"):
    definition = cloud.define(family, {"name": "web", "image": "busybox", "command": SERVE})
    arn = cloud.run(definition, groups=[cloud.open_group(family, 80)])
    return arn, address(cloud.until(arn, "RUNNING"))


def test_kill_9_and_back(fresh):
    cloud = fresh()
    arn, ip = start(cloud)
    eventually(lambda: http(ip) == "alive\n", "httpd")
    before = settled_pids(cloud.instance)
    cloud.kill()
    assert http(ip) == "alive\n", "the task goes on without a daemon"
    assert settled_pids(cloud.instance) == before
    cloud.up()
    assert http(ip) == "alive\n"
    task = cloud.task(arn)
    assert (task["lastStatus"], address(task)) == ("RUNNING", ip)
    assert set(before) <= set(sandbox_pids(cloud.instance)), "the same processes"
    second, other = start(cloud, "second")
    assert other != ip
    stopped = cloud.stop(arn)
    assert stopped["stopCode"] == "UserInitiated"
    cloud.stop(second)


def test_an_exit_while_nobody_watched_is_told(fresh):
    cloud = fresh()
    definition = cloud.define("brief", {"name": "app", "image": "busybox", "command": ["sh", "-c", "echo up; read line < /hold/fifo; exit 5"],
                                        "mountPoints": [{"sourceVolume": "hold", "containerPath": "/hold"}]},
                              volumes=[{"name": "hold", "host": {"sourcePath": str(cloud.folder)}}])
    import os
    os.mkfifo(cloud.folder / "fifo")
    arn = cloud.run(definition, groups=[cloud.open_group("brief")])
    cloud.until(arn, "RUNNING")
    cloud.kill()
    (cloud.folder / "fifo").write_text("go\n")
    eventually(lambda: "sh" not in sandbox_pids(cloud.instance).values(), "the application ended")
    cloud.up()
    task = cloud.until(arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 5
    assert task["stopCode"] == "EssentialContainerExited"


def test_ctrl_c_stops_the_daemon_and_no_task(fresh):
    cloud = fresh()
    _, ip = start(cloud)
    eventually(lambda: http(ip) == "alive\n", "httpd")
    cloud.interrupt()
    assert http(ip) == "alive\n"
    cloud.up()


def test_down_removes_every_trace(fresh):
    cloud = fresh()
    start(cloud)
    instance = cloud.instance
    assert leftovers(instance)
    cloud.down()
    assert leftovers(instance) == {}
    assert not cloud.data.exists()


def test_down_works_without_a_daemon(fresh):
    cloud = fresh()
    start(cloud)
    instance = cloud.instance
    cloud.kill()
    cloud.down()
    assert leftovers(instance) == {}


def test_down_without_purge_keeps_the_records(fresh):
    cloud = fresh()
    arn, _ = start(cloud)
    instance = cloud.instance
    cloud.down(purge=False)
    assert leftovers(instance) == {}
    cloud.up()
    task = cloud.until(arn, "STOPPED")
    assert task["stoppedReason"]
    start(cloud, "again")


def test_ephemeral_ends_with_its_tasks(fresh):
    cloud = fresh(options=["--ephemeral"])
    _, ip = start(cloud)
    eventually(lambda: http(ip) == "alive\n", "httpd")
    instance = cloud.instance
    cloud.interrupt()
    assert leftovers(instance) == {}
    cloud.instance = None


def test_two_roadsteads_side_by_side(fresh):
    first = fresh("first", options=["--default-vpc-cidr", "10.101.0.0/16"])
    second = fresh("second", options=["--default-vpc-cidr", "10.102.0.0/16"])
    (_, one), (_, two) = start(first), start(second)
    assert one.startswith("10.101.") and two.startswith("10.102.")
    for ip in (one, two):
        eventually(lambda: http(ip) == "alive\n", "httpd")
    assert first.instance != second.instance
    first.down()
    assert http(two) == "alive\n", "the neighbour is untouched"


def test_an_overlapping_vpc_is_not_attached_and_says_why(fresh):
    first = fresh("first")
    second = fresh("second")
    _, ip = start(second)
    eventually(lambda: "host attachment refused" in second.log(), "it says so")
    assert "host attachment refused" not in first.log()
    _, other = start(first)
    eventually(lambda: http(other) == "alive\n", "httpd")


def test_a_second_daemon_on_the_same_folder_is_refused(fresh):
    import subprocess

    from roadstead import BINARY
    cloud = fresh()
    done = subprocess.run([BINARY, "up", "--data", cloud.data, "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode != 0
    assert "already" in done.stderr and "--data" in done.stderr


def test_the_operator_can_open_the_api_inside_tasks_and_close_the_hosts_way(fresh):
    cloud = fresh(options=["--open-task-api", "--no-host-attachment"])
    script = ("timeout 60 wget -qO- --header 'X-Amz-Target: AmazonEC2ContainerServiceV20141113.ListClusters' "
              "--header 'Authorization: AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/ecs/aws4_request, "
              "SignedHeaders=host, Signature=0' --post-data '{}' $AWS_ENDPOINT_URL")
    definition = cloud.define("opened", {"name": "app", "image": "busybox", "command": ["sh", "-c", script]})
    codes, _, output = cloud.finished(cloud.run(definition))
    assert codes == {"app": 0} and "cluster/default" in output, output
    _, ip = start(cloud)
    assert not connects(ip, 80)
