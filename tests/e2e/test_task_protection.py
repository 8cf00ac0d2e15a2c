"""Tasks that protect themselves from scale-in, by the agent's endpoint, as what their role allows."""

import datetime
import json

from dateutil.parser import isoparse
from roadstead import eventually

SERVICE = "worker"
# Standard input stays open until the answer, which ends in a brace, is there: whoever closes it has hung up.
ASK = r"""
ask() {
    url=${ECS_AGENT_URI#http://169.254.170.2}/task-protection/v1/state
    : > /out/part.$HOSTNAME
    { printf '%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %s\r\n\r\n%s' "$1" "$url" ${#2} "$2"
      until tail -c 2 /out/part.$HOSTNAME | grep -q '}'; do sleep 0.1; done; } |
        nc 169.254.170.2 80 > /out/part.$HOSTNAME
    mv /out/part.$HOSTNAME /out/$3
}
"""


def role(cloud, name, *actions):
    iam = cloud.client("iam")
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", **trust}))["Role"]["Arn"]
    if actions:
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=json.dumps(policy))
    return arn


def worker(cloud, family, folder, role_arn, script):
    app = {"name": "app", "image": "busybox", "command": ["sh", "-c", ASK + script], "stopTimeout": 30,
           "mountPoints": [{"sourceVolume": "out", "containerPath": "/out"}]}
    volumes = [{"name": "out", "host": {"sourcePath": str(folder)}}]
    return cloud.define(family, app, volumes=volumes, **({"taskRoleArn": role_arn} if role_arn else {}))


def answer(folder, name):
    """Status and JSON of what a container was told."""
    text = eventually(lambda: (folder / name).exists() and (folder / name).read_bytes().decode(), f"{name} asked")
    head, body = text.split("\r\n\r\n", 1)
    return int(head.split()[1]), json.loads(body)


def states(cloud):
    arns = [arn for status in ("RUNNING", "STOPPED")
            for arn in cloud.ecs.list_tasks(serviceName=SERVICE, desiredStatus=status)["taskArns"]]
    return {arn: cloud.task(arn)["lastStatus"] for arn in arns}


def test_scale_in_spares_a_task_that_protects_itself(cloud, tmp_path):
    allowed = role(cloud, "protects", "ecs:GetTaskProtection", "ecs:UpdateTaskProtection")
    script = """
trap 'exit 0' TERM
if mkdir /out/claimed 2>/dev/null; then
    ask GET '' before
    ask PUT '{"ProtectionEnabled":true,"ExpiresInMinutes":60}' protected
    until [ -e /out/release ]; do sleep 0.1; done
    # Scale-in ends it as soon as it may: the answer is awaited first.
    trap '' TERM
    ask PUT '{"ProtectionEnabled":false}' released
    exit 0
fi
while :; do sleep 0.1; done
"""
    definition = worker(cloud, "protected", tmp_path, allowed, script)
    cloud.ecs.create_service(serviceName=SERVICE, taskDefinition=definition, desiredCount=2,
                             networkConfiguration={"awsvpcConfiguration": {"subnets": [cloud.subnet()]}})
    status, before = answer(tmp_path, "before")
    busy = before["protection"]["TaskArn"]
    assert (status, before) == (200, {"protection": {"ExpirationDate": None, "ProtectionEnabled": False, "TaskArn": busy}})
    status, protected = answer(tmp_path, "protected")
    assert (status, protected["protection"]["ProtectionEnabled"], protected["protection"]["TaskArn"]) == (200, True, busy)
    seen = cloud.ecs.get_task_protection(cluster="default", tasks=[busy])["protectedTasks"][0]
    shown = isoparse(protected["protection"]["ExpirationDate"])
    assert seen["protectionEnabled"] and abs(shown - seen["expirationDate"]) <= datetime.timedelta(seconds=1)

    eventually(lambda: list(states(cloud).values()) == ["RUNNING", "RUNNING"], "both run")
    (other,) = states(cloud).keys() - {busy}
    cloud.ecs.update_service(service=SERVICE, desiredCount=0)
    cloud.until(other, "STOPPED")
    task = cloud.task(busy)
    assert (task["lastStatus"], task["desiredStatus"]) == ("RUNNING", "RUNNING")
    (tmp_path / "release").write_text("")
    status, released = answer(tmp_path, "released")
    assert (status, released) == (200, before)
    cloud.until(busy, "STOPPED")
    cloud.ecs.delete_service(service=SERVICE)


def test_who_may_not_is_told_so(cloud, tmp_path):
    """Without the permission, without a role, and without a service."""
    asks = {"denied": role(cloud, "cannot-protect", "ecs:GetTaskProtection"), "none": None,
            "alone": role(cloud, "alone", "ecs:*TaskProtection")}
    put = """ask PUT '{"ProtectionEnabled":true}' %s"""
    arns = {name: cloud.run(worker(cloud, name, tmp_path, arn, put % name)) for name, arn in asks.items()}
    told = {name: answer(tmp_path, name) for name in asks}
    status, denied = told["denied"]
    assert status == 400 and set(denied) == {"error", "requestID"} and denied["requestID"]
    error = denied["error"]
    assert (error["Arn"], error["Code"]) == (arns["denied"], "AccessDeniedException")
    assert "is not authorized to perform: ecs:UpdateTaskProtection" in error["Message"]
    status, none = told["none"]
    assert (status, none["error"]["Code"]) == (403, "AccessDeniedException")
    assert none["error"]["Message"] == "Invalid Request: no task IAM role credentials available for task"
    status, alone = told["alone"]
    assert (status, alone["failure"]["Arn"], alone["failure"]["Reason"]) == (200, arns["alone"], "TASK_NOT_VALID")
    assert set(alone["failure"]) == {"Arn", "Detail", "Reason"}
    for arn in arns.values():
        cloud.until(arn, "STOPPED")
