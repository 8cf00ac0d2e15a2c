"""What Fargate tasks would have cost, while they run and after they ended."""

import datetime
import json

X86 = {"cpu": 0.04048, "memory": 0.004445}


def bill(cloud, *words):
    return json.loads(cloud.command("bill", "--endpoint", cloud.url, "--json", *words, data=False).stdout)


def test_a_fargate_task_and_its_bill(cloud):
    definition = cloud.define("billed", {"name": "app", "image": "busybox", "command": ["sleep", "600"]}, fargate=True)
    arn = cloud.run(definition, launch="FARGATE")
    cloud.until(arn, "RUNNING")
    now = next(one for one in bill(cloud, "--cluster", "default", "--since", "1h")["tasks"] if one["taskArn"] == arn)
    assert now["stoppedAt"] is None and now["charge"]["seconds"] >= 1
    task = cloud.stop(arn)
    whole = bill(cloud, "--cluster", "default", "--since", "1h")
    one = next(one for one in whole["tasks"] if one["taskArn"] == arn)
    assert (one["cpu"], one["memory"], one["ephemeralStorage"], one["cluster"]) == (256, 512, 20, "default")
    length = (task["stoppedAt"] - task["pullStartedAt"]).total_seconds()
    seconds = one["charge"]["seconds"]
    # A task of this test that takes longer than a minute says something of the machine alone.
    assert seconds == 60 if length <= 60 else abs(seconds - length) <= 1, "a minute at least"
    assert abs(one["charge"]["cpu"] - 0.25 * X86["cpu"] * seconds / 3600) < 1e-12
    assert abs(one["charge"]["memory"] - 0.5 * X86["memory"] * seconds / 3600) < 1e-12
    assert one["charge"]["storage"] == 0
    assert abs(whole["total"]["total"] - sum(each["charge"]["total"] for each in whole["tasks"])) < 1e-12
    assert (whole["currency"], whole["pricesOf"]) == ("USD", "us-east-1")
    # Nothing of another cluster, or of a time before.
    assert bill(cloud, "--cluster", "awsvpc-ecs-demo")["tasks"] == []
    before = task["pullStartedAt"].astimezone(datetime.timezone.utc) - datetime.timedelta(seconds=5)
    earlier = bill(cloud, "--since", "2020-01-01", "--until", before.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert arn not in [one["taskArn"] for one in earlier["tasks"]]
    # An EC2 task costs its owner the machine and nothing more.
    other = cloud.define("unbilled", {"name": "app", "image": "busybox", "command": ["true"]})
    other = cloud.run(other)
    cloud.until(other, "STOPPED")
    assert other not in [one["taskArn"] for one in bill(cloud)["tasks"]]
    # For people, and at prices of one's own.
    table = cloud.command("bill", "--endpoint", cloud.url, "--since", "1h", data=False).stdout
    assert arn.rsplit("/", 1)[1] in table and "TOTAL" in table
    prices = cloud.folder / "prices.toml"
    usual = cloud.command("bill", "--print-prices", data=False).stdout
    prices.write_text(usual.replace("vcpu_hour = 0.04048", "vcpu_hour = 3600.0"))
    mine = next(one for one in bill(cloud, "--prices", str(prices), "--since", "1h")["tasks"] if one["taskArn"] == arn)
    assert abs(mine["charge"]["cpu"] - 0.25 * seconds) < 1e-9
