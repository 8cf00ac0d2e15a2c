"""A running Roadstead, its clients, and a look at what it leaves on the machine."""

import glob
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from http.client import HTTPException

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("ROADSTEAD_BIN", ROOT / "target/debug/roadstead"))
AWS = ROOT / "target/venv/bin/aws"
# Only bounds failures: nothing that works takes as long, also on a machine that is busy with other things.
PATIENCE = 180


def host_has_no_uplink():
    routes = subprocess.run(["ip", "-o", "route", "show", "table", "all"], capture_output=True, text=True).stdout
    return not any(line.startswith("default") for line in routes.splitlines())


def eventually(condition, what, patience=PATIENCE):
    """Waits for what must come; the patience only bounds a failure. Not to be reached yet is not to have come."""
    deadline = time.monotonic() + patience
    while True:
        try:
            value = seen = condition()
        except (OSError, HTTPException) as error:
            value, seen = None, error
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {patience} s; last seen: {seen!r}")
        time.sleep(0.05)


def candidates():
    """Ports below those that the kernel gives to clients: who asks for nothing in particular never gets one of them."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        end = int(file.read().split()[0])
    ports = range(10_000, end)
    start = os.getpid() * 97 % len(ports)
    return itertools.cycle([*ports[start:], *ports[:start]])


PORTS = candidates()


def free_port():
    """A port that nobody has, and that nobody else gets in this test run: it stays free until it is taken."""
    for port in PORTS:
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("0.0.0.0", port))
            return port
        except OSError:
            continue


class Roadstead:
    def __init__(self, folder, clusters=("default",), options=(), account="000000000000", region="us-east-1"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.clusters = list(clusters)
        self.options = list(options)
        self.account, self.region = account, region
        self.listen = f"127.0.0.1:{free_port()}"
        self.process = None
        self.instance = None
        self._clients = {}

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        self.down()

    @property
    def url(self):
        return f"http://{self.listen}"

    @property
    def env(self):
        env = dict(os.environ)
        env.update(
            AWS_ENDPOINT_URL=self.url, AWS_DEFAULT_REGION=self.region, AWS_REGION=self.region,
            AWS_ACCESS_KEY_ID=self.account, AWS_SECRET_ACCESS_KEY="any", AWS_MAX_ATTEMPTS="1",
            AWS_DISABLE_HOST_PREFIX_INJECTION="true",
        )
        return env

    # --- the daemon ---

    def up(self):
        clusters = [word for name in self.clusters for word in ("--cluster", name)]
        log = open(self.folder / "up.log", "a")
        command = [BINARY, "up", "--listen", self.listen, "--data", self.data, *clusters, *self.options]
        self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        eventually(self._ready, f"roadstead up: {self.log()[-2000:]}")
        self.instance = (self.data / "instance").read_text().strip()

    def _ready(self):
        assert self.process.poll() is None, f"roadstead ended with {self.process.returncode}:\n{self.log()[-4000:]}"
        try:
            with urllib.request.urlopen(self.url + "/_roadstead/health", timeout=5) as answer:
                return json.load(answer)["status"] == "running"
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def log(self):
        path = self.folder / "up.log"
        return path.read_text() if path.exists() else ""

    def kill(self):
        """kill -9, as a crash."""
        self.process.kill()
        self.process.wait()

    def interrupt(self):
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=PATIENCE)

    def down(self, purge=True):
        if self.instance is None:
            if self.process and self.process.poll() is None:
                self.kill()
            return
        extra = ["--purge"] if purge else []
        done = subprocess.run([BINARY, "down", "--data", self.data, *extra], capture_output=True, text=True, timeout=PATIENCE)
        if self.process.poll() is None:
            self.process.wait(timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr + self.log()[-4000:]
        instance, self.instance = self.instance, None
        assert leftovers(instance) == {}

    def command(self, *words, check=True, data=True):
        """`data`: whether it is a command on the data folder, or a client of the API as any other."""
        command = [BINARY, words[0], *words[1:]]
        command += ["--data", self.data] if data else []
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        if check:
            assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    # --- the clients ---

    def aws(self, *words, cwd=None, check=True):
        """The aws CLI as installed; its JSON (or text) output."""
        done = subprocess.run([AWS, *words], env=self.env, capture_output=True, text=True, timeout=600, cwd=cwd)
        if check:
            assert done.returncode == 0, f"aws {' '.join(words)}: {done.stderr}"
        try:
            return json.loads(done.stdout) if done.returncode == 0 else done
        except json.JSONDecodeError:
            return done.stdout.strip()

    def client(self, service, account=None, region=None, **config):
        key = (service, account, region, repr(sorted(config.items())))
        if key not in self._clients:
            config.setdefault("retries", {"max_attempts": 0})
            config.setdefault("read_timeout", PATIENCE)
            self._clients[key] = boto3.client(
                service, endpoint_url=self.url, region_name=region or self.region,
                aws_access_key_id=account or self.account, aws_secret_access_key="any",
                config=botocore.config.Config(**config),
            )
        return self._clients[key]

    @property
    def ecs(self):
        return self.client("ecs")

    @property
    def ec2(self):
        return self.client("ec2")

    # --- what tests need again and again ---

    def subnet(self):
        subnets = self.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
        return min(subnets, key=lambda subnet: subnet["AvailabilityZone"])["SubnetId"]

    def role(self, name, *services, **more):
        """A role that services may act as; its ARN."""
        trust = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}]}
        made = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), **more)
        return made["Role"]["Arn"]

    def let_rules_write_logs(self):
        """Lets rules write to every log group of the account."""
        statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Resource": "*",
                     "Action": ["logs:CreateLogStream", "logs:PutLogEvents"]}
        self.client("logs").put_resource_policy(
            policyName="rules", policyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    def open_group(self, name, *ports, vpc=None, cidr="0.0.0.0/0"):
        extra = {"VpcId": vpc} if vpc else {}
        group = self.ec2.create_security_group(GroupName=name, Description=name, **extra)["GroupId"]
        for port in ports:
            self.ec2.authorize_security_group_ingress(
                GroupId=group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp=cidr
            )
        return group

    def define(self, family, *containers, fargate=False, **more):
        more.setdefault("networkMode", "awsvpc")
        if fargate:
            more = {"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512", **more}
        # A shell as process 1 does not mind SIGTERM: do not wait long for it.
        definitions = [{"essential": True, "memory": 64, "stopTimeout": 2, **container} for container in containers]
        answer = self.ecs.register_task_definition(family=family, containerDefinitions=definitions, **more)
        return answer["taskDefinition"]["taskDefinitionArn"]

    def run(self, definition, subnets=None, groups=None, cluster="default", launch="EC2", **more):
        network = {"subnets": subnets or [self.subnet()]}
        if groups:
            network["securityGroups"] = groups
        if more.pop("awsvpc", True):
            more["networkConfiguration"] = {"awsvpcConfiguration": network}
        answer = self.ecs.run_task(cluster=cluster, taskDefinition=definition, launchType=launch, **more)
        assert answer["failures"] == [], answer
        return answer["tasks"][0]["taskArn"]

    def task(self, arn, cluster="default"):
        answer = self.ecs.describe_tasks(cluster=cluster, tasks=[arn])
        assert answer["failures"] == [], answer
        return answer["tasks"][0]

    def until(self, arn, status, cluster="default"):
        """The task once it is in that state; fails at once when it stopped instead."""

        def reached():
            task = self.task(arn, cluster)
            if status != "STOPPED" and task["lastStatus"] == "STOPPED":
                raise AssertionError(f"the task stopped: {task}\n{self.log()[-3000:]}")
            return task if task["lastStatus"] == status else None

        return eventually(reached, f"{arn} {status}; it is {self.task(arn, cluster)}")

    def stop(self, arn, cluster="default"):
        self.ecs.stop_task(cluster=cluster, task=arn)
        return self.until(arn, "STOPPED", cluster)

    def logs(self, arn):
        return self.command("logs", arn.rsplit("/", 1)[1]).stdout

    def finished(self, arn, cluster="default"):
        """Exit codes by container, reasons and output of a task that ends by itself."""
        task = self.until(arn, "STOPPED", cluster)
        codes = {container["name"]: container.get("exitCode") for container in task["containers"]}
        return codes, task, self.logs(arn)


def blocked(cloud, task):
    """Whether a process of the task waits for somebody to read what it prints, while its log holds what may wait."""
    identity = task.rsplit("/", 1)[1]
    logs = [path for path in cloud.data.glob(f"containers/{identity}-*/log*")]
    if sum(path.stat().st_size for path in logs) < 4 << 20:
        return False
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            group = (process / "cgroup").read_text()
            if identity in group and "pipe_write" in (process / "wchan").read_text():
                return True
        except OSError:
            continue
    return False


def address(task):
    return task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]


def http(host, port=80, timeout=30):
    with urllib.request.urlopen(f"http://{host}:{port}/", timeout=timeout) as answer:
        return answer.read().decode()


def connects(host, port, timeout=1.5):
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            # A port that the kernel gave to this very connection answers nobody.
            return connection.getsockname() != connection.getpeername()
    except OSError:
        return False


def settled_pids(instance):
    """The same once it stays the same: a server's short-lived children are none of the task's processes."""
    def twice():
        first = sandbox_pids(instance)
        time.sleep(0.3)
        return first if first and first == sandbox_pids(instance) else None

    return eventually(twice, "processes that stay")


def sandbox_pids(instance):
    """Processes below the instance's shims: pid by command name. One that ended and waits for its reaper is none."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/cgroup"):
        try:
            if f"rs-{instance}" in pathlib.Path(path).read_text():
                pid = int(path.split("/")[2])
                name, _, rest = pathlib.Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
                if rest.split()[0] not in ("Z", "X"):
                    found[pid] = name
        except OSError:
            pass
    return found


def contents(folder):
    """What is in the files of a folder, of which some come and go meanwhile."""
    found = {}
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file():
                found[path] = path.read_bytes()
        except FileNotFoundError:
            continue
    return found


def leftovers(instance):
    """Everything on the machine that carries the instance's name."""
    found = {}
    netns = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    found["namespaces"] = [line for line in netns.splitlines() if instance in line]
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
    found["interfaces"] = [line for line in links.splitlines() if re.search(rf"rs{instance}", line)]
    mounts = pathlib.Path("/proc/mounts").read_text().splitlines()
    # What holds a network namespace is counted as the namespace.
    found["mounts"] = [line for line in mounts if f"rs-{instance}" in line and " nsfs " not in line]
    found["cgroups"] = glob.glob(f"/sys/fs/cgroup/*/rs-{instance}*") + glob.glob(f"/sys/fs/cgroup/rs-{instance}*")
    found["processes"] = sandbox_pids(instance)
    return {kind: things for kind, things in found.items() if things}
