"""A runtime in a process of its own, with limits: what `isolated` and evaluation ask.

The child can crash, hang, eat memory or lie; this process gets an error of ours, and goes on.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from modelyard import errors
from modelyard.errors import Corrupt, Unavailable
from modelyard.formats.reading import printable
from modelyard.runtimes.interface import About, Prediction, why_no_output
from modelyard.runtimes.starting import start
from modelyard.runtimes.watch import Exceeded, Watch
from modelyard.runtimes.wire import Channel, Frame, Json
from modelyard.runtimes.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.table import Table
    from modelyard.core.trust import Trust
    from modelyard.frameworks import Saved

__all__ = ["Limits", "ProcessRuntime", "open_process", "spawn_runtime"]

_KIND: Final = re.compile(r"[a-z][a-z0-9-]{1,40}")
_LONGEST: Final = 8000
_CLASSES: Final = {
    made.__name__: made
    for made in (
        errors.InvalidInput, errors.NotFound, errors.Conflict, errors.Denied,
        errors.Unavailable, errors.Corrupt, errors.Unsupported,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a child may take."""

    seconds: float = 600.0
    """Wall time of one call, and of loading."""
    memory: int | None = 8 << 30
    """Bytes of memory; None leaves it to the machine."""
    threads: int | None = None
    """Threads of the numeric libraries; None is their own choice."""
    answer: int = 1 << 30
    """Bytes of arrays that one answer may have."""
    scratch: int = 1 << 30
    """Bytes that an isolated child may keep in its temporary folder."""
    network: bool = False
    environment: Path | None = None
    """Whose Python and packages the child gets, as `environments.environment_of` made it."""
    isolated: bool = False
    """For foreign files: see docs/guides/trust.md."""


def spawn_runtime(
    folder: Path,
    saved: Saved,
    *,
    trust: Trust,
    signature: Any = None,
    limits: Limits = Limits(),
) -> ProcessRuntime:
    """Load a version in a child process and make it answer.

    Args:
        folder: The version's files.
        saved: How they were saved.
        trust: What they may run, in the child.

    Raises:
        Unsupported: `no-isolation`: `limits.isolated` isn't possible on this system.
        Unavailable: `model-died`, `model-timeout`, `model-failed` while it loads.
        ModelyardError: Whatever `Framework.load` raises.
    """
    return open_process(folder, saved, trust=trust, signature=signature, limits=limits, whole=False)


def open_process(
    folder: Path, saved: Saved, *, trust: Trust, signature: Any, limits: Limits, whole: bool
) -> ProcessRuntime:
    """As `spawn_runtime`.

    Args:
        whole: The object itself is wanted, whether or not a runtime can ask it.
    """
    runtime = ProcessRuntime(folder, limits)
    try:
        runtime.load(saved, trust, signature, whole=whole)
    except BaseException:
        runtime.close()
        raise
    return runtime


class ProcessRuntime:
    """One version in a child process. Safe to share by threads, which take turns."""

    about: About

    def __init__(self, folder: Path, limits: Limits) -> None:
        """Start a child that has loaded nothing yet. Raises as `spawn_runtime`."""
        self._limits = limits
        self._folder = folder.resolve()
        self._lock = threading.Lock()
        self._scratch = tempfile.mkdtemp(prefix="modelyard-")
        self._words = None if limits.isolated else Words()
        self._socket, theirs = socket.socketpair()
        self._channel = Channel(self._socket, limit=limits.answer)
        self._reason: str | None = None
        try:
            self._process = start(
                self._bounds(), theirs.fileno(), threads=limits.threads,
                errors=subprocess.DEVNULL if self._words is None else self._words.fileno(),
                environment=limits.environment,
            )  # fmt: skip
        except OSError as error:
            self._socket.close()
            shutil.rmtree(self._scratch)
            raise Unavailable("no-process", f"no process could be started: {error}") from None
        finally:
            theirs.close()
        self._socket.settimeout(0.05)
        self._end = weakref.finalize(
            self, _end, self._process, self._socket, self._scratch, self._words
        )
        self.layers: tuple[str, ...] = ()
        """What the child gave up: `limits`, `namespaces`, `landlock`, `seccomp`, `no-network`."""
        try:
            self.layers = tuple(map(str, self._checked(self._receive(self._watch()), "hello")))
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked again."""
        return self._end.alive and not _has_ended(self._process)

    def load(self, saved: Saved, trust: Trust, signature: Any = None, *, whole: bool) -> None:
        """Load the version's object. Called once, by `spawn_runtime`."""
        content = {
            "folder": str(self._folder), "saved": saved.encode(), "signature": signature,
            "names": sorted(trust.names), "everything": trust.everything, "object": whole,
        }  # fmt: skip
        self.about = _about(self._ask("load", content), self._refuse)

    def serve(self, content: Json) -> Json:
        """Load a version that is asked by `tensor_process` from now on; what it says of itself."""
        return self._ask("serve", content)

    @property
    def connection(self) -> socket.socket:
        """For who asks it after `serve`."""
        return self._socket

    @property
    def largest(self) -> int:
        """Bytes of arrays that one answer may have: no more than the child has memory for."""
        return self._limits.memory or self._limits.answer

    @property
    def open(self) -> bool:
        """Whether nobody has closed it or seen it end."""
        return self._end.alive

    def predict(self, inputs: Table) -> Prediction:
        """As `Runtime.predict`; `seconds` is what the model took inside of the child.

        Raises:
            Unavailable: `model-died`, `model-timeout`, `model-failed`.
            Corrupt: `bad-frame`: the child sent garbage; it has been stopped.
        """
        import numpy as np

        content = [list(inputs.columns), [np.asarray(c) for c in inputs.columns.values()]]
        found = self._ask("predict", content)
        if not (isinstance(found, list) and len(found) == 2 and isinstance(found[0], dict)):
            self._refuse()
        outputs, seconds = found
        if not all(isinstance(name, str) for name in outputs) or not _is_time(seconds):
            self._refuse()
        for name, array in outputs.items():
            if not isinstance(array, np.ndarray) or why_no_output(name, array, len(inputs)):
                self._refuse()
        return Prediction(outputs, float(seconds))

    def call(self, method: str, inputs: Any = None) -> Json:
        """One of the methods of `child.ASKED`, `params` or `structure`; arrays in and out."""
        return self._ask("call", [method, inputs])

    def close(self) -> None:
        """Stop the child. It may be called again."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ProcessRuntime {self.pid}{'' if self.alive else ', ended'}>"

    # -- one question, one answer ------------------------------------------------------------

    def _ask(self, kind: str, content: Json) -> Json:
        with self._lock:
            if not self._end.alive:
                raise self.gone()
            watch = self._watch()
            with self._awake():
                try:
                    self._send(Frame(kind, content), watch)
                    answer = self._receive(watch)
                except (KeyboardInterrupt, SystemExit):
                    self._reason = "its call was interrupted"  # the next would get its answer
                    self._end()
                    raise
            return self._checked(answer, "result")

    def _send(self, frame: Frame, watch: Watch) -> None:
        try:
            self._channel.send(frame, watch)
        except EOFError:
            self.fail()
        except Exceeded as error:
            self.stop(error)

    def _receive(self, watch: Watch) -> Frame:
        try:
            return self._channel.receive(watch)
        except EOFError:
            self.fail()
        except Exceeded as error:
            self.stop(error)
        except Corrupt:
            self._end()
            raise

    def _checked(self, answer: Frame, kind: str) -> Json:
        if answer.kind == "error":
            self.refused(answer.content)
        if answer.kind != kind:
            self._refuse()
        return answer.content

    def refused(self, content: Json) -> NoReturn:
        """The child's error as one of ours. What it says is foreign text."""
        if not (isinstance(content, list) and len(content) == 4):
            self._refuse()
        name, kind, message, hint = content
        if not (isinstance(name, str) and isinstance(kind, str) and isinstance(message, str)):
            self._refuse()
        if name in _CLASSES and _KIND.fullmatch(kind):
            told = printable(hint, _LONGEST) if isinstance(hint, str) else None
            raise _CLASSES[name](kind, printable(message, _LONGEST), hint=told)
        if kind == "memory":
            raise Unavailable(
                "model-failed", f"the model wanted more memory than {_amount(self._limits.memory)}",
                hint="raise its memory limit, or give it fewer rows at once",
            )  # fmt: skip
        raise Unavailable("model-failed", f"the model failed: {printable(message, 500)}")

    # -- the end of a child ------------------------------------------------------------------

    def fail(self) -> NoReturn:
        """Nobody answers any more: say why."""
        if not self._end.alive:
            raise self.gone()
        deadline = time.monotonic() + 1
        while not (ended := _has_ended(self._process)) and time.monotonic() < deadline:
            time.sleep(0.01)
        words = self._last_words()
        self._end()
        self._reason = _why(self._process.returncode if ended else None, words)
        raise self.gone()

    def stop(self, exceeded: Exceeded) -> NoReturn:
        self._end()
        self._reason = f"it was stopped: {exceeded}"
        if exceeded.of_time:
            raise Unavailable(
                "model-timeout", f"the model took longer than its limit of {exceeded}",
                hint="raise the limit, or give it fewer rows at once",
            )  # fmt: skip
        raise self.gone()

    def _refuse(self) -> NoReturn:
        self._end()
        raise Corrupt(
            "bad-frame", "the model's process sent something that is no answer",
            hint="don't use this version: what it runs is not what a model runs",
        )  # fmt: skip

    def gone(self) -> Unavailable:
        reason = self._reason or "it was closed"
        return Unavailable(
            "model-died", f"the model's process has ended: {reason}", hint="load the version again"
        )

    def _last_words(self) -> str:
        """The last line that a trusted model wrote to stderr; foreign ones have none."""
        return "" if self._words is None else self._words.last()

    # -- what it is given --------------------------------------------------------------------

    def _bounds(self) -> dict[str, object]:
        return {
            "parent": os.getpid(), "folder": str(self._folder), "scratch": self._scratch,
            "memory": self._limits.memory, "network": self._limits.network,
            "isolated": self._limits.isolated,
        }  # fmt: skip

    def _watch(self) -> Watch:
        limits = self._limits
        return Watch(
            self._process.pid, seconds=limits.seconds, memory=limits.memory,
            scratch=(self._scratch, limits.scratch) if limits.isolated else None,
        )  # fmt: skip

    @contextlib.contextmanager
    def _awake(self) -> Iterator[None]:
        """A foreign model runs while it is asked, and at no other time."""
        if not self._limits.isolated:
            yield
            return
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._signal(signal.SIGSTOP)

    def _signal(self, number: int) -> None:
        if self.alive:
            os.kill(self._process.pid, number)


def _is_time(seconds: Json) -> bool:
    return type(seconds) in (int, float) and 0 <= seconds < math.inf


def _about(content: Json, refuse: Any) -> About:
    import numpy as np

    if not isinstance(content, dict) or not isinstance(content.get("framework"), str):
        refuse()
    classes, features = content.get("classes"), content.get("features")
    extra, task = content.get("extra"), content.get("task")
    return About(
        framework=content["framework"],
        task=task if isinstance(task, str) else None,
        classes=classes if isinstance(classes, np.ndarray) else None,
        features=tuple(map(str, features)) if isinstance(features, list) else None,
        signature=content.get("signature"),
        extra=extra if isinstance(extra, dict) else {},
    )


def _end(
    process: subprocess.Popen[bytes],
    connection: socket.socket,
    scratch: str,
    words: Words | None,
) -> None:
    """Kill, wait, clean up. There is nothing in a child that would be lost.

    It has a session of its own, so its group is what it started: workers of joblib, programs.
    """
    connection.close()
    if words is not None:
        words.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    try:
        shutil.rmtree(scratch)
    except (OSError, RecursionError):  # folders in folders, deeper than Python can follow
        subprocess.run(["rm", "-rf", "--", scratch], check=False, capture_output=True)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has, without taking its last breath: until then no other can get its number."""
    if sys.platform != "linux":
        return process.poll() is not None
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # this program ignores SIGCHLD
        return True


def _why(code: int | None, words: str) -> str:
    if code is None:
        return "it closed its connection"
    said = f" ({words})" if words else ""
    if code == -signal.SIGKILL:
        return "it was killed, probably because the machine had no memory left" + said
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"it crashed ({signal.Signals(-code).name})" + said
    return f"it left with code {code}" + said


def _amount(memory: int | None) -> str:
    return "there is" if memory is None else f"its limit of {memory / 1e9:.1f} GB"
