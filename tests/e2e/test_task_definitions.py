"""What a Linux task definition says, looked at from inside the container that it makes."""

import os
import pathlib
import re
import subprocess

import pytest
from botocore.exceptions import ClientError
from roadstead import BINARY, PATIENCE, address, eventually, http, sandbox_pids

SHELL = ["sh", "-c"]
UNIFIED = os.path.exists("/sys/fs/cgroup/cgroup.controllers")


def app(script, **members):
    return {"name": "app", "image": "busybox", "command": [*SHELL, script], **members}


def inside(cloud, family, *containers, network="none", **more):
    """What the containers print; they must end well."""
    definition = cloud.define(family, *containers, networkMode=network, **more)
    codes, task, output = cloud.finished(cloud.run(definition, awsvpc=network == "awsvpc"))
    assert set(codes.values()) == {0}, f"{task}\n{output}"
    return output


def failures(cloud, definition):
    answer = cloud.ecs.run_task(cluster="default", taskDefinition=definition)
    assert answer["tasks"] == [], answer
    return [(failure["reason"], failure.get("detail", "")) for failure in answer["failures"]]


def status(output, name):
    return re.search(rf"{name}:\s*(\S+)", output).group(1)


def test_limits_are_the_kernels(cloud):
    if UNIFIED:
        files = {"memory.max": str(48 << 20), "memory.low": str(24 << 20)}
        look = "cd /sys/fs/cgroup; "
    else:
        files = {"memory.limit_in_bytes": str(48 << 20), "memory.soft_limit_in_bytes": str(24 << 20), "cpu.shares": "256"}
        look = "cd /sys/fs/cgroup/memory; "
    look += "for f in " + " ".join(files) + "; do echo $f=$(cat $f 2>/dev/null || cat ../cpu/$f); done"
    output = inside(cloud, "limits", app(look, memory=48, memoryReservation=24, cpu=256), cpu="512", memory="128")
    for name, value in files.items():
        assert f"{name}={value}" in output, output


def test_swap_is_what_was_granted(cloud):
    if UNIFIED:
        script, wanted = "cat /sys/fs/cgroup/memory.swap.max", "0"
        parameters = {"maxSwap": 0}
    else:
        script = "cd /sys/fs/cgroup/memory; cat memory.swappiness; cat memory.memsw.limit_in_bytes 2>/dev/null || echo unaccounted"
        parameters, wanted = {"maxSwap": 0, "swappiness": 7}, "7"
    output = inside(cloud, "swap", app(script, memory=48, linuxParameters=parameters))
    lines = [line.split()[-1] for line in output.splitlines()]
    assert lines[0] == wanted, output
    assert UNIFIED or lines[1] in (str(48 << 20), "unaccounted"), output


def test_ulimits_are_set(cloud):
    output = inside(cloud, "ulimits", app(
        "cat /proc/self/limits",
        ulimits=[{"name": "nofile", "softLimit": 111, "hardLimit": 222}, {"name": "core", "softLimit": 0, "hardLimit": 0},
                 {"name": "stack", "softLimit": 1 << 20, "hardLimit": 2 << 20}]))
    assert re.search(r"Max open files\s+111\s+222", output), output
    assert re.search(r"Max core file size\s+0\s+0", output), output
    assert re.search(rf"Max stack size\s+{1 << 20}\s+{2 << 20}", output), output


def test_capabilities_are_added_and_dropped(cloud):
    net_admin, kill, chown = 1 << 12, 1 << 5, 1 << 0
    output = inside(cloud, "capabilities", app(
        "grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status",
        linuxParameters={"capabilities": {"add": ["NET_ADMIN"], "drop": ["KILL"]}}))
    for name in ("CapEff", "CapBnd"):
        has = int(status(output, name), 16)
        assert has & net_admin and has & chown and not has & kill, output
    assert (status(output, "NoNewPrivs"), status(output, "Seccomp")) == ("0", "2"), output
    output = inside(cloud, "capabilities", app(
        "grep -E 'CapBnd|NoNewPrivs' /proc/self/status",
        linuxParameters={"capabilities": {"drop": ["ALL"]}}, dockerSecurityOptions=["no-new-privileges"]))
    assert (int(status(output, "CapBnd"), 16), status(output, "NoNewPrivs")) == (0, "1"), output


def test_devices_memory_file_systems_and_shared_memory(cloud):
    script = (
        "(: < /dev/mine) && echo opened to read; (: > /dev/mine) 2>/dev/null && echo OPENED TO WRITE; "
        "grep ' /scratch ' /proc/mounts; df -k /scratch /dev/shm | tail -n 2 | while read a b c; do echo size=$b; done; "
        "(touch /here) 2>/dev/null && echo ROOT WRITTEN; touch /scratch/x && echo scratch written")
    output = inside(cloud, "files", app(
        script, readonlyRootFilesystem=True, linuxParameters={
            "capabilities": {"add": ["SYSLOG"]},
            "devices": [{"hostPath": "/dev/kmsg", "containerPath": "/dev/mine", "permissions": ["read"]}],
            "tmpfs": [{"containerPath": "/scratch", "size": 3, "mountOptions": ["noexec", "mode=1777"]}],
            "sharedMemorySize": 5}))
    assert "opened to read" in output and "scratch written" in output and "noexec" in output, output
    assert "OPENED TO WRITE" not in output and "ROOT WRITTEN" not in output, output
    assert re.findall(r"^size=(\d+)$", output, re.M) == ["3072", "5120"], output


def test_an_init_process_passes_signals_on_and_reaps(cloud):
    # An orphan that ended is gone once it was reaped, and stays as a zombie if nobody does.
    script = (
        "trap 'echo caught; exit 0' TERM; echo shell $$; orphan=$(sh -c 'sleep 0.2 > /dev/null & echo $!'); "
        "n=0; while [ -e /proc/$orphan ] && [ $n -lt 300 ]; do n=$((n+1)); sleep 0.1; done; "
        "[ -e /proc/$orphan ] && echo zombies 1 || echo zombies 0; "
        "while :; do sleep 0.1; done")
    definition = cloud.define("init", app(script, stopTimeout=20, linuxParameters={"initProcessEnabled": True}), networkMode="none")
    arn = cloud.run(definition, awsvpc=False)
    cloud.until(arn, "RUNNING")
    eventually(lambda: "zombies" in cloud.logs(arn), "the container looked around")
    task = cloud.stop(arn)
    output = cloud.logs(arn)
    assert re.search(r"^shell (\d+)$", output, re.M).group(1) != "1", output
    assert "zombies 0" in output and "caught" in output, output
    assert task["containers"][0]["exitCode"] == 0


@pytest.mark.parametrize("user, wanted", [
    ("www-data", "33:33"), ("www-data:root", "33:0"), ("33:nogroup", "33:65534"), ("1234", "1234:0"), ("daemon:1234", "1:1234")])
def test_users_and_groups_go_by_name(cloud, user, wanted):
    assert wanted in inside(cloud, "user", app("echo $(id -u):$(id -g)", user=user))


def test_an_unknown_user_is_told(cloud):
    definition = cloud.define("stranger", app("true", user="nobody-knows"), networkMode="none")
    task = cloud.until(cloud.run(definition, awsvpc=False), "STOPPED")
    assert "nobody-knows" in task["containers"][0]["reason"], task


def test_names_around_a_container_of_a_bridge(cloud):
    output = inside(cloud, "names", app(
        "hostname; cat /etc/hosts /etc/resolv.conf", hostname="harbour", dnsServers=["192.0.2.53"],
        dnsSearchDomains=["example.org", "lan"], extraHosts=[{"hostname": "lighthouse", "ipAddress": "192.0.2.7"}]),
        network="bridge")
    for line in ("harbour", "nameserver 192.0.2.53", "search example.org lan", "192.0.2.7 lighthouse"):
        assert line in output, output
    for mode, member, value in (("awsvpc", "hostname", "h"), ("awsvpc", "dnsServers", ["192.0.2.1"])):
        with pytest.raises(ClientError, match=f"{member} is not supported on container when networkMode={mode}"):
            cloud.define("names", app("true", **{member: value}), networkMode=mode)


@pytest.mark.parametrize("network", ["bridge", "none", "awsvpc"])
def test_kernel_parameters_are_the_tasks_own(cloud, network):
    controls = [{"namespace": "net.core.somaxconn", "value": "77"}, {"namespace": "kernel.msgmax", "value": "4000"}]
    output = inside(cloud, "controls", app(
        "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax", systemControls=controls), network=network)
    assert "77" in output and "4000" in output, output
    with open("/proc/sys/kernel/msgmax") as file:
        assert file.read().strip() != "4000"


def test_containers_share_what_the_task_shares(cloud):
    look = "readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; cat /proc/sys/kernel/msgmax; ps"
    control = [{"namespace": "kernel.msgmax", "value": "5000"}]
    both = [
        app(look, systemControls=control, dependsOn=[{"containerName": "beside", "condition": "COMPLETE"}]),
        {**app(look), "name": "beside", "essential": False},
    ]
    output = inside(cloud, "shared", *both, pidMode="task", ipcMode="task")
    for kind in ("pid", "ipc"):
        found = re.findall(rf"{kind}:\[\d+\]", output)
        assert len(found) == 2 and len(set(found)) == 1, output
    assert output.count("5000") >= 2, "what one container sets is set for both"
    apart = inside(cloud, "apart", *both, ipcMode="none")
    assert re.findall(r"^.* 1 root +(\S+)", apart, re.M) == ["{ps}", "{ps}"], "each is its own first process"
    assert apart.count("5000") == 1, "what one container sets is its own"


def test_the_hosts_namespaces_are_the_hosts(cloud):
    output = inside(cloud, "hosts", app("readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc"), pidMode="host", ipcMode="host")
    for kind in ("pid", "ipc"):
        assert os.readlink(f"/proc/self/ns/{kind}") in output, output


def test_terminals_and_open_standard_input(cloud):
    output = inside(cloud, "terminal", app("test -t 0 && test -t 1 && echo a terminal; stty size", pseudoTerminal=True))
    assert "a terminal" in output, output
    script = "test -t 0 && echo a terminal; timeout {} cat; echo ended $?"
    assert "ended 0" in inside(cloud, "closed-input", app(script.format(60)))
    assert "ended 143" in inside(cloud, "open-input", app(script.format(1), interactive=True))


@pytest.mark.parametrize("network", ["bridge", "awsvpc", "host"])
def test_networking_can_be_switched_off_for_one_container(cloud, network):
    output = inside(
        cloud, "off", app("ip -o link | wc -l; env", disableNetworking=True), network=network)
    assert re.search(r"\b1$", output.splitlines()[0]) and "ECS_CONTAINER_METADATA_URI" not in output, output


def test_privileged_containers_need_the_operators_word(cloud, fresh):
    definition = cloud.define("privileged", app("true", privileged=True), networkMode="none")
    ((reason, detail),) = failures(cloud, definition)
    assert reason == "ATTRIBUTE" and "privileged-container" in detail
    open_node = fresh(options=["--allow-privileged"])
    output = inside(open_node, "privileged", app(
        "grep -E 'Cap(Eff|Bnd)|Seccomp:' /proc/self/status; mkdir /m; mount -t tmpfs none /m && echo mounted; ls /dev | wc -l",
        privileged=True))
    assert "mounted" in output and status(output, "Seccomp") == "0", output
    with open("/proc/self/status") as file:
        own = file.read()
    assert int(status(output, "CapEff"), 16) == int(status(own, "CapBnd"), 16), output
    output = inside(open_node, "unconfined", app(
        "grep -E 'CapBnd|Seccomp:' /proc/self/status", dockerSecurityOptions=["seccomp:unconfined"]))
    assert status(output, "Seccomp") == "0" and int(status(output, "CapBnd"), 16) != int(status(own, "CapBnd"), 16)


def test_root_in_a_container_can_be_nobody_on_the_machine(fresh, tmp_path):
    cloud = fresh(options=["--userns", "200000:65536", "--default-vpc-cidr", "10.60.0.0/20"])
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    definition = cloud.define(
        "mapped", app("cat /proc/self/uid_map; id -u; touch /shared/made /own && echo made; sleep 300", mountPoints=[
            {"sourceVolume": "shared", "containerPath": "/shared"}]),
        networkMode="awsvpc", volumes=[{"name": "shared", "host": {"sourcePath": str(folder)}}])
    arn = cloud.run(definition)
    cloud.until(arn, "RUNNING")
    output = eventually(lambda: "made" in cloud.logs(arn) and cloud.logs(arn), "the container looked")
    assert re.search(r"0\s+200000\s+65536", output), output
    owners = {os.stat(f"/proc/{pid}").st_uid for pid, name in sandbox_pids(cloud.instance).items() if name in ("sh", "sleep")}
    assert owners == {200000}, owners
    cloud.stop(arn)
    web = {"name": "web", "image": "nginx", "portMappings": [{"containerPort": 80}]}
    own = cloud.run(cloud.define("own", web), groups=[cloud.open_group("web", 80)])
    host = address(cloud.until(own, "RUNNING"))
    assert "Welcome to nginx!" in eventually(lambda: http(host), "a low port in an interface's namespace")
    bridged = cloud.run(cloud.define("bridged", web, networkMode="bridge"), awsvpc=False)
    port = cloud.until(bridged, "RUNNING")["containers"][0]["networkBindings"][0]["hostPort"]
    assert "Welcome to nginx!" in eventually(lambda: http("127.0.0.1", port), "a low port on the bridge")
    for task in (own, bridged):
        cloud.stop(task)
    assert failures(cloud, cloud.define("sharing", app("true"), networkMode="none", pidMode="task"))[0][0] == "ATTRIBUTE"


def test_a_node_that_joins_says_what_its_operator_allows(cloud, tmp_path):
    env = dict(os.environ, AWS_ACCESS_KEY_ID=cloud.account, AWS_SECRET_ACCESS_KEY="any")
    privileged, sharing = "com.amazonaws.ecs.capability.privileged-container", "ecs.capability.pid-ipc-namespace-sharing"
    for name, option, wanted in (
        ("open", ["--allow-privileged"], {privileged, sharing}), ("mapped", ["--userns", "200000:65536"], set())):
        data, log = tmp_path / name, tmp_path / f"{name}.log"
        words = [BINARY, "agent", "--backend", cloud.url, "--cluster", f"joined-{name}", "--data", data, *option]
        with open(log, "w") as out:
            agent = subprocess.Popen(words, env=env, stdout=out, stderr=subprocess.STDOUT)
        try:
            eventually(lambda: "ready" in log.read_text(), "the node is ready")
            arns = cloud.ecs.list_container_instances(cluster=f"joined-{name}")["containerInstanceArns"]
            answer = cloud.ecs.describe_container_instances(cluster=f"joined-{name}", containerInstances=arns)
            names = {attribute["name"] for attribute in answer["containerInstances"][0]["attributes"]}
            assert names & {privileged, sharing} == wanted
        finally:
            agent.terminate()
            agent.wait(timeout=PATIENCE)
            subprocess.run([BINARY, "down", "--data", data, "--purge"], check=True)
    both = ["--userns", "200000:65536", "--allow-privileged"]
    for command in (["agent", "--backend", cloud.url], ["up", "--listen", "127.0.0.1:0"]):
        done = subprocess.run([BINARY, *command, "--data", tmp_path / "both", *both], env=env, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode != 0 and "exclude each other" in done.stderr


def test_what_no_node_has_is_refused_by_name(cloud):
    for member, value, words in (
        ("resourceRequirements", [{"type": "InferenceAccelerator", "value": "device_1"}],
         "resourceRequirements.type InferenceAccelerator is not supported"),
        ("dockerSecurityOptions", ["apparmor:docker-default"], "dockerSecurityOptions = apparmor:docker-default"),
        ("dockerSecurityOptions", ["label:disable"], "dockerSecurityOptions = label:disable"),
    ):
        with pytest.raises(ClientError, match=words):
            cloud.define("absent", app("true", **{member: value}), networkMode="none")
    # GPUs are for placement to look for, and no node has them.
    gpus = cloud.define("gpus", app("true", resourceRequirements=[{"type": "GPU", "value": "1"}]), networkMode="none")
    assert {reason for reason, *_ in failures(cloud, gpus)} == {"RESOURCE:GPU"}


def test_fargate_runs_what_it_allows(cloud):
    definition = cloud.define(
        "allowed", app(
            "cat /proc/sys/net/core/somaxconn; test -t 1 && echo a terminal; ps; grep CapBnd /proc/self/status",
            pseudoTerminal=True, interactive=True, systemControls=[{"namespace": "net.core.somaxconn", "value": "99"}],
            linuxParameters={"initProcessEnabled": True, "capabilities": {"add": ["SYS_PTRACE"]}}),
        fargate=True, pidMode="task")
    codes, _, output = cloud.finished(cloud.run(definition, launch="FARGATE"))
    assert codes == {"app": 0} and "99" in output and "a terminal" in output and "pause" in output, output
    assert int(status(output, "CapBnd"), 16) & (1 << 19), output


def test_fargate_refuses_what_reaches_the_machine(cloud):
    for member, value, words in (
        ("privileged", True, "Fargate does not support privileged containers."),
        ("linuxParameters", {"devices": [{"hostPath": "/dev/null"}]}, "do not support devices"),
        ("linuxParameters", {"sharedMemorySize": 64}, "do not support sharedMemorySize"),
        ("disableNetworking", True, "do not support disableNetworking"),
    ):
        with pytest.raises(ClientError, match=words) as refused:
            cloud.define("fargate", app("true", **{member: value}), fargate=True)
        assert refused.value.response["Error"]["Code"] == "ClientException"


def test_the_disk_of_a_fargate_task_is_held_by_the_kernel(cloud):
    script = ("fallocate -l 12g /tmp/large && fallocate -l 8g /kept/other && echo both; fallocate -l 5g /tmp/more && echo beyond; "
              "rm /tmp/large; fallocate -l 5g /tmp/more && echo again; df -k / | tail -n 1")
    definition = cloud.define(
        "disk", {"name": "app", "image": "busybox", "command": ["sh", "-c", script],
                 "mountPoints": [{"sourceVolume": "kept", "containerPath": "/kept"}]},
        fargate=True, volumes=[{"name": "kept"}], ephemeralStorage={"sizeInGiB": 22})
    arn = cloud.run(definition, launch="FARGATE")
    codes, task, output = cloud.finished(arn)
    assert (codes, task["ephemeralStorage"]) == ({"app": 0}, {"sizeInGiB": 22}), output
    # The volume and the container's own files share one disk.
    lines = output.splitlines()
    assert [line for line in lines if line in ("both", "beyond", "again")] == ["both", "again"], output
    size = int(lines[-1].split()[1])
    assert 20 << 20 < size < 22 << 20, output
    eventually(lambda: str(cloud.data) not in pathlib.Path("/proc/mounts").read_text(), "the disk to be gone")
    eventually(lambda: list((cloud.data / "disks").glob("*")) == [], "its file to be gone")
