"""What containers are given and what is told of them, with busybox as the application."""

import json

import pytest
from roadstead import eventually, http, address

SHELL = ["sh", "-c"]


@pytest.fixture(scope="module")
def group(cloud):
    return cloud.open_group("tasks", 80, 8080)


def once(cloud, group, family, *containers, **more):
    definition = cloud.define(family, *containers, **more)
    return cloud.finished(cloud.run(definition, groups=[group]))


def test_exit_codes_and_the_essential_container(cloud, group):
    codes, task, _ = once(cloud, group, "exits", {"name": "app", "image": "busybox", "command": [*SHELL, "exit 7"]})
    assert codes == {"app": 7}
    assert (task["stopCode"], task["stoppedReason"]) == ("EssentialContainerExited", "Essential container in task exited")
    for moment in ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt", "stoppedAt", "executionStoppedAt"):
        assert moment in task, moment


def test_a_sidecar_may_end_while_the_essential_one_goes_on(cloud, group):
    definition = cloud.define(
        "sidecar",
        {"name": "main", "image": "busybox", "command": ["sleep", "300"]},
        {"name": "helper", "image": "busybox", "essential": False, "command": [*SHELL, "exit 3"]},
    )
    arn = cloud.run(definition, groups=[group])
    cloud.until(arn, "RUNNING")

    def helper():
        states = {container["name"]: container for container in cloud.task(arn)["containers"]}
        return states["helper"]["lastStatus"] == "STOPPED" and states["helper"].get("exitCode") == 3

    eventually(helper, "the helper's exit is told")
    assert cloud.task(arn)["lastStatus"] == "RUNNING"
    cloud.stop(arn)


def test_no_command_runs_before_the_network_is_complete(cloud, group):
    definition = cloud.define("early", {"name": "app", "image": "busybox", "command": [*SHELL, "ip -o link | wc -l"]})
    arns = [cloud.run(definition, groups=[group]) for _ in range(8)]
    assert [cloud.finished(arn)[2].split() for arn in arns] == [["3"]] * 8


def test_environment_user_directory_and_overrides(cloud, group):
    definition = cloud.define("given", {
        "name": "app", "image": "busybox", "user": "1000:1001", "workingDirectory": "/tmp",
        "entryPoint": ["sh", "-c"], "command": ["echo A=$A B=$B; id -u; id -g; pwd; env"],
        "environment": [{"name": "A", "value": "definition"}, {"name": "B", "value": "definition"}],
    })
    arn = cloud.run(definition, groups=[group], overrides={
        "containerOverrides": [{"name": "app", "environment": [{"name": "B", "value": "override"}]}]})
    codes, _, output = cloud.finished(arn)
    assert codes == {"app": 0}
    for line in ("A=definition B=override", "1000", "1001", "/tmp", f"AWS_DEFAULT_REGION={cloud.region}",
                 "AWS_ENDPOINT_URL=http://169.254.170.2:4566", "AWS_DISABLE_HOST_PREFIX_INJECTION=true"):
        assert line in output, output


def test_memory_beyond_the_limit_is_told_as_such(cloud, group):
    codes, task, _ = once(cloud, group, "oom", {
        "name": "app", "image": "busybox", "memory": 32, "command": [*SHELL, "tail /dev/zero"]})
    assert codes == {"app": 137}
    assert task["containers"][0]["reason"].startswith("OutOfMemoryError"), task


def test_containers_wait_for_those_they_depend_on(cloud, group):
    codes, _, output = once(
        cloud, group, "order",
        {"name": "app", "image": "busybox", "command": [*SHELL, "cat /shared/made"],
         "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}],
         "mountPoints": [{"sourceVolume": "shared", "containerPath": "/shared", "readOnly": True}]},
        {"name": "init", "image": "busybox", "essential": False, "command": [*SHELL, "sleep 1; echo first > /shared/made"],
         "mountPoints": [{"sourceVolume": "shared", "containerPath": "/shared"}]},
        volumes=[{"name": "shared"}],
    )
    assert codes == {"app": 0, "init": 0}
    assert "first" in output


def test_a_dependency_that_cannot_be_met_ends_the_task(cloud, group):
    waiter = {"name": "app", "image": "busybox", "command": [*SHELL, "echo ran"]}
    init = {"name": "init", "image": "busybox", "essential": False}
    for condition, more in (("SUCCESS", {"command": [*SHELL, "exit 3"]}),
                            ("COMPLETE", {"command": [*SHELL, "sleep 600"], "startTimeout": 2}),
                            ("SUCCESS", {"command": [*SHELL, "sleep 600"], "startTimeout": 2})):
        depends = {"dependsOn": [{"containerName": "init", "condition": condition}]}
        definition = cloud.define("unmet", {**waiter, **depends}, {**init, **more})
        task = cloud.until(cloud.run(definition, groups=[group]), "STOPPED")
        codes = {container["name"]: container.get("exitCode") for container in task["containers"]}
        assert codes["app"] is None and codes["init"] == (3 if "startTimeout" not in more else 137), task
        words = "within its startTimeout" if "startTimeout" in more else "init"
        assert words in task["stoppedReason"] and task["stopCode"] == "TaskFailedToStart", task


def test_volumes_from_another_container_come_with_it(cloud, group):
    source = [{"sourceVolume": "data", "containerPath": "/data"}, {"sourceVolume": "fixed", "containerPath": "/fixed", "readOnly": True}]
    look = "cat /data/made; echo more > /data/more && echo written; touch /fixed/x || echo refused; test -e /data/more && echo there"
    codes, _, output = once(
        cloud, group, "from",
        {"name": "app", "image": "busybox", "command": [*SHELL, look], "volumesFrom": [{"sourceContainer": "keeper"}],
         "dependsOn": [{"containerName": "keeper", "condition": "COMPLETE"}]},
        {"name": "keeper", "image": "busybox", "essential": False, "mountPoints": source,
         "command": [*SHELL, "echo first > /data/made"]},
        volumes=[{"name": "data"}, {"name": "fixed"}])
    assert codes == {"app": 0, "keeper": 0}
    for line in ("first", "written", "refused", "there"):
        assert line in output, output


def test_host_volumes_outlive_the_task(cloud, group, tmp_path):
    codes, _, _ = once(
        cloud, group, "volume",
        {"name": "app", "image": "busybox", "command": [*SHELL, "echo kept > /data/file"],
         "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]},
        volumes=[{"name": "data", "host": {"sourcePath": str(tmp_path)}}],
    )
    assert codes == {"app": 0}
    assert (tmp_path / "file").read_text() == "kept\n"


def test_read_only_mounts_and_roots_are_read_only(cloud, group):
    codes, _, output = once(
        cloud, group, "readonly",
        {"name": "app", "image": "busybox", "readonlyRootFilesystem": True,
         "command": [*SHELL, "touch /file || echo root refused; touch /data/file || echo mount refused"],
         "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": True}]},
        volumes=[{"name": "data"}],
    )
    assert codes == {"app": 0}
    assert "root refused" in output and "mount refused" in output


def test_a_task_that_ignores_sigterm_is_killed_after_its_stop_timeout(cloud, group):
    definition = cloud.define("stubborn", {
        "name": "app", "image": "busybox", "stopTimeout": 2,
        "command": [*SHELL, "trap '' TERM; echo ready; while true; do sleep 1; done"]})
    arn = cloud.run(definition, groups=[group])
    cloud.until(arn, "RUNNING")
    eventually(lambda: "ready" in cloud.logs(arn), "the trap is set")
    assert cloud.stop(arn)["containers"][0]["exitCode"] == 137


def test_metadata_answers_the_task_that_asks_and_no_other(cloud, group):
    script = ("echo URI=$ECS_CONTAINER_METADATA_URI_V4; timeout 60 wget -qO- $ECS_CONTAINER_METADATA_URI_V4/task; echo; "
              "timeout 60 wget -qO- $ECS_CONTAINER_METADATA_URI_V4; echo; sleep 300")
    definition = cloud.define("metadata", {"name": "app", "image": "busybox", "command": [*SHELL, script]})
    first = cloud.run(definition, groups=[group])
    running = cloud.until(first, "RUNNING")
    answers = lambda: [line for line in cloud.logs(first).splitlines() if line.startswith("{") and line.endswith("}")]
    eventually(lambda: len(answers()) == 2, "the answers")
    lines = cloud.logs(first).splitlines()
    uri = next(line for line in lines if line.startswith("URI=")).removeprefix("URI=")
    task, container = [json.loads(line) for line in lines if line.startswith("{")]
    assert (task["TaskARN"], task["Family"], task["Revision"]) == (first, "metadata", "1")
    assert (container["Name"], container["Networks"][0]["IPv4Addresses"]) == ("app", [address(running)])
    # The very address that just answered its own task, asked by another one.
    spy = cloud.define("spy", {"name": "app", "image": "busybox", "command": [
        *SHELL, f"timeout 60 wget -qO- $ECS_CONTAINER_METADATA_URI_V4 > /dev/null && echo own; "
                f"timeout 5 wget -qO- {uri} && echo TOLD || echo refused"]})
    _, _, output = cloud.finished(cloud.run(spy, groups=[group]))
    assert "own" in output and "refused" in output and "TOLD" not in output and first not in output
    cloud.stop(first)


def test_the_api_is_there_for_tasks_and_refuses_strangers(cloud, group):
    script = ("timeout 60 wget -qO- --header 'X-Amz-Target: AmazonEC2ContainerServiceV20141113.ListClusters' "
              "--header 'Authorization: AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/ecs/aws4_request, "
              "SignedHeaders=host, Signature=0' --post-data '{}' $AWS_ENDPOINT_URL 2>&1 || true; "
              "timeout 60 wget -qO- $AWS_ENDPOINT_URL/_roadstead/health")
    codes, _, output = once(cloud, group, "api", {"name": "app", "image": "busybox", "command": [*SHELL, script]})
    assert codes == {"app": 0}
    assert "400" in output and "running" in output, output


def test_names_are_answered_at_once_or_refused_at_once(cloud, group):
    script = ("cat /etc/resolv.conf /etc/hosts; hostname; "
              "time nslookup nowhere.example 2>&1; nslookup $(hostname) 2>&1; nslookup localhost 2>&1")
    codes, task, output = once(cloud, group, "names", {"name": "app", "image": "busybox", "command": [*SHELL, script]})
    ip = {d["name"]: d["value"] for d in task["attachments"][0]["details"]}["privateIPv4Address"]
    assert "nameserver 172.31.0.2" in output, output
    assert f"ip-{ip.replace('.', '-')}.ec2.internal" in output, output
    assert "REFUSED" in output or "refused" in output, output


def test_host_mode_shares_the_hosts_network(cloud):
    definition = cloud.define("hostmode", {
        "name": "app", "image": "busybox", "portMappings": [{"containerPort": 8099}],
        "command": [*SHELL, "mkdir /w; echo hello > /w/index.html; httpd -f -p 8099 -h /w"]}, networkMode="host")
    arn = cloud.run(definition, awsvpc=False)
    cloud.until(arn, "RUNNING")
    assert eventually(lambda: http("127.0.0.1", 8099), "httpd") == "hello\n"
    refused = cloud.ecs.run_task(cluster="default", taskDefinition=definition, launchType="EC2")
    assert [failure["reason"] for failure in refused["failures"]] == ["RESOURCE:PORTS"], refused
    cloud.stop(arn)


def test_none_mode_has_no_network_at_all(cloud):
    definition = cloud.define("nonemode", {
        "name": "app", "image": "busybox", "command": [*SHELL, "ip -o link | wc -l"]}, networkMode="none")
    codes, _, output = cloud.finished(cloud.run(definition, awsvpc=False))
    assert codes == {"app": 0}
    assert output.split()[-1] == "1", output
