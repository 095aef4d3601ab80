"""What the tests of stores in databases share: servers of their own, puts from other processes."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.services.kinds import SERVICES, as_user

_PUTS = str(Path(__file__).with_name("far_puts.py"))


class PrivateServer:
    """A service that one test alone uses, so that it may be killed, with settings of its own."""

    def __init__(self, name, *settings):
        self.service, self.settings = SERVICES[name], settings
        self.program = self.service.program()
        self.folder = Path(tempfile.mkdtemp(prefix=f"yard-private-{name}-"))
        if as_user(self.service):
            shutil.chown(self.folder, self.service.user, self.service.user)
        self.service.prepare(self.program, self.folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    @property
    def url(self):
        return self.service.address(self.port)

    def start(self):
        command = [*self.service.command(self.program, self.folder, self.port), *self.settings]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, cwd="/",
                **as_user(self.service),
            )  # fmt: skip
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert self.process.poll() is None, (self.folder / "log").read_text()[-1000:]
            with contextlib.suppress(OSError):
                if self.service.healthy(self.port):
                    return
            time.sleep(0.05)
        raise AssertionError(f"{self.service.name} does not answer")

    def kill(self):
        """All its processes at once, as a crash of the machine would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.folder)


def puts(url, size, count=1):
    """Another process that puts `size` bytes as "big", `count` times. It prints when it begins."""
    return subprocess.Popen(
        [sys.executable, _PUTS, url, str(size), str(count)], stdout=subprocess.PIPE, text=True
    )


def killed_in_the_middle(url, size, has_begun):
    """SIGKILL for a process that puts, as soon as `has_begun()` tells of its first bytes."""
    process = puts(url, size)
    assert process.stdout.readline() == "ready\n"
    until = time.monotonic() + 60
    while not has_begun():
        assert process.poll() is None
        assert time.monotonic() < until
    process.kill()
    process.communicate()
