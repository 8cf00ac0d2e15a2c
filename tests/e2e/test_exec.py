"""`roadstead exec`: a program beside a task's own, through pipes and on a terminal."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import time

import pytest
from roadstead import BINARY, PATIENCE, eventually


@pytest.fixture(scope="module")
def task(cloud):
    definition = cloud.define(
        "watched",
        {"name": "app", "image": "busybox", "command": ["sh", "-c", "touch /tmp/mine; sleep 600"], "user": "1000"},
        {"name": "other", "image": "busybox", "command": ["sleep", "600"], "essential": False})
    arn = cloud.run(definition)
    cloud.until(arn, "RUNNING")
    yield arn
    cloud.stop(arn)


def execute(cloud, *words, text=None, check=None):
    done = subprocess.run([BINARY, "exec", "--data", cloud.data, *words], input=text, capture_output=True, text=True,
                          timeout=PATIENCE)
    if check is not None:
        assert done.returncode == check, done.stdout + done.stderr
    return done


def test_streams_and_the_exit_code_are_the_programs(cloud, task):
    name = task.rsplit("/", 1)[1][:10]
    script = "ls /tmp; id -u; cat; echo trouble >&2; exit 7"
    done = execute(cloud, name, "--container", "app", "--", "sh", "-c", script, text="typed\n", check=7)
    assert done.stdout == "mine\n1000\ntyped\n" and done.stderr == "trouble\n"
    # Much is said before the end, and all of it comes.
    done = execute(cloud, task, "--container", "app", "--", "sh", "-c", "yes harbour | head -n 100000", check=0)
    assert done.stdout == "harbour\n" * 100_000
    done = execute(cloud, task, "--container", "app", "--user", "0:0", "--workdir", "/etc", "--", "sh", "-c", "id -u; pwd", check=0)
    assert done.stdout == "0\n/etc\n"
    assert execute(cloud, task, "--container", "app", "--", "sh", "-c", "kill -9 $$").returncode == 137
    # Somebody who stays behind and says nothing more keeps nobody waiting.
    execute(cloud, task, "--container", "app", "--", "sh", "-c", "(sleep 600) & echo left", check=0)


def test_a_terminal_is_the_programs_until_it_ends(cloud, task):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
    before = termios.tcgetattr(theirs)
    command = [BINARY, "exec", "--data", cloud.data, task, "--container", "app", "--", "sh"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env={**os.environ, "TERM": "vt220"})
    os.set_blocking(ours, False)
    seen = b""

    def shows(words):
        def look():
            nonlocal seen
            try:
                seen += os.read(ours, 65536)
            except BlockingIOError:
                pass
            return words in seen
        eventually(look, f"{words} on the terminal")

    try:
        shows(b"$ ")
        os.write(ours, b"tty; stty size; echo $TERM\n")
        shows(b"/dev/pts/")
        shows(b"33 111")
        shows(b"vt220\r\n")
        # A larger window is told, and ctrl-C is for the program alone.
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 122, 0, 0))
        process.send_signal(signal.SIGWINCH)
        os.write(ours, b"until stty size | grep '44 122'; do sleep 0.1; done; echo waiting; sleep 600\n")
        shows(b"waiting\r\n")
        prompts = seen.count(b"$ ")

        def interrupted():
            # Whoever is between its fork and its program does not hear of it.
            os.write(ours, b"\x03")
            time.sleep(0.2)
            shows(b"")
            return seen.count(b"$ ") > prompts

        eventually(interrupted, "the prompt is back")
        os.write(ours, b"echo still $((40 + 2)); exit 5\n")
        shows(b"still 42")
        assert process.wait(timeout=PATIENCE) == 5
        assert termios.tcgetattr(theirs) == before
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_what_is_not_there_is_named(cloud, task):
    assert "choose one with --container: app, other" in execute(cloud, task, "--", "true", check=1).stderr
    assert "no container \"db\"" in execute(cloud, task, "--container", "db", "--", "true", check=1).stderr
    assert "no task of this node" in execute(cloud, "feed", "--", "true", check=1).stderr
    missing = execute(cloud, task, "--container", "app", "--", "no-such-program", check=1)
    assert "no-such-program" in missing.stderr
    ended = cloud.run(cloud.define("over", {"name": "app", "image": "busybox", "command": ["true"]}))
    cloud.until(ended, "STOPPED")
    assert "does not run on this node" in execute(cloud, ended, "--", "true", check=1).stderr


def test_the_daemon_need_not_run(fresh):
    cloud = fresh()
    arn = cloud.run(cloud.define("alone", {"name": "app", "image": "busybox", "command": ["sleep", "600"]}))
    cloud.until(arn, "RUNNING")
    cloud.kill()
    done = subprocess.run([BINARY, "exec", "--data", cloud.data, arn, "--", "cat", "/proc/1/comm"],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "sleep\n", done.stderr
