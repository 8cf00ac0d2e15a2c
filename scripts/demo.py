#!/usr/bin/env python3
"""The task-networking walkthrough on this machine, each command shown with what came back.

Starts Roadstead with a data folder of its own, runs a real nginx as a task with its own interface, address and
firewall, and leaves nothing behind. Sends traffic to loopback and to the task's address alone.
ROADSTEAD_STORE chooses another store: memory, etcd (one is started here, from Debian's etcd-server), or the address of
an etcd, whose prefix must hold nothing yet.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROADSTEAD = pathlib.Path(os.environ.get("ROADSTEAD_BIN", ROOT / "target/release/roadstead"))
AWS = ROOT / "target/venv/bin/aws"
IMAGE = ROOT / "target/images/nginx.tar"
TASK_DEFINITION = ROOT / "tests/walkthroughs/task-networking/nginx-awsvpc.json"
# The first that this machine's own routes and resolver leave free is used.
CIDRS = ["172.31.0.0/16", "10.231.0.0/16", "192.168.240.0/20"]
COLOUR = sys.stdout.isatty()


def say(text):
    print(f"\033[1m{text}\033[0m" if COLOUR else text, flush=True)


class Demo:
    def __init__(self, data):
        self.data = data
        self.listen = f"127.0.0.1:{free_port()}"
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        self.env.update(AWS_PAGER="", AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")
        self.daemon = None
        self.etcd = None
        self.store = self.env.pop("ROADSTEAD_STORE", None)

    def start_etcd(self):
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        command = ["etcd", "--name", "demo", "--data-dir", self.data / "etcd", "--listen-client-urls", client,
                   "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                   "--initial-cluster", f"demo={peer}"]
        if shutil.which("etcd") is None:
            sys.exit("etcd is missing: apt-get install etcd-server")
        log = open(self.data / "etcd.log", "w")
        self.etcd = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]})
        return "etcd" + client.removeprefix("http")

    def options(self, cidr):
        options = ["--default-vpc-cidr", cidr, "--cluster", "default", "--cluster", "awsvpc-ecs-demo"]
        if self.store == "etcd":
            self.address = self.start_etcd() if self.etcd is None else self.address
            # Records of a network that was refused stay where they are.
            return [*options, "--store", f"{self.address}/demo-{CIDRS.index(cidr)}"]
        return [*options, "--store", self.store] if self.store else options

    def up(self):
        for cidr in CIDRS:
            log = open(self.data / "up.log", "w")
            command = [ROADSTEAD, "up", "--listen", self.listen, "--data", self.data / "data", *self.options(cidr)]
            say("$ " + shown(["roadstead", *command[1:]]))
            self.daemon = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=self.env)
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                text = (self.data / "up.log").read_text()
                if "host attachment refused" in text:
                    print(next(line for line in text.splitlines() if "host attachment refused" in line))
                    self.down()
                    break
                if "ready" in text:
                    print(text.strip())
                    return
                if self.daemon.poll() is not None:
                    sys.exit(f"roadstead did not start:\n{text}")
                time.sleep(0.05)
            else:
                sys.exit("roadstead was not ready after 30 s")
        sys.exit("none of " + ", ".join(CIDRS) + " is free on this machine")

    def down(self):
        if self.daemon is None:
            return
        command = [ROADSTEAD, "down", "--data", self.data / "data", "--purge"]
        say("$ " + shown(["roadstead", *command[1:]]))
        subprocess.run(command, env=self.env, check=True)
        self.daemon.wait(timeout=30)
        self.daemon = None

    def run(self, *command, quiet=False):
        say("$ " + shown(command))
        program = {"aws": AWS, "roadstead": ROADSTEAD}.get(command[0], command[0])
        done = subprocess.run([program, *command[1:]], env=self.env, capture_output=True, text=True, timeout=120,
                              cwd=TASK_DEFINITION.parent)
        output = (done.stdout + done.stderr).strip()
        if not quiet:
            print(output, flush=True)
        if done.returncode:
            sys.exit(f"{command[0]} ended with {done.returncode}")
        return done.stdout.strip()

    def aws(self, *command, quiet=False):
        return self.run("aws", *command, quiet=quiet)


def shown(command):
    words = [str(word).replace(str(ROOT) + "/", "") for word in command]
    return " ".join(f"'{word}'" if any(c in word for c in " [{*?") else word for word in words)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def walk(demo):
    for line in demo.run("roadstead", "env", "--listen", demo.listen).splitlines():
        name, value = line.removeprefix("export ").split("=", 1)
        demo.env[name] = value
    demo.run("roadstead", "image", "import", "--data", demo.data / "data", IMAGE)

    cluster = "awsvpc-ecs-demo"
    demo.aws("ecs", "create-cluster", "--cluster-name", cluster)
    demo.aws("ecs", "register-task-definition", "--cli-input-json", "file://./nginx-awsvpc.json")
    subnet = demo.aws("ec2", "describe-subnets", "--filters", "Name=default-for-az,Values=true",
                      "--query", "sort_by(Subnets,&AvailabilityZone)[0].SubnetId", "--output", "text")
    group = demo.aws("ec2", "create-security-group", "--group-name", "web", "--description", "nginx",
                     "--query", "GroupId", "--output", "text")
    demo.aws("ec2", "authorize-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "80",
             "--cidr", "0.0.0.0/0")
    network = f"awsvpcConfiguration={{subnets=[{subnet}],securityGroups=[{group}]}}"
    started = time.monotonic()
    task = demo.aws("ecs", "run-task", "--cluster", cluster, "--task-definition", "nginx-awsvpc",
                    "--network-configuration", network, "--query", "tasks[0].taskArn", "--output", "text")
    demo.aws("ecs", "wait", "tasks-running", "--cluster", cluster, "--tasks", task)
    print(f"(running after {time.monotonic() - started:.1f} s, the waiter's own pauses included)")
    demo.aws("ecs", "describe-tasks", "--cluster", cluster, "--tasks", task, "--query", "tasks[0]")
    address = demo.aws("ecs", "describe-tasks", "--cluster", cluster, "--tasks", task, "--output", "text",
                       "--query", "tasks[0].containers[0].networkInterfaces[0].privateIpv4Address")
    say(f"The task's address is {address}. What nginx answers there:")
    answer = demo.run("curl", "-sS", "--max-time", "5", f"http://{address}/")
    if "nginx" not in answer:
        sys.exit("nginx did not answer")
    say("Port 80 is open because the security group says so; every other port is closed:")
    with socket.socket() as probe:
        probe.settimeout(2)
        try:
            probe.connect((address, 81))
            sys.exit("port 81 is open")
        except OSError as error:
            print(f"connect {address}:81: {error}")
    demo.run("roadstead", "logs", "--data", demo.data / "data", task.rsplit("/", 1)[1])
    demo.aws("ecs", "stop-task", "--cluster", cluster, "--task", task, "--query", "task.desiredStatus")
    demo.aws("ecs", "wait", "tasks-stopped", "--cluster", cluster, "--tasks", task)
    demo.aws("ecs", "describe-tasks", "--cluster", cluster, "--tasks", task,
             "--query", "tasks[0].{lastStatus:lastStatus,stopCode:stopCode,stoppedReason:stoppedReason}")


def main():
    data = pathlib.Path(tempfile.mkdtemp(prefix="rs-demo-"))
    demo = Demo(data)
    try:
        demo.up()
        walk(demo)
        say("Everything the walkthrough says was seen.")
    finally:
        demo.down()
        if demo.etcd is not None:
            demo.etcd.kill()
            demo.etcd.wait()
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
