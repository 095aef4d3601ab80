"""`yard` without its start: a process that has imported everything forks one for each call.

The documents call `yard` hundreds of times, and most of the time of each call would be imports. A
fork differs from a process of its own in nothing that a command can see: it has the caller's
arguments, environment, working folder and streams. What the imports themselves do is tested where
commands run as processes (tests/integration/cli, and the README).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

__all__ = ["forked_yard"]

ROOT = Path(__file__).resolve().parents[2]
_SHIM = """#!{python} -IS
import array, json, os, socket, sys
call = socket.socket(socket.AF_UNIX)
call.connect({place!r})
said = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
call.sendmsg(
    [len(said).to_bytes(4, "little")],
    [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))],
)
call.sendall(said)
sys.exit(int(call.recv(16) or b"70"))
"""


@contextmanager
def forked_yard(folder):
    """A folder for the PATH, with a `yard` in it."""
    place = folder / "fork.socket"
    environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, __file__, str(place)], cwd=ROOT, env=environ)
    programs = folder / "programs"
    programs.mkdir(parents=True)
    shim = programs / "yard"
    shim.write_text(_SHIM.format(python=sys.executable, place=str(place)))
    shim.chmod(0o755)
    try:
        for _ in range(600):
            if place.exists():
                break
            assert process.poll() is None, "the process to fork from has died"
            time.sleep(0.05)
        yield programs
    finally:
        process.kill()
        process.wait()


def _serve(place):
    import modelyard.catalog.engine
    import modelyard.cli.root
    import modelyard.formats
    import modelyard.registry.commit
    import modelyard.registry.local

    assert modelyard.cli.root
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{place}.part")
        listening.listen(64)
        os.rename(f"{place}.part", place)
        while True:
            call, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(call)
            call.close()


def _answer(call):
    """In a process of its own: fork the command, and tell its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, streams, *_ = socket.recv_fds(call, 4, 3)
    said = b""
    while len(said) < int.from_bytes(head, "little"):
        said += call.recv(1 << 16)
    arguments, cwd, environ = json.loads(said)
    worker = os.fork()
    if worker == 0:
        call.close()
        _run(arguments, cwd, environ, streams)
    _, status = os.waitpid(worker, 0)
    call.sendall(str(os.waitstatus_to_exitcode(status) % 256).encode())
    os._exit(0)


def _run(arguments, cwd, environ, streams):
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        if stream > 2:
            os.close(stream)
    # new ones: those of this process remember where the old streams stood
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, buffering=1 if number == 2 else -1, encoding="utf-8", closefd=False)  # noqa: SIM115
        for number, mode in enumerate(("r", "w", "w"))
    )
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["yard", *arguments]
    code = 0
    try:
        from modelyard.cli import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
