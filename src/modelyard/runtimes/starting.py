"""Child processes that live as long as this process at most.

The kernel kills a child when the *thread* that started it ends (prctl(2), PR_SET_PDEATHSIG).
Threads of a pool come and go, so one thread that lives until the process ends starts all children.
It also sees to it that what they write to stderr stays small.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from modelyard.runtimes.words import trim_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["start", "start_code"]

_KEPT: Final = (
    "TZ", "KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS", "CUDA_VISIBLE_DEVICES",
    "NPY_DISABLE_CPU_FEATURES",
)  # fmt: skip
_KEPT_PREFIXES: Final = ("OPENBLAS_", "OMP_", "MKL_", "KMP_", "GOMP_")
"""Variables of this process that a child gets: they change the last bits of what it computes."""
_KEPT_IF_TRUSTED: Final = ("LD_LIBRARY_PATH", "CUDA_HOME")
_THREADS: Final = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "LOKY_MAX_CPU_COUNT",
)  # fmt: skip
_EVERY: Final = 1.0
_CODE: Final = (
    "import sys, json; sys.path += [p for p in json.loads(sys.argv[3]) if p not in sys.path];"
    "from modelyard.runtimes.child import run; run()"
)

_Job = tuple["Callable[[], subprocess.Popen[bytes]]", "Future[subprocess.Popen[bytes]]"]
_jobs: SimpleQueue[_Job] = SimpleQueue()
_starter: threading.Thread | None = None
_lock = threading.Lock()


def start(
    bounds: Mapping[str, object],
    descriptor: int,
    *,
    threads: int | None,
    errors: int,
    environment: Path | None = None,
) -> subprocess.Popen[bytes]:
    """A new Python that serves a socket after it has given up its rights.

    It imports nothing of this process' program and inherits nothing but the socket.

    Args:
        bounds: `sandbox.Bounds` as a mapping.
        errors: Where its stderr goes: a file descriptor.
        environment: Whose Python and packages it gets, as `environments` made it.
    """
    isolated = bool(bounds["isolated"])
    scratch = str(bounds["scratch"])
    python = sys.executable if environment is None else str(environment / "bin" / "python")
    paths = _paths(isolated) if environment is None else [str(environment / "own")]
    arguments = [
        python, "-I", "-c", _CODE,
        json.dumps(dict(bounds)), str(descriptor), json.dumps(paths),
    ]  # fmt: skip

    def begin() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            arguments, env=_environment(scratch, threads, isolated), cwd=scratch,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
            pass_fds=(descriptor,), start_new_session=True,
        )  # fmt: skip

    return _begun(begin)


def start_code(
    code: str,
    arguments: Sequence[str],
    descriptors: Sequence[int],
    *,
    scratch: Path,
    threads: int | None,
    errors: int,
) -> subprocess.Popen[bytes]:
    """A new Python that runs code of ours, with no variable that could hold a secret.

    The order of its sets of texts is the same in every run.

    Args:
        code: Finds modules as this process does, once it has put `sys.argv[1]` (a JSON list) into
            `sys.path`.
        arguments: From `sys.argv[2]` on.
        descriptors: What it inherits beside `errors`.
        scratch: An empty folder: its home and working directory.
    """
    command = [sys.executable, "-s", "-P", "-c", code, json.dumps(_paths(isolated=False))]
    variables = _environment(str(scratch), threads, isolated=False) | {"PYTHONHASHSEED": "0"}

    def begin() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*command, *arguments], env=variables, cwd=scratch, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=errors, pass_fds=tuple(descriptors),
            start_new_session=True,
        )  # fmt: skip

    return _begun(begin)


def _begun(begin: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    done: Future[subprocess.Popen[bytes]] = Future()
    _ensure_starter()
    _jobs.put((begin, done))
    return done.result()


def _paths(isolated: bool) -> list[str]:
    """Where a child looks for modules: as here, or only for modelyard beside its own."""
    own = str(Path(__file__).resolve().parents[2])
    if isolated:
        return [own]
    return [own, *(os.path.abspath(path) for path in sys.path)]


def _environment(scratch: str, threads: int | None, isolated: bool) -> dict[str, str]:
    """No variable that could hold a secret."""
    kept = _KEPT if isolated else (*_KEPT, *_KEPT_IF_TRUSTED)
    made = {
        "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": scratch, "TMPDIR": scratch,
        "USER": "model", "LOGNAME": "model", "TF_CPP_MIN_LOG_LEVEL": "3",
        "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    if isolated:  # joblib would complain that it can't make semaphores
        made["JOBLIB_MULTIPROCESSING"] = "0"
    made |= {
        name: value
        for name, value in os.environ.items()
        if name in kept or name.startswith(_KEPT_PREFIXES)
    }
    if threads is not None:
        made |= dict.fromkeys(_THREADS, str(threads))
    return made


def _ensure_starter() -> None:
    global _starter
    with _lock:
        if _starter is None or not _starter.is_alive():
            _starter = threading.Thread(target=_work, name="modelyard-starter", daemon=True)
            _starter.start()


def _work() -> None:
    while True:
        seconds = _EVERY if trim_words() else None
        try:
            begin, done = _jobs.get(timeout=seconds)
        except Empty:
            continue
        try:
            done.set_result(begin())
        except Exception as error:
            done.set_exception(error)


def _forget() -> None:
    """A forked process has no such thread."""
    global _starter, _jobs, _lock
    _starter, _jobs, _lock = None, SimpleQueue(), threading.Lock()


os.register_at_fork(after_in_child=_forget)
