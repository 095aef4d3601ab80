"""A served version in a child process of its own: small, quick to ask, and missed at once."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from modelyard.core.decoding import converted
from modelyard.errors import InvalidInput
from modelyard.runtimes.process import Limits, ProcessRuntime
from modelyard.runtimes.tensor_packing import bad_frame
from modelyard.runtimes.tensor_wire import ANSWER, ASK, ERROR, TensorWire
from modelyard.runtimes.tensors import TensorSpec
from modelyard.runtimes.watch import Exceeded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from modelyard.core.trust import Trust
    from modelyard.frameworks import Saved
    from modelyard.runtimes.tensors import Array

__all__ = ["ProcessTensors", "open_child"]

_SECONDS: Final = 300.0
"""Of one call at most: who hangs longer is killed. Callers usually give it less."""
_LOADING: Final = 600.0


def open_child(
    folder: Path,
    saved: Saved,
    *,
    trust: Trust,
    signature: Any,
    threads: int,
    memory: int,
    environment: Path | None = None,
) -> ProcessTensors:
    """Load a version in a child process. Raises as `opening.open_version`.

    Args:
        environment: Whose Python and packages it gets, as `environments` made it.
    """
    limits = Limits(seconds=_LOADING, memory=memory, threads=threads, environment=environment)
    process = ProcessRuntime(folder, limits)
    content = {
        "folder": str(folder.resolve()), "saved": saved.encode(), "signature": signature,
        "names": sorted(trust.names), "everything": trust.everything, "threads": threads,
    }  # fmt: skip
    try:
        told = process.serve(content)
        return ProcessTensors(process, told)
    except BaseException:
        process.close()
        raise


class _Told(msgspec.Struct):
    framework: str
    platform: str
    inputs: list[tuple[str, str, tuple[int, ...], bool]]
    outputs: list[tuple[str, str, tuple[int, ...], bool]]
    rows: bool
    columns: bool
    classes: list[bool | int | float | str] | None = None


class ProcessTensors:
    """A `TensorRuntime` in a child process. Threads that share it take turns."""

    parallel: bool = False

    def __init__(self, process: ProcessRuntime, told: Any) -> None:
        """
        Args:
            process: One that serves by now.
            told: What it says of itself.

        Raises:
            Corrupt: `bad-frame`.
        """
        try:
            facts = converted(told, _Told)
        except msgspec.ValidationError:
            raise bad_frame() from None
        self.framework = facts.framework
        self.platform = facts.platform
        self.inputs = tuple(TensorSpec(*spec) for spec in facts.inputs)
        self.outputs = tuple(TensorSpec(*spec) for spec in facts.outputs)
        self.rows = facts.rows
        self.columns = facts.columns
        self.classes = None if facts.classes is None else tuple(facts.classes)
        self.pid: int | None = process.pid
        self._process = process
        self._lock = threading.Lock()
        self._limit = _SECONDS
        self._deadline = 0.0
        connection = process.connection
        self._wire = TensorWire(connection, self._wait, limit=process.largest, lends=True)
        self.ended: int | None = _pidfd(process.pid)
        """A file descriptor that can be read from once the process has ended, for event loops;
        None where the system has none: there the socket tells, when it is asked again."""
        self._reading = self._poll(connection.fileno(), select.POLLIN)
        self._writing = self._poll(connection.fileno(), select.POLLOUT)

    @property
    def alive(self) -> bool:
        """Whether it can be asked again."""
        return self._process.alive

    def run(
        self,
        feeds: Mapping[str, Array],
        outputs: Sequence[str] | None = None,
        seconds: float | None = None,
    ) -> dict[str, Array]:
        with self._lock:
            if not self._process.open:
                raise self._process.gone()
            self._limit = _SECONDS if seconds is None else min(seconds, _SECONDS)
            self._deadline = time.monotonic() + self._limit
            try:
                self._wire.send(ASK, None if outputs is None else list(outputs), feeds)
                kind, content, found = self._wire.receive()
            except EOFError:
                self._process.fail()
            except Exceeded as error:
                self._process.stop(error)
            except TypeError as error:  # nothing was sent
                raise InvalidInput("bad-inputs", str(error)) from None
            except BaseException:  # the next would get its answer
                self._process.close()
                raise
        if kind == ANSWER:
            return found
        if kind == ERROR:
            self._process.refused(content)
        self._process.close()
        raise bad_frame()

    def close(self) -> None:
        self._process.close()
        with self._lock:  # who waits for an answer learns that there will be none
            self._wire.close()
            ended, self.ended = self.ended, None
            if ended is not None:
                os.close(ended)

    def _wait(self, writing: bool) -> None:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise Exceeded(f"{self._limit:.3g} seconds", of_time=True)
        ready = (self._writing if writing else self._reading).poll(seconds * 1000)
        if len(ready) == 1 and ready[0][0] == self.ended:
            raise EOFError

    def _poll(self, descriptor: int, event: int) -> select.poll:
        made = select.poll()
        made.register(descriptor, event)
        if self.ended is not None:
            made.register(self.ended, select.POLLIN)
        return made


def _pidfd(pid: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # it has ended already, or the C library is an old one
        return None
