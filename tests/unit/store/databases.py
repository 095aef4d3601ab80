"""What the tests of stores in databases share: puts from other processes."""

import subprocess
import sys
import threading
import time
from pathlib import Path

_PUTS = str(Path(__file__).with_name("far_puts.py"))


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


def puts_while(backend, content, crash):
    """Puts on and on, while `crash()` is called twice; gives what was acknowledged."""
    acknowledged, stop = [], threading.Event()

    def put_on():
        number = 0
        while not stop.is_set():
            backend.put(f"k/{number}", content[: len(content) // 4 + number])
            acknowledged.append(number)
            number += 1

    def wait_for_more():
        seen, until = len(acknowledged), time.monotonic() + 60
        while len(acknowledged) < seen + 3:
            assert writer.is_alive()
            assert time.monotonic() < until
            time.sleep(0.01)

    writer = threading.Thread(target=put_on)
    writer.start()
    try:
        wait_for_more()
        for _ in range(2):
            crash()
            wait_for_more()
    finally:
        stop.set()
        writer.join()
    return {f"k/{number}": content[: len(content) // 4 + number] for number in acknowledged}
