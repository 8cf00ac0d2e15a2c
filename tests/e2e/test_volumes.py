"""Volumes that Docker would make: shared ones that outlive their tasks, a task's own, and those with options."""

import json
import pathlib

import pytest

from roadstead import eventually

SHELL = ["sh", "-c"]


def app(command, image="busybox", **more):
    return {"name": "app", "image": image, "command": [*SHELL, command],
            "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}], **more}


def docker(name="data", **configuration):
    return {"name": name, "dockerVolumeConfiguration": configuration}


def once(cloud, family, *containers, volumes):
    """Runs a task of containers without a network to its end: exit codes, the task, output."""
    definition = cloud.define(family, *containers, networkMode="none", volumes=volumes)
    return cloud.finished(cloud.run(definition, awsvpc=False))


def ready(cloud, arn):
    """The output of a task that has printed `ready`."""
    cloud.until(arn, "RUNNING")
    return eventually(lambda: "ready" in cloud.logs(arn) and cloud.logs(arn), "the task has looked")


def mounted(path):
    return any(line.split()[1] == str(path) for line in pathlib.Path("/proc/mounts").read_text().splitlines())


def test_a_shared_volume_is_one_for_all_tasks_and_outlives_a_restart(fresh):
    cloud = fresh()
    # Refused where no such volume is, and made where that is asked for.
    needs = cloud.define("needs", app("cat /data/*"), networkMode="none", volumes=[docker(scope="shared")])
    missing = cloud.until(cloud.run(needs, awsvpc=False), "STOPPED")
    assert missing["stopCode"] == "TaskFailedToStart"
    assert missing["stoppedReason"] == ("initialize volume: volume detection failed, volume 'data' does not exist and "
                                        "autoprovision is set to false")
    shared = docker(scope="shared", autoprovision=True, driver="local", labels={"team": "blue"})
    writer = cloud.define("writer", app("echo one > /data/one; echo ready; sleep 600"), networkMode="none", volumes=[shared])
    running = cloud.run(writer, awsvpc=False)
    ready(cloud, running)
    # While it runs, and read only for another container of the reader.
    reader = app("cat /data/one; echo two > /data/two", essential=False)
    codes, _, output = once(
        cloud, "reader", reader,
        {"name": "from", "image": "busybox", "command": [*SHELL, "touch /data/x || echo refused"],
         "dependsOn": [{"containerName": "app", "condition": "COMPLETE"}],
         "volumesFrom": [{"sourceContainer": "app", "readOnly": True}]}, volumes=[shared])
    assert codes["app"] == 0 and "one" in output and "refused" in output, output
    cloud.stop(running)
    cloud.kill()
    cloud.up()
    codes, _, output = cloud.finished(cloud.run(needs, awsvpc=False))
    assert codes == {"app": 0} and "one" in output and "two" in output, output
    record = json.loads((cloud.data / "shared-volumes/data/volume.json").read_text())
    assert record["labels"] == {"team": "blue"} and record["driver"] == "local"
    eventually(lambda: not list((cloud.data / "shared-volumes/data/used-by").iterdir()), "nobody has it any more")


def test_an_empty_volume_begins_with_what_the_image_has(cloud):
    html = [{"sourceVolume": "html", "containerPath": "/usr/share/nginx/html"}]
    for scope in ({"scope": "shared", "autoprovision": True}, {"scope": "task"}):
        look = {"name": "look", "image": "busybox", "command": [*SHELL, "cat /html/index.html"],
                "dependsOn": [{"containerName": "app", "condition": "START"}],
                "mountPoints": [{"sourceVolume": "html", "containerPath": "/html", "readOnly": True}]}
        codes, _, output = once(cloud, "filled", app("sleep 600", image="nginx", mountPoints=html, essential=False), look,
                                volumes=[docker("html", **scope)])
        assert codes["look"] == 0 and "Welcome to nginx!" in output, output
    # What is in it stays when a task with other content comes.
    place = cloud.data / "shared-volumes/html/_data"
    (place / "index.html").write_text("changed")
    codes, _, output = once(cloud, "kept", app("cat /usr/share/nginx/html/index.html", image="nginx", mountPoints=html),
                            volumes=[docker("html", scope="shared")])
    assert codes == {"app": 0} and "changed" in output, output


def test_a_tasks_own_volume_goes_with_it(cloud):
    definition = cloud.define("own", app("echo here > /data/file; echo ready; sleep 600"), networkMode="none",
                              volumes=[docker(scope="task")])
    arn = cloud.run(definition, awsvpc=False)
    ready(cloud, arn)
    home = cloud.data / "tasks" / arn.rsplit("/", 1)[1]
    assert [path.read_text() for path in home.rglob("file")] == ["here\n"]
    cloud.stop(arn)
    eventually(lambda: not home.exists(), "the task's files to be gone")


def test_options_bind_directories_and_mount_memory(cloud, tmp_path):
    bound = {"type": "none", "device": str(tmp_path / "bound"), "o": "bind"}
    definition = cloud.define("bound", app("echo kept > /data/file"), networkMode="none",
                              volumes=[docker(scope="task", driverOpts=bound)])
    missing = cloud.until(cloud.run(definition, awsvpc=False), "STOPPED")
    assert "failed to mount local volume" in missing["containers"][0]["reason"], missing
    (tmp_path / "bound").mkdir()
    codes, _, _ = cloud.finished(cloud.run(definition, awsvpc=False))
    assert codes == {"app": 0} and (tmp_path / "bound/file").read_text() == "kept\n"
    memory = docker("fast", scope="shared", autoprovision=True,
                    driverOpts={"type": "tmpfs", "device": "tmpfs", "o": "size=2m,mode=0700"})
    fast = [{"sourceVolume": "fast", "containerPath": "/fast"}]
    look = "grep ' /fast ' /proc/mounts; stat -c %a /fast; df -k /fast | tail -n 1; echo ready; sleep 600"
    definition = cloud.define("memory", app(look, mountPoints=fast), networkMode="none", volumes=[memory])
    arn = cloud.run(definition, awsvpc=False)
    output = ready(cloud, arn)
    assert "tmpfs" in output and "700" in output and "2048" in output, output
    place = cloud.data / "shared-volumes/fast/_data"
    assert mounted(place)
    cloud.stop(arn)
    eventually(lambda: not mounted(place), "the memory to be given back")


def test_purge_removes_shared_volumes(fresh):
    cloud = fresh()
    memory = docker(scope="shared", autoprovision=True, driverOpts={"type": "tmpfs", "device": "tmpfs", "o": "size=1m"})
    definition = cloud.define("memory", app("echo ready; sleep 600", stopTimeout=2), networkMode="none", volumes=[memory])
    arn = cloud.run(definition, awsvpc=False)
    ready(cloud, arn)
    place = cloud.data / "shared-volumes/data/_data"
    assert mounted(place)
    cloud.down(purge=True)
    assert not mounted(place) and not cloud.data.exists()


def test_other_drivers_and_fargate_are_refused(cloud):
    define = dict(family="refused", containerDefinitions=[app("true", memory=64)])
    with pytest.raises(cloud.ecs.exceptions.InvalidParameterException, match="driver rexray/ebs is not supported"):
        cloud.ecs.register_task_definition(**define, volumes=[docker(driver="rexray/ebs")])
    with pytest.raises(cloud.ecs.exceptions.ClientException, match="Fargate compatible task definitions do not support"):
        cloud.ecs.register_task_definition(**define, volumes=[docker()], networkMode="awsvpc", cpu="256", memory="512",
                                           requiresCompatibilities=["FARGATE"])
