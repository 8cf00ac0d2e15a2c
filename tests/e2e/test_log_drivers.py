"""The log drivers syslog, fluentd and gelf: what containers print, at receivers on the machine."""

import json
import signal
import socket
import threading
import zlib

import pytest
from botocore.exceptions import ClientError

from roadstead import blocked, eventually, free_port

SHELL = ["sh", "-c"]
# Prints a line for each file that is made for it, until told to stop.
ON_DEMAND = 'i=1; while [ ! -e /ctl/stop ]; do if [ -e /ctl/$i ]; then echo "line $i"; i=$((i+1)); else sleep 0.05; fi; done; echo bye'


# 12 MB in lines of a thousand characters, and a sign that all was printed.
FLOOD = 'i=0; while [ $i -lt 12000 ]; do printf "%06d %0993d\\n" $i 0; i=$((i+1)); done; touch /ctl/done; while :; do sleep 1; done'


class Receiver:
    """Takes what comes, over TCP or as datagrams; `heard` is all of it."""

    def __init__(self, kind="tcp", port=None, answer=None):
        self.heard, self.answer, self.closed = bytearray(), answer, False
        self.port = port or free_port()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", self.port))
        self.datagrams, self.connections = [], []
        if kind == "tcp":
            self.socket.listen()
        threading.Thread(target=self._datagrams if kind == "udp" else self._accept, daemon=True).start()

    def _datagrams(self):
        while not self.closed:
            try:
                self.datagrams.append(self.socket.recv(65536))
            except OSError:
                return

    def _accept(self):
        while not self.closed:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection):
        while True:
            try:
                got = connection.recv(65536)
            except OSError:
                return
            if not got:
                return
            self.heard += got
            if self.answer:
                connection.sendall(self.answer(got))

    def close(self):
        self.closed = True
        for one in [self.socket, *self.connections]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()


@pytest.fixture
def receiver():
    made = []

    def make(*args, **more):
        made.append(Receiver(*args, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def logging(driver, **options):
    return {"logConfiguration": {"logDriver": driver, "options": {name.replace("_", "-"): value for name, value in options.items()}}}


def app(command, **more):
    return {"name": "app", "image": "busybox", "command": [*SHELL, command], **more}


def after(essential, other):
    """The end of an essential container ends the others, whether they have printed or not."""
    return {**essential, "dependsOn": [{"containerName": other["name"], "condition": "COMPLETE"}]}


def test_syslog_gets_a_message_a_line(cloud, receiver):
    tcp, udp = receiver(), receiver("udp")
    one = app("echo one; echo two >&2", **logging(
        "syslog", syslog_address=f"tcp://127.0.0.1:{tcp.port}", syslog_facility="local1", tag="{{.Name}}"))
    two = {**app("echo three", **logging("syslog", syslog_address=f"udp://127.0.0.1:{udp.port}", syslog_format="rfc5424", tag="x")),
           "name": "second", "essential": False}
    cloud.until(cloud.run(cloud.define("syslog", after(one, two), two)), "STOPPED")
    lines = eventually(lambda: tcp.heard.count(b"\n") == 2 and tcp.heard.decode().splitlines(), "two messages")
    # What goes to the two streams has no order.
    lines.sort(key=lambda line: line.rpartition(": ")[2])
    assert lines[0].startswith("<142>") and " ecs-syslog-1-app[" in lines[0] and lines[0].endswith("]: one")
    assert lines[1].startswith("<139>") and lines[1].endswith("]: two")
    message = eventually(lambda: udp.datagrams, "a datagram")[0].decode()
    assert message.startswith("<30>1 ") and message.endswith(" x - three\n")


def test_gelf_gets_an_object_a_line(cloud, receiver):
    tcp, udp = receiver(), receiver("udp")
    one = app("echo one", **logging("gelf", gelf_address=f"tcp://127.0.0.1:{tcp.port}"))
    two = {**app("echo two >&2", **logging("gelf", gelf_address=f"udp://127.0.0.1:{udp.port}", gelf_compression_type="zlib")),
           "name": "second", "essential": False}
    cloud.until(cloud.run(cloud.define("gelf", after(one, two), two)), "STOPPED")
    eventually(lambda: tcp.heard.endswith(b"\0"), "a message")
    first = json.loads(bytes(tcp.heard[:-1]))
    assert (first["short_message"], first["level"], first["_image_name"]) == ("one", 6, "busybox")
    assert first["_container_name"] == "ecs-gelf-1-app" and first["_image_id"].startswith("sha256:")
    assert first["_command"] == "sh -c echo one" and first["_created"].endswith("Z")
    second = json.loads(zlib.decompress(eventually(lambda: udp.datagrams, "a datagram")[0]))
    assert (second["short_message"], second["level"]) == ("two", 3)


def entries(heard):
    """The `log` of each entry in order: the text behind its name in MessagePack."""
    return [part[1:1 + (part[0] & 0x1F)].decode() for part in bytes(heard).split(b"\xa3log")[1:]]


def test_fluentd_gets_each_line_in_order_across_a_kill_and_a_receiver_that_went(fresh, receiver, tmp_path):
    cloud = fresh()
    fluentd = receiver()
    control = tmp_path / "ctl"
    control.mkdir()
    container = app(ON_DEMAND, mountPoints=[{"sourceVolume": "ctl", "containerPath": "/ctl", "readOnly": True}],
                    **logging("fluentd", fluentd_address=f"127.0.0.1:{fluentd.port}", tag="t", fluentd_retry_wait="100ms"))
    task = cloud.run(cloud.define("fluentd", container, volumes=[{"name": "ctl", "host": {"sourcePath": str(control)}}]))
    cloud.until(task, "RUNNING")

    def prints(*numbers):
        for number in numbers:
            (control / str(number)).touch()

    def on_disk(number):
        return any(f" line {number}\n" in log.read_text() for log in cloud.data.glob("containers/*/log"))

    def noted():
        places = list((cloud.data / "containers").glob("*/sent.json"))
        totals = [json.loads(path.read_text())["total"] for path in places]
        return places and totals == [sum(log.stat().st_size for log in path.parent.glob("log*")) for path in places]

    prints(1, 2, 3)
    eventually(lambda: entries(fluentd.heard) == ["line 1", "line 2", "line 3"] and noted(), "three entries")
    cloud.process.send_signal(signal.SIGSTOP)
    prints(4)
    eventually(lambda: on_disk(4), "printed while nobody sends")
    cloud.kill()
    prints(5)
    eventually(lambda: on_disk(5), "printed while nobody is there")
    cloud.up()
    eventually(lambda: entries(fluentd.heard)[3:] == ["line 4", "line 5"] and noted(), "what was printed meanwhile")
    # Nobody listens: lines wait on the node's disk, and the container goes on.
    fluentd.close()
    prints(6, 7)
    eventually(lambda: on_disk(7), "printed without a receiver")
    again = receiver(port=fluentd.port)
    eventually(lambda: entries(again.heard) == ["line 6", "line 7"], "what waited")
    (control / "stop").touch()
    cloud.until(task, "STOPPED")
    eventually(lambda: entries(again.heard) == ["line 6", "line 7", "bye"], "the last line")


def test_fluentd_acknowledges(cloud, receiver):
    def answer(got):
        # The last text of an entry is the chunk, of 16 characters.
        return b"".join(b"\x81\xa3ack" + rest[:17] for rest in got.split(b"\xa5chunk")[1:])

    fluentd = receiver(answer=answer)
    options = logging("fluentd", fluentd_address=f"tcp://127.0.0.1:{fluentd.port}", fluentd_request_ack="true")
    cloud.until(cloud.run(cloud.define("acks", app("echo one; echo two", **options))), "STOPPED")
    assert entries(fluentd.heard) == ["one", "two"]


def test_labels_and_variables_go_with_lines(cloud, receiver):
    tcp = receiver()
    command = app("echo one", environment=[{"name": "TEAM", "value": "blue"}, {"name": "OTHER", "value": "x"}], dockerLabels={"tier": "web"},
                  **logging("gelf", gelf_address=f"tcp://127.0.0.1:{tcp.port}", labels="tier,com.amazonaws.ecs.task-arn", env_regex="^(TEAM|PATH)$"))
    task = cloud.run(cloud.define("extras", command))
    cloud.until(task, "STOPPED")
    eventually(lambda: tcp.heard.endswith(b"\0"), "a message")
    message = json.loads(bytes(tcp.heard[:-1]))
    assert (message["_tier"], message["_TEAM"], message["_com.amazonaws.ecs.task-arn"]) == ("web", "blue", task)
    assert message["_PATH"].startswith("/") and "_OTHER" not in message, "the image's variables are the container's"


def test_a_receiver_that_reads_nothing_holds_up_a_container_only_if_that_is_asked_for(cloud, tmp_path):
    # It takes connections, and no byte from them.
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.bind(("127.0.0.1", 0))
    deaf.listen()
    address = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
    tasks, controls = {}, {}
    for mode in ("blocking", "non-blocking"):
        controls[mode] = tmp_path / mode
        controls[mode].mkdir()
        command = app(FLOOD, mountPoints=[{"sourceVolume": "ctl", "containerPath": "/ctl"}], **logging("syslog", syslog_address=address, mode=mode))
        definition = cloud.define(mode, command, volumes=[{"name": "ctl", "host": {"sourcePath": str(controls[mode])}}])
        tasks[mode] = cloud.run(definition)
    try:
        cloud.until(tasks["non-blocking"], "RUNNING")
        eventually((controls["non-blocking"] / "done").exists, "nobody waits")
        eventually(lambda: blocked(cloud, tasks["blocking"]), "it waits")
        assert not (controls["blocking"] / "done").exists()
        # The node goes on meanwhile.
        assert cloud.finished(cloud.run(cloud.define("beside", app("echo fine"))))[0] == {"app": 0}
    finally:
        deaf.close()
        for task in tasks.values():
            cloud.stop(task)


def test_no_more_wait_for_a_receiver_than_may(cloud, receiver, tmp_path):
    port = free_port()
    command = 'i=1; while [ $i -le 200 ]; do echo "line $i"; i=$((i+1)); done; touch /ctl/done; while [ ! -e /ctl/stop ]; do sleep 0.05; done'
    container = app(command, mountPoints=[{"sourceVolume": "ctl", "containerPath": "/ctl"}],
                    **logging("fluentd", fluentd_address=f"127.0.0.1:{port}", fluentd_async="true", fluentd_buffer_limit="10",
                              fluentd_retry_wait="100ms", mode="blocking"))
    task = cloud.run(cloud.define("limit", container, volumes=[{"name": "ctl", "host": {"sourcePath": str(tmp_path)}}]))
    eventually((tmp_path / "done").exists, "it does not wait for what is dropped")
    fluentd = receiver(port=port)
    (tmp_path / "stop").touch()
    cloud.until(task, "STOPPED")
    # What was sent is sent; the receiver's thread may not have read it yet.
    eventually(lambda: len(entries(fluentd.heard)) >= 10, "ten lines")
    assert entries(fluentd.heard) == [f"line {number}" for number in range(1, 11)]


def test_without_its_receiver_a_container_does_not_start_and_says_why(cloud):
    port = free_port()
    for driver, options in [
        ("syslog", {"syslog_address": f"tcp://127.0.0.1:{port}"}),
        ("fluentd", {"fluentd_address": f"127.0.0.1:{port}"}),
        ("gelf", {"gelf_address": f"tcp://127.0.0.1:{port}"}),
    ]:
        gelf = f"gelf: cannot connect to GELF endpoint: 127.0.0.1:{port} " if driver == "gelf" else ""
        task = cloud.until(cloud.run(cloud.define(f"no-{driver}", app("echo never", **logging(driver, **options)))), "STOPPED")
        assert task["containers"][0]["reason"] == (
            "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: "
            f"{gelf}dial tcp 127.0.0.1:{port}: connect: connection refused")
    starts = cloud.define("async", app("true", **logging("fluentd", fluentd_address=f"127.0.0.1:{port}", fluentd_async="true",
                                                         fluentd_max_retries="1", fluentd_retry_wait="10ms")))
    task = cloud.until(cloud.run(starts), "STOPPED")
    assert task["containers"][0]["exitCode"] == 0


def test_what_cannot_be_is_refused_when_it_is_registered(cloud):
    for driver, options, words in [
        ("gelf", {}, "Log driver gelf requires options: gelf-address"),
        ("syslog", {"syslog_address": "tcp+tls://x:1"}, "syslog-address = tcp+tls is not supported"),
        ("fluentd", {"fluentd_buffer_limit": "1000"}, "'fluentd-buffer-limit' is only supported with 'fluentd-async' = 'true'"),
        ("splunk", {}, "splunk"),
    ]:
        with pytest.raises(ClientError) as refusal:
            cloud.define("bad", app("true", **logging(driver, **options)))
        assert words in refusal.value.response["Error"]["Message"], driver
    with pytest.raises(ClientError) as refusal:
        cloud.define("bad", app("true", **logging("syslog", syslog_address="udp://127.0.0.1:1")), fargate=True)
    assert "Fargate only supports the log drivers" in refusal.value.response["Error"]["Message"]
