"""The log driver awslogs: what containers print, in CloudWatch Logs."""

import json
import signal

import pytest
from botocore.exceptions import ClientError
from roadstead import blocked, eventually

SHELL = ["sh", "-c"]
ALLOWED = ["logs:CreateLogStream", "logs:PutLogEvents"]
# Prints a line for each file that is made for it, until told to stop.
ON_DEMAND = 'i=1; while [ ! -e /ctl/stop ]; do if [ -e /ctl/$i ]; then echo "line $i"; i=$((i+1)); else sleep 0.05; fi; done; echo bye'


def role(cloud, name, actions):
    """An execution role that may do these, everywhere."""
    iam = cloud.client("iam")
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", **trust}))["Role"]["Arn"]
    if actions:
        statement = [{"Effect": "Allow", "Action": actions, "Resource": "*"}]
        iam.put_role_policy(RoleName=name, PolicyName="logs", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}))
    return arn


def awslogs(group, **more):
    options = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "e2e"}
    options.update({name.replace("_", "-"): value for name, value in more.items()})
    return {"logConfiguration": {"logDriver": "awslogs", "options": {name: value for name, value in options.items() if value}}}


def messages(cloud, group, stream):
    """Everything in a stream, oldest first."""
    try:
        pages = cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group, logStreamNames=[stream])
        return [event["message"] for page in pages for event in page["events"]]
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFoundException"
        return []


def stream(arn, container="app"):
    return f"e2e/{container}/{arn.rsplit('/', 1)[1]}"


def sent_all(cloud):
    """Whether everything on the node's disk is sent, and written down as sent."""
    places = [path for path in (cloud.data / "containers").glob("*/sent.json")]
    totals = [json.loads(path.read_text())["total"] for path in places]
    sizes = [sum(log.stat().st_size for log in path.parent.glob("log*")) for path in places]
    return places and totals == sizes


@pytest.fixture
def group(cloud, request):
    name = f"/e2e/{request.node.name}"
    cloud.client("logs").create_log_group(logGroupName=name)
    return name


def test_what_containers_print_is_in_their_streams(cloud, group):
    arn = role(cloud, "writer", ALLOWED)
    app = {"name": "app", "image": "busybox", "command": [*SHELL, "echo one; echo two >&2; printf three"],
           # Its end would end the other one, whether that has printed or not.
           "dependsOn": [{"containerName": "side", "condition": "COMPLETE"}], **awslogs(group)}
    side = {"name": "side", "image": "busybox", "essential": False, "command": ["echo", "aside"], **awslogs(group)}
    task = cloud.run(cloud.define("prints", app, side, executionRoleArn=arn))
    cloud.until(task, "STOPPED")
    # Told to have stopped means that the last line has been sent.
    assert sorted(messages(cloud, group, stream(task))) == ["one", "three", "two"]
    assert messages(cloud, group, stream(task, "side")) == ["aside"]
    assert "three" in cloud.logs(task), "the node's own copy"


def test_lines_are_sent_once_in_order_across_a_kill(fresh, tmp_path):
    cloud = fresh()
    cloud.client("logs").create_log_group(logGroupName="/kill")
    arn = role(cloud, "writer", ALLOWED)
    control = tmp_path / "ctl"
    control.mkdir()
    app = {"name": "app", "image": "busybox", "command": [*SHELL, ON_DEMAND],
           "mountPoints": [{"sourceVolume": "ctl", "containerPath": "/ctl", "readOnly": True}], **awslogs("/kill")}
    volume = {"name": "ctl", "host": {"sourcePath": str(control)}}
    task = cloud.run(cloud.define("killed", app, executionRoleArn=arn, volumes=[volume]))
    cloud.until(task, "RUNNING")

    def prints(*numbers):
        for number in numbers:
            (control / str(number)).touch()

    def on_disk(number):
        logs = cloud.data.glob("containers/*/log")
        return any(f" line {number}\n" in log.read_text() for log in logs)

    prints(1, 2, 3)
    eventually(lambda: messages(cloud, "/kill", stream(task)) == ["line 1", "line 2", "line 3"] and sent_all(cloud), "sent")
    # Stopped in its tracks, so that the end does not come between an answer and its being noted.
    cloud.process.send_signal(signal.SIGSTOP)
    prints(4, 5)
    eventually(lambda: on_disk(5), "printed while nobody sends")
    cloud.kill()
    prints(6, 7)
    eventually(lambda: on_disk(7), "printed while nobody is there")
    cloud.up()
    prints(8)
    eventually(lambda: on_disk(8), "printed")
    (control / "stop").touch()
    cloud.until(task, "STOPPED")
    assert messages(cloud, "/kill", stream(task)) == [f"line {number}" for number in range(1, 9)] + ["bye"]


def test_a_container_waits_for_its_lines_to_be_sent_or_loses_some_as_its_mode_says(fresh, tmp_path):
    cloud = fresh()
    cloud.client("logs").create_log_group(logGroupName="/modes")
    arn = role(cloud, "writer", ALLOWED)
    # 12 MB in lines of a thousand characters, once it is told to, and a sign that all was printed.
    flood = ('while [ ! -e /ctl/go ]; do sleep 0.05; done; i=0; while [ $i -lt 12000 ]; do printf "%06d %0993d\\n" $i 0; i=$((i+1)); done; '
             'touch /ctl/done; while [ ! -e /ctl/stop ]; do sleep 0.05; done')
    tasks, controls = {}, {}
    for mode, options in (("blocking", {}), ("non-blocking", {"max_buffer_size": "1m"})):
        controls[mode] = tmp_path / mode
        controls[mode].mkdir()
        app = {"name": "app", "image": "busybox", "command": [*SHELL, flood],
               "mountPoints": [{"sourceVolume": "ctl", "containerPath": "/ctl"}], **awslogs("/modes", mode=mode, **options)}
        volume = {"name": "ctl", "host": {"sourcePath": str(controls[mode])}}
        tasks[mode] = cloud.run(cloud.define(mode, app, executionRoleArn=arn, volumes=[volume]))
    for task in tasks.values():
        cloud.until(task, "RUNNING")
    # Nobody sends while the daemon stands still.
    cloud.process.send_signal(signal.SIGSTOP)
    for control in controls.values():
        (control / "go").touch()
    eventually((controls["non-blocking"] / "done").exists, "nobody waits for what is dropped")
    eventually(lambda: blocked(cloud, tasks["blocking"]), "what cannot be sent holds up the container")
    assert not (controls["blocking"] / "done").exists()
    cloud.process.send_signal(signal.SIGCONT)
    eventually((controls["blocking"] / "done").exists, "it goes on as its lines are sent")
    for control in controls.values():
        (control / "stop").touch()
    sent = {}
    for mode, task in tasks.items():
        cloud.until(task, "STOPPED")
        sent[mode] = [int(message.split()[0]) for message in messages(cloud, "/modes", stream(task))]
    assert sent["blocking"] == list(range(12000)), "each line once, in order"
    kept = sent["non-blocking"]
    assert kept == sorted(set(kept)) and 500 < len(kept) < 12000, f"{len(kept)} lines, the first as they came"
    assert kept[:500] == list(range(500))


def test_a_role_that_may_not_stops_the_task_with_the_reason(cloud, group):
    arn = role(cloud, "nobody", [])
    app = {"name": "app", "image": "busybox", "command": ["echo", "never"], **awslogs(group)}
    task = cloud.until(cloud.run(cloud.define("denied", app, executionRoleArn=arn)), "STOPPED")
    reason = task["containers"][0]["reason"]
    assert reason.startswith("CannotStartContainerError: ") and "failed to create Cloudwatch log stream: AccessDenied" in reason
    assert task["stopCode"] == "TaskFailedToStart" and "exitCode" not in task["containers"][0]
    fargate = cloud.define("denied-fargate", app, fargate=True, executionRoleArn=arn)
    task = cloud.until(cloud.run(fargate, launch="FARGATE"), "STOPPED")
    assert task["stoppedReason"].startswith("ResourceInitializationError: failed to validate logger args"), task["stoppedReason"]
    assert task["stopCode"] == "TaskFailedToStart"
    missing = {**app, **awslogs("/e2e/absent")}
    arn = role(cloud, "streams", ALLOWED)
    task = cloud.until(cloud.run(cloud.define("absent", missing, executionRoleArn=arn)), "STOPPED")
    assert "ResourceNotFoundException: The specified log group does not exist." in task["containers"][0]["reason"]


def test_a_group_is_made_where_that_is_asked_for_and_allowed(cloud):
    app = {"name": "app", "image": "busybox", "command": ["echo", "made"], **awslogs("/e2e/made", awslogs_create_group="true")}
    denied = cloud.define("not-made", app, executionRoleArn=role(cloud, "no-groups", ALLOWED))
    task = cloud.until(cloud.run(denied), "STOPPED")
    assert "failed to create Cloudwatch log group: AccessDenied" in task["containers"][0]["reason"]
    task = cloud.run(cloud.define("made", app, executionRoleArn=role(cloud, "groups", [*ALLOWED, "logs:CreateLogGroup"])))
    cloud.until(task, "STOPPED")
    assert messages(cloud, "/e2e/made", stream(task)) == ["made"]


def test_lines_of_one_message_are_one_event(cloud, group):
    arn = role(cloud, "multi", ALLOWED)
    text = "2024-05-01 10:00:00 oops\\n  at a\\n  at b\\n2024-05-01 10:00:01 fine\\n"
    app = {"name": "app", "image": "busybox", "command": [*SHELL, f"printf '{text}'"],
           **awslogs(group, awslogs_datetime_format="%Y-%m-%d %H:%M:%S", awslogs_stream_prefix=None)}
    task = cloud.run(cloud.define("multi", app, executionRoleArn=arn))
    stopped = cloud.until(task, "STOPPED")
    # Without a prefix, the stream has the container's own id.
    read = messages(cloud, group, stopped["containers"][0]["runtimeId"])
    assert read == ["2024-05-01 10:00:00 oops\n  at a\n  at b", "2024-05-01 10:00:01 fine"]


def test_what_would_have_no_effect_is_refused(cloud):
    def refused(words, fargate=False, **more):
        app = {"name": "app", "image": "busybox", **awslogs("/e2e", **more)}
        with pytest.raises(ClientError, match=words):
            cloud.define("refused", app, fargate=fargate)

    refused("ClientException.*Log driver awslogs requires options: awslogs-group", awslogs_group=None)
    refused("ClientException.*disallows options: tag", tag="x")
    refused("awslogs-format is not supported", awslogs_format="json/emf")
    refused("Fargate requires task definition to have execution role ARN to support log driver awslogs", fargate=True)
    app = {"name": "app", "image": "busybox", **awslogs("/e2e", awslogs_region="eu-west-1")}
    task = cloud.until(cloud.run(cloud.define("elsewhere", app)), "STOPPED")
    assert 'awslogs-region "eu-west-1" is not supported' in task["containers"][0]["reason"]


def test_a_container_that_prints_more_than_may_wait_waits_itself_and_loses_nothing(cloud, group):
    arn = role(cloud, "patient", ALLOWED)
    # Twice what a blocked container may have printed and nobody has sent.
    count, width = 80_000, 100
    command = f"seq 1 {count} | sed 's/$/ {'x' * width}/'"
    app = {"name": "app", "image": "busybox", "command": [*SHELL, command], **awslogs(group, mode="blocking")}
    task = cloud.run(cloud.define("patient", app, executionRoleArn=arn))
    cloud.until(task, "STOPPED")
    numbers = [int(message.split()[0]) for message in messages(cloud, group, stream(task))]
    assert numbers == list(range(1, count + 1)), (len(numbers), numbers[:3], numbers[-3:])
