"""An etcd of the test's own on loopback, that can be killed and started again with what it had."""

import os
import pathlib
import shutil
import subprocess
import urllib.error
import urllib.request

from roadstead import eventually, free_port

PROGRAM = os.environ.get("ROADSTEAD_ETCD", "etcd")


class Etcd:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.client, self.peer = free_port(), free_port()
        self.process = None
        assert shutil.which(PROGRAM), "etcd is missing: apt-get install etcd-server"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def url(self, prefix=""):
        return f"etcd://127.0.0.1:{self.client}{prefix}"

    def start(self):
        client, peer = f"http://127.0.0.1:{self.client}", f"http://127.0.0.1:{self.peer}"
        command = [PROGRAM, "--name", "rs", "--data-dir", self.folder / "data", "--listen-client-urls", client,
                   "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                   "--initial-cluster", f"rs={peer}", "--logger", "zap", "--log-level", "warn"]
        log = open(self.folder / "etcd.log", "a")
        self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]})
        eventually(self._healthy, "etcd")

    def _healthy(self):
        assert self.process.poll() is None, (self.folder / "etcd.log").read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.client}/health", timeout=2) as answer:
                return b"true" in answer.read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def kill(self):
        """kill -9, as a power cut."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
