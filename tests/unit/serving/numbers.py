"""Runtimes of plain numpy, for what serves them: fast, slow, moody."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.errors import InvalidInput, Unavailable
from modelyard.runtimes.tensors import TensorSpec
from modelyard.serving.executors import Inline, Pace
from modelyard.serving.interface import Client, Served, Slot
from modelyard.serving.plane import Plane
from modelyard.serving.routes import line_of

Array = np.ndarray[Any, Any]


@dataclass
class Doubling:
    """Gives `y`, twice `x`; after so many seconds."""

    seconds: float = 0.0
    per_row: float = 0.0
    rows: bool = True
    parallel: bool = True
    pid: int | None = None
    columns: bool = False
    dies: bool = False
    framework: str = "onnx"
    platform: str = "numpy"
    inputs: tuple[TensorSpec, ...] = (TensorSpec("x", "float32", (-1, 2)),)
    outputs: tuple[TensorSpec, ...] = (TensorSpec("y", "float32", (-1, 2)),)
    batches: list[int] = field(default_factory=list)
    closed: bool = False
    threads: set[int] = field(default_factory=set)

    def run(self, feeds: Any, outputs: Any = None, seconds: Any = None) -> dict[str, Array]:
        x = feeds["x"]
        self.threads.add(threading.get_ident())
        self.batches.append(len(x))
        if self.dies:
            raise Unavailable("model-died", "the model's process has ended")
        if np.isnan(x).any():
            raise InvalidInput("bad-inputs", "the model takes no gaps")
        if wait := self.seconds + self.per_row * len(x):
            time.sleep(wait)
        return {"y": x * 2}

    def close(self) -> None:
        self.closed = True


class Everybody:
    """Lets all in, as one client."""

    client = Client("1", "ann")

    def known(self, headers: Any, address: Any, line: Any) -> Client:
        return self.client

    async def look(self, headers: Any, address: Any, line: Any) -> Client:
        return self.client

    def reads(self, headers: Any, address: Any, line: Any) -> bool:
        return True

    async def may(self, headers: Any, address: Any, line: Any, role: Any) -> None:
        return None


def served(runtime: Any, executor: Any = None, number: int = 1) -> Served:
    """A runtime as the plane sees it; on the event loop unless told otherwise."""
    executor = executor or Inline(runtime, Pace(1e-6, 4096, 1), most=4096)
    return Served(
        "m", number, f"{number:040x}", runtime.framework, runtime.platform, runtime.inputs,
        runtime.outputs, runtime.rows, runtime.columns, executor,
    )  # fmt: skip


def slot(one: Served | None, number: int = 1, wake: Any = None) -> Slot:
    """Its place."""

    async def never() -> Served:
        raise Unavailable("not-ready", "it can't be woken")

    state: Any = "ready" if one else "asleep"
    return Slot("m", number, f"{number:040x}", wake or never, one, state)


def plane_of(*slots: Slot, name: str = "double", **spec: Any) -> Plane:
    """A plane with one line: all share alike, or as `percents` says; shadows by `shadows`."""
    percents = spec.pop("percents", [100 / len(slots)] * len(slots))
    shadows = spec.pop("shadows", ())
    shares = [
        Share(model="m", revision=str(one.number), percent=percent)
        for one, percent in zip(slots, percents, strict=True)
    ] + [
        Share(model="m", revision=str(one.number), percent=percent, shadow=True)
        for one, percent in shadows
    ]
    wished = DeploymentSpec(name=name, shares=tuple(shares), **spec)
    plane = Plane(Everybody())
    plane.put(line_of(wished, 1, [*slots, *(one for one, _ in shadows)]))
    return plane
