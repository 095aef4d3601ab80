"""The other end of `process.ProcessRuntime`: a process that loads one version and answers.

Nothing but the standard library is imported before the sandbox is entered.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError
from modelyard.runtimes.sandbox import Bounds, enter

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.frameworks import Framework
    from modelyard.runtimes.interface import Runtime
    from modelyard.runtimes.tensors import TensorRuntime
    from modelyard.runtimes.wire import Channel, Frame, Json

__all__ = ["ASKED", "main"]

ASKED = (
    "predict", "predict_proba", "transform", "decision_function", "score_samples",
)  # fmt: skip
"""Methods of a loaded object that may be called from outside."""


def main(argument: str, descriptor: int) -> None:
    """Serve a socket until the other end closes it."""
    connection = socket.socket(fileno=descriptor)
    refusal: ModelyardError | None = None
    layers: tuple[str, ...] = ()
    try:
        layers = enter(Bounds(**json.loads(argument)))
    except ModelyardError as error:
        refusal = error

    from modelyard.runtimes.wire import Channel, Frame

    channel = Channel(connection)
    try:
        if refusal is not None:
            channel.send(_told(refusal))
            return
        channel.send(Frame("hello", list(layers)))
        runtime = _Server(channel).serve()
        from modelyard.runtimes.tensor_child import answer_tensors

        answer_tensors(connection, runtime)
    except EOFError:
        return


class _Server:
    """Answers one frame after the other with `result` or `error`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._framework: Framework | None = None
        self._object: Any = None
        self._runtime: Runtime | None = None
        self._tensors: TensorRuntime | None = None

    def serve(self) -> TensorRuntime:
        """Until it is to answer as `tensor_child` does, with what it has loaded."""
        answers: dict[str, Callable[[Json], Json]] = {
            "load": self._load,
            "predict": self._predict,
            "call": self._call,
            "serve": self._serve,
        }
        while self._tensors is None:
            asked = self._channel.receive()
            self._answer(answers[asked.kind], asked.content)
        return self._tensors

    def _answer(self, answer: Callable[[Json], Json], content: Json) -> None:
        from modelyard.runtimes.wire import Frame

        try:
            self._channel.send(Frame("result", answer(content)))
        except EOFError:
            raise
        except Exception as error:
            self._channel.send(_told(error))

    def _load(self, content: Json) -> Json:
        from pathlib import Path

        from modelyard.core.trust import Trust
        from modelyard.frameworks import FolderFiles, Saved, named
        from modelyard.runtimes import runtime_of

        saved = Saved.decode(content["saved"])
        trust = Trust(frozenset(content["names"]), everything=content["everything"])
        self._framework = named(saved.framework)
        self._object = self._framework.load(FolderFiles(Path(content["folder"])), saved, trust)
        try:
            self._runtime = runtime_of(saved.framework, self._object, content["signature"])
        except Exception as error:
            if not content["object"]:
                raise
            return {"framework": saved.framework, "silent": str(error)[:200]}
        return _about(self._runtime)

    def _serve(self, content: Json) -> Json:
        from modelyard.runtimes.tensor_child import open_told, told_runtime

        tensors = open_told(content)
        told = told_runtime(tensors)
        self._tensors = tensors
        return told

    def _predict(self, content: Json) -> Json:
        from modelyard.core.table import Table
        from modelyard.errors import Unsupported
        from modelyard.runtimes.interface import why_no_output

        if self._runtime is None:
            raise Unsupported("no-runtime", "this object can't be asked for rows of a table")
        names, columns = content
        table = Table(dict(zip(names, columns, strict=True)))
        found = self._runtime.predict(table)
        outputs = {str(name): _plain(output) for name, output in found.outputs.items()}
        for name, output in outputs.items():
            if why := why_no_output(name, output, len(table)):
                raise ValueError(why)  # an honest model that errs; the parent looks again
        return [outputs, float(found.seconds)]

    def _call(self, content: Json) -> Json:
        from modelyard.errors import InvalidInput

        method, inputs = content
        if method == "params":
            return dict(self._framework.params(self._object)) if self._framework else {}
        if method == "structure":
            return list(self._framework.structure(self._object)) if self._framework else []
        asked = getattr(self._object, method, None) if method in ASKED else None
        if not callable(asked):
            raise InvalidInput(
                "no-method", f"this {type(self._object).__name__} has no {method}",
                hint=f"those that an isolated object may have: {', '.join(ASKED)}",
            )  # fmt: skip
        return _plain(asked(_inputs(inputs)))


def _about(runtime: Runtime) -> Json:
    about = runtime.about
    return {
        "framework": about.framework,
        "task": about.task,
        "classes": about.classes,
        "features": None if about.features is None else list(about.features),
        "signature": about.signature,
        "extra": {name: _plain(value) for name, value in about.extra.items()},
    }


def _inputs(content: Json) -> Any:
    """What a method is called with: an array, or a frame where names came with the columns."""
    if not isinstance(content, dict):
        return content
    from modelyard.core.table import Table

    return Table(dict(zip(content["names"], content["columns"], strict=True))).frame()


def _plain(value: Any) -> Json:
    """What a library returns as arrays: frames, sparse matrices and tensors too."""
    import numpy as np

    if value is None or isinstance(value, bool | int | float | str | np.ndarray):
        return np.asarray(value) if isinstance(value, np.ndarray) else value
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple) and any(isinstance(item, np.ndarray) for item in value):
        return [_plain(item) for item in value]
    if hasattr(value, "toarray"):
        return np.asarray(value.toarray())
    if hasattr(value, "to_numpy"):
        return np.asarray(value.to_numpy())
    if hasattr(value, "detach"):
        return np.asarray(value.detach().cpu().numpy())
    return np.asarray(value)


def _told(error: Exception) -> Frame:
    """An error as a frame: our own as they are, others by their class and first line."""
    from modelyard.runtimes.wire import Frame

    if isinstance(error, ModelyardError):
        content = [type(error).__name__, error.kind, error.message, error.hint]
        return Frame("error", content)
    if isinstance(error, MemoryError):
        return Frame("error", ["", "memory", "", None])
    lines = str(error).strip().splitlines()
    return Frame("error", ["", "", f"{type(error).__name__}: {lines[0] if lines else ''}", None])


def run() -> None:
    """What `process` starts: `-c CODE BOUNDS DESCRIPTOR`."""
    main(sys.argv[1], int(sys.argv[2]))
