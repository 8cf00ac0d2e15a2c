"""A node that joins a control plane elsewhere: its own process, data folder and names on the machine."""

import os
import shlex
import signal
import subprocess

from roadstead import BINARY, PATIENCE, eventually, free_port, leftovers, sandbox_pids


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
        eventually(lambda: "sleep" in sandbox_pids(instance).values(), "the task's process")
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


def joining(cloud, address, *more):
    """What `roadstead env --agent` says to a machine that joins."""
    done = subprocess.run([BINARY, "env", "--agent", "--listen-public", address, "--data", cloud.data, *more],
                          capture_output=True, text=True, check=True)
    return dict(shlex.split(line)[1].split("=", 1) for line in done.stdout.splitlines())


def agent(env, data, subnet, *more):
    names = ["--cluster", "joined", "--data", data, "--vpc", subnet["VpcId"], "--subnet", subnet["SubnetId"],
             "--availability-zone", subnet["AvailabilityZone"]]
    return [BINARY, "agent", *names, *more], {**os.environ, **env}


def test_a_node_joins_over_tls_and_only_the_control_plane_it_trusts(fresh, images, tmp_path):
    address = f"127.0.0.2:{free_port()}"
    cloud = fresh(options=["--listen-public", address])
    subnet = cloud.ec2.describe_subnets(SubnetIds=[cloud.subnet()])["Subnets"][0]
    env, data = joining(cloud, address), tmp_path / "joined"
    # An agent that trusts others, that trusts nobody, or that has a key of nobody's, says so and does not join.
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=other", "-keyout", tmp_path / "other-key.pem", "-out", other], check=True, capture_output=True)
    for change, wanted in [
        ({"ROADSTEAD_CA": str(other)}, "certificate"),
        ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "UnrecognizedClientException"),
        ({"ROADSTEAD_BACKEND": f"http://{address}"}, "plain http"),
        ({"ROADSTEAD_CA": str(tmp_path / "missing.pem")}, "missing.pem"),
    ]:
        words, environment = agent({**env, **change}, tmp_path / "refused", subnet)
        with open(tmp_path / "refused.log", "w") as log:
            process = subprocess.Popen(words, env=environment, stdout=log, stderr=subprocess.STDOUT)
            try:
                eventually(lambda: wanted in (tmp_path / "refused.log").read_text(), f"{change}: {wanted}")
            finally:
                process.kill()
                process.wait()
        assert "ready" not in (tmp_path / "refused.log").read_text()
    subprocess.run([BINARY, "down", "--data", tmp_path / "refused", "--purge"], check=True)
    assert cloud.ecs.describe_clusters(clusters=["joined"])["clusters"] == []

    words, environment = agent(env, data, subnet)
    log = tmp_path / "agent.log"
    process = subprocess.Popen(words, env=environment, stdout=open(log, "w"), stderr=subprocess.STDOUT)
    try:
        eventually(lambda: "ready" in log.read_text(), "the node is ready")
        subprocess.run([BINARY, "image", "import", images["busybox"], "--data", data], check=True, stdout=subprocess.DEVNULL)
        definition = cloud.define("joined", {"name": "app", "image": "busybox", "command": ["sleep", "300"]})
        arn = cloud.run(definition, cluster="joined", groups=[cloud.open_group("joined")])
        cloud.until(arn, "RUNNING", "joined")
        # The control plane comes back, with another certificate of the same authority: the agent finds it again.
        cloud.kill()
        cloud.up()
        cloud.stop(arn, "joined")
    finally:
        instance = (data / "instance").read_text()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE)
        subprocess.run([BINARY, "down", "--data", data, "--purge"], check=True)
    assert leftovers(instance) == {}
