"""Containers that run again in their task, by the restart policy of their definition."""

import datetime
import json

from roadstead import eventually, sandbox_pids

# The shortest that a policy can ask a container to have run for, in seconds.
PERIOD = 60


def container(name, script, essential, **policy):
    return {"name": name, "image": "busybox", "essential": essential, "command": ["sh", "-c", script],
            "mountPoints": [{"sourceVolume": "hold", "containerPath": "/hold"}],
            "restartPolicy": {"enabled": True, "restartAttemptPeriod": PERIOD, **policy}}


def test_a_container_runs_again_in_its_task(fresh):
    cloud = fresh()
    wait = "until [ -e /hold/go ]; do sleep 0.2; done"
    count = "echo x >> /runs; n=$(wc -l < /runs); echo run $n"
    # It may ask before the agent knows that it has begun.
    ask = "until meta=$(wget -qO- $ECS_CONTAINER_METADATA_URI_V4) && echo $meta | grep -q StartedAt; do sleep 0.2; done; echo $meta"
    again = f"trap 'exit 0' TERM; {count}; {ask}; {wait}; [ $n = 1 ] && exit 3; sleep 300 & wait"
    definition = cloud.define(
        "again", container("app", again, True), container("ignored", f"{wait}; exit 7", False, ignoredExitCodes=[0, 7]),
        container("early", f"{count}; exit 4", False), volumes=[{"name": "hold", "host": {"sourcePath": str(cloud.folder)}}])
    shown = cloud.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]["containerDefinitions"]
    assert shown[1]["restartPolicy"] == {"enabled": True, "ignoredExitCodes": [0, 7], "restartAttemptPeriod": PERIOD}
    arn = cloud.run(definition)
    first = cloud.until(arn, "RUNNING")

    def ran_long_enough():
        return (datetime.datetime.now(datetime.timezone.utc) - first["startedAt"]).total_seconds() > PERIOD + 1

    eventually(ran_long_enough, "the shortest period is over", patience=2 * PERIOD)
    cloud.kill()
    (cloud.folder / "go").write_text("")
    eventually(lambda: "sh" not in sandbox_pids(cloud.instance).values(), "both have ended, and nobody sees it")
    cloud.up()
    eventually(lambda: "run 2" in cloud.logs(arn), "it runs again")

    def containers():
        return {one["name"]: (one["lastStatus"], one.get("exitCode")) for one in cloud.task(arn)["containers"]}

    eventually(lambda: containers()["ignored"] == ("STOPPED", 7), "told")
    assert containers() == {"app": ("RUNNING", None), "ignored": ("STOPPED", 7), "early": ("STOPPED", 4)}
    task = cloud.task(arn)
    assert (task["lastStatus"], task["startedAt"]) == ("RUNNING", first["startedAt"])
    eventually(lambda: cloud.logs(arn).count("RestartCount") == 2, "each run has asked of itself")
    told = [json.loads(line[line.index("{"):]) for line in cloud.logs(arn).splitlines() if "RestartCount" in line]
    assert [one["RestartCount"] for one in told] == [0, 1]
    assert told[0]["DockerId"] == told[1]["DockerId"] and told[0]["StartedAt"] == told[1]["StartedAt"]
    assert cloud.logs(arn).count("run 1") == 2, "each has begun once"
    stopped = cloud.stop(arn)
    assert stopped["stopCode"] == "UserInitiated"
    assert {one["name"]: one.get("exitCode") for one in stopped["containers"]} == {"app": 0, "ignored": 7, "early": 4}
