"""The other end of `tensor_process`: answers requests with one loaded version until it is left."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import select
import sys
from typing import TYPE_CHECKING, Any, Final

from modelyard.errors import ModelyardError
from modelyard.runtimes.tensor_wire import ANSWER, ERROR, TensorWire

if TYPE_CHECKING:
    import socket

    from modelyard.runtimes.tensors import TensorRuntime, TensorSpec

__all__ = ["answer_tensors", "open_told", "told_runtime"]

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3


def open_told(content: Any) -> TensorRuntime:
    """Load what a frame `serve` describes."""
    from pathlib import Path

    from modelyard.core.trust import Trust
    from modelyard.frameworks import Saved
    from modelyard.runtimes.opening import open_here

    saved = Saved.decode(content["saved"])
    if saved.framework == "sklearn":
        _look_less()
    return open_here(
        Path(content["folder"]), saved,
        trust=Trust(frozenset(content["names"]), everything=content["everything"]),
        signature=content["signature"], threads=content["threads"],
    )  # fmt: skip


def _look_less() -> None:
    """Parameters of a fitted estimator do not change: scikit-learn need not check them each time.

    Rows are still looked at.
    """
    try:
        import sklearn
    except ImportError:  # loading says so in our words
        return
    sklearn.set_config(skip_parameter_validation=True)


def told_runtime(runtime: TensorRuntime) -> Any:
    """What the other end must know of it."""
    classes = getattr(runtime, "classes", None)
    plain = all(isinstance(item, bool | int | float | str) for item in classes or ())
    return {
        "framework": runtime.framework, "platform": runtime.platform,
        "inputs": [_told(spec) for spec in runtime.inputs],
        "outputs": [_told(spec) for spec in runtime.outputs],
        "rows": runtime.rows, "columns": runtime.columns,
        "classes": list(classes) if classes and plain else None,
    }  # fmt: skip


def _told(spec: TensorSpec) -> list[Any]:
    return [spec.name, spec.dtype, list(spec.shape), spec.optional]


def answer_tensors(connection: socket.socket, runtime: TensorRuntime) -> None:
    """Answer one request after the other. EOFError: the other end is gone."""
    reading, writing = select.poll(), select.poll()
    reading.register(connection, select.POLLIN)
    writing.register(connection, select.POLLOUT)

    def wait(to_write: bool) -> None:
        (writing if to_write else reading).poll()

    wire = TensorWire(connection, wait, borrows=True)
    _keep_memory()
    gc.collect()
    gc.freeze()  # what was loaded stays: collections need not walk over it
    while True:
        _, outputs, feeds = wire.receive()
        try:
            found = runtime.run(feeds, outputs)
            wire.send(ANSWER, None, found)
        except EOFError:
            raise
        except Exception as error:
            wire.send(ERROR, _error(error), {})


def _keep_memory() -> None:
    """Let freed arrays be used again: given back to the kernel, they cost a fault for each page."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(AttributeError, OSError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, 128 << 20)
        library.mallopt(_MMAP_THRESHOLD, 32 << 20)


def _error(error: Exception) -> list[str | None]:
    if isinstance(error, ModelyardError):
        return [type(error).__name__, error.kind, error.message, error.hint]
    lines = str(error).strip().splitlines()
    return ["", "", f"{type(error).__name__}: {lines[0] if lines else ''}", None]
