"""Records elsewhere than on this machine's disk: in an etcd that may go away, be shared, and outlive the machine."""

import concurrent.futures
import subprocess

import botocore.exceptions
import pytest
from etcd import Etcd
from roadstead import BINARY, PATIENCE, address, eventually, http, leftovers, sandbox_pids, settled_pids

SERVE = ["sh", "-c", "mkdir /w; echo alive > /w/index.html; httpd -f -p 80 -h /w"]


@pytest.fixture
def etcd(tmp_path):
    with Etcd(tmp_path / "etcd") as etcd:
        yield etcd


def start(cloud, family="web"):
    definition = cloud.define(family, {"name": "web", "image": "busybox", "command": SERVE})
    arn = cloud.run(definition, groups=[cloud.open_group(family, 80)])
    ip = address(cloud.until(arn, "RUNNING"))
    eventually(lambda: http(ip) == "alive\n", "httpd")
    return arn, ip


def refused_up(*options):
    """What `up` says when it does not come up."""
    command = [BINARY, "up", "--listen", "127.0.0.1:0", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode != 0, done.stdout + done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_a_restart_on_etcd_keeps_everything(etcd, fresh):
    cloud = fresh(options=["--store", etcd.url("/rs")])
    arn, ip = start(cloud)
    for number in range(3):
        cloud.ecs.create_cluster(clusterName=f"c{number}")
    page = cloud.ecs.list_clusters(maxResults=2)
    before = cloud.task(arn)
    assert not (cloud.data / "store.redb").exists(), "nothing of the records is here"
    for end in (cloud.kill, cloud.interrupt):
        end()
        assert http(ip) == "alive\n"
        cloud.up()
        task = cloud.task(arn)
        assert (task["lastStatus"], address(task)) == ("RUNNING", ip)
        assert task["createdAt"] == before["createdAt"]
        # A page token of the daemon that was is good for the one that is.
        rest = cloud.ecs.list_clusters(maxResults=10, nextToken=page["nextToken"])
        assert len(page["clusterArns"] + rest["clusterArns"]) == 4
    # etcd may be restarted too, under a daemon that runs.
    etcd.kill()
    etcd.start()
    eventually(lambda: works(cloud), "the store is back")
    assert cloud.task(arn)["lastStatus"] == "RUNNING"
    cloud.stop(arn)


def works(cloud):
    try:
        cloud.ecs.create_cluster(clusterName="default")
        return True
    except (botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError):
        return False


def failure(call):
    """Status and code of what the API answers instead of an answer."""
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call()
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def test_without_its_etcd_calls_can_be_tried_again_and_tasks_go_on(etcd, fresh):
    cloud = fresh(options=["--store", etcd.url()])
    arn, ip = start(cloud)
    processes = settled_pids(cloud.instance)
    etcd.kill()
    calls = {
        "ecs": lambda: cloud.ecs.create_cluster(clusterName="later"),
        "ec2": lambda: cloud.ec2.create_security_group(GroupName="later", Description="later"),
    }
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        answers = {name: pool.submit(failure, call) for name, call in calls.items()}
    for name, answer in answers.items():
        status, code, message = answer.result()
        assert status == 503, (name, code, message)
        assert "try again" in message.lower(), (name, code, message)
    # A client that tries again, as SDKs do, succeeds once the store is back.
    patient = cloud.client("ecs", retries={"max_attempts": 50, "mode": "standard"})
    pool = concurrent.futures.ThreadPoolExecutor(1)
    trying = pool.submit(patient.create_cluster, clusterName="later")
    # What is running is unharmed, and an exit meanwhile is told when the store is back.
    assert http(ip) == "alive\n"
    assert settled_pids(cloud.instance) == processes
    httpd = next(pid for pid, name in processes.items() if name == "httpd")
    subprocess.run(["kill", "-9", str(httpd)], check=True)
    eventually(lambda: httpd not in sandbox_pids(cloud.instance), "the application ended")
    etcd.start()
    assert trying.result(timeout=PATIENCE)["cluster"]["clusterName"] == "later"
    pool.shutdown()
    task = cloud.until(arn, "STOPPED")
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["containers"][0]["exitCode"] == 137
    start(cloud, "again")


def test_down_works_while_its_etcd_is_gone(etcd, fresh):
    cloud = fresh(options=["--store", etcd.url()])
    start(cloud)
    instance = cloud.instance
    etcd.kill()
    cloud.down()
    assert leftovers(instance) == {}
    assert not cloud.data.exists()


def test_one_server_to_a_store_until_it_is_killed(etcd, fresh):
    store = etcd.url("/rs")
    first = fresh("first", options=["--store", store])
    arn, ip = start(first)
    said = refused_up("--data", first.folder / "other", "--store", store)
    for words in (store, f"instance {first.instance}", f"process {first.process.pid}", "prefix"):
        assert words in said, said
    # Beside it, under another prefix, there is room.
    second = fresh("second", options=["--store", etcd.url("/beside"), "--default-vpc-cidr", "10.102.0.0/16"])
    assert second.ecs.list_tasks()["taskArns"] == []
    start(second)
    second.down()
    # A killed one holds the store for a few seconds and no longer; its own next start need not wait.
    first.kill()
    heir = fresh("heir", options=["--store", store, "--default-vpc-cidr", "10.103.0.0/16"])
    assert heir.ecs.describe_tasks(tasks=[arn])["tasks"][0]["lastStatus"] == "RUNNING", "the records are there"
    said = refused_up("--data", first.data, "--store", store)
    assert f"instance {heir.instance}" in said
    heir.interrupt()
    first.up()
    assert first.task(arn)["lastStatus"] == "RUNNING"
    assert http(ip) == "alive\n"
    first.stop(arn)


def test_a_folder_is_not_given_other_records_by_mistake(etcd, fresh):
    cloud = fresh(options=["--store", etcd.url("/rs")])
    arn, ip = start(cloud)
    cloud.interrupt()
    said = refused_up("--data", cloud.data)
    assert "--store" in said and etcd.url("/rs") in said and "roadstead down" in said, said
    assert http(ip) == "alive\n", "the task was not taken for a stranger's"
    cloud.options = []
    done = cloud.command("down")
    assert f"the records stay in {etcd.url('/rs')}" in done.stdout
    # Its tasks ended, it may begin anew; the store that it had, too.
    cloud.up()
    assert cloud.ecs.list_tasks()["taskArns"] == []
    cloud.down(purge=False)
    cloud.options = ["--store", etcd.url("/rs")]
    cloud.up()
    assert cloud.until(arn, "STOPPED")["stoppedReason"]


def test_memory_by_its_name_is_ephemeral(fresh):
    cloud = fresh(options=["--store", "memory"])
    start(cloud)
    instance = cloud.instance
    cloud.interrupt()
    assert leftovers(instance) == {}
    cloud.instance = None


def test_a_newer_folder_is_refused(fresh):
    cloud = fresh()
    cloud.interrupt()
    (cloud.data / "format").write_text("1000\n")
    said = refused_up("--data", cloud.data)
    assert "newer Roadstead (format 1000" in said and "--data" in said, said
    done = cloud.command("down", check=False)
    assert done.returncode != 0 and "newer Roadstead" in done.stderr
    (cloud.data / "format").write_text("1\n")


@pytest.mark.parametrize("options, words", [
    (["--store", "etcd://127.0.0.1:1"], "not available"),
    (["--store", "etcds://127.0.0.1:1"], "--store-ca"),
    (["--store", "http://127.0.0.1:1"], "--store"),
    (["--store", "etcd://127.0.0.1:1", "--ephemeral"], "--ephemeral"),
    (["--store-key", "k"], "--store-key"),
])
def test_stores_that_cannot_be_are_refused(tmp_path, options, words):
    assert words in refused_up("--data", tmp_path / "data", *options)
