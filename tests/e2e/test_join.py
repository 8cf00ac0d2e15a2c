"""A node that joins a control plane elsewhere: its own process, data folder and names on the machine."""

import os
import signal
import subprocess

from roadstead import BINARY, PATIENCE, eventually, leftovers, sandbox_pids


def test_a_second_node_joins_and_runs_tasks(cloud, images, tmp_path):
    subnet = cloud.ec2.describe_subnets(SubnetIds=[cloud.subnet()])["Subnets"][0]
    env = dict(os.environ, AWS_ACCESS_KEY_ID=cloud.account, AWS_SECRET_ACCESS_KEY="any")
    log = open(tmp_path / "agent.log", "w")
    data = tmp_path / "data"
    agent = subprocess.Popen(
        [BINARY, "agent", "--backend", cloud.url, "--cluster", "joined", "--data", data, "--vpc", subnet["VpcId"],
         "--subnet", subnet["SubnetId"], "--availability-zone", subnet["AvailabilityZone"]],
        env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: "ready" in (tmp_path / "agent.log").read_text(), "the node is ready")
        subprocess.run([BINARY, "image", "import", images["busybox"], "--data", data], check=True, stdout=subprocess.DEVNULL)
        arns = cloud.ecs.list_container_instances(cluster="joined")["containerInstanceArns"]
        joined = cloud.ecs.describe_container_instances(cluster="joined", containerInstances=arns)["containerInstances"]
        own = cloud.ecs.list_container_instances(cluster="default")["containerInstanceArns"]
        first = cloud.ecs.describe_container_instances(cluster="default", containerInstances=own)["containerInstances"]
        assert len(joined) == 1 and joined[0]["ec2InstanceId"] != first[0]["ec2InstanceId"]
        definition = cloud.define("joined", {"name": "app", "image": "busybox", "command": ["sleep", "300"]})
        arn = cloud.run(definition, cluster="joined", groups=[cloud.open_group("joined")])
        task = cloud.until(arn, "RUNNING", "joined")
        assert task["containerInstanceArn"] == arns[0]
        instance = (data / "instance").read_text()
        assert instance != cloud.instance
        assert "sleep" in sandbox_pids(instance).values()
        assert "sleep" not in sandbox_pids(cloud.instance).values()
        agent.send_signal(signal.SIGINT)
        agent.wait(timeout=PATIENCE)
        assert "sleep" in sandbox_pids(instance).values(), "the task goes on without its agent"
        eventually(lambda: not cloud.ecs.describe_container_instances(cluster="joined", containerInstances=arns)
                   ["containerInstances"][0]["agentConnected"], "the agent is seen to be gone")
    finally:
        if agent.poll() is None:
            agent.kill()
            agent.wait()
        subprocess.run([BINARY, "down", "--data", data, "--purge"], check=True)
    assert leftovers(instance) == {}
