"""A data plane in the test's own process, over a yard with small models."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.deployment import DeploymentSpec, Limits, Share
from modelyard.serving.app import PlaneApp
from modelyard.serving.engines.embedded import Embedded
from modelyard.serving.gates import OpenGate
from modelyard.serving.life import Life
from modelyard.serving.plane import Plane
from modelyard.serving.slots import Slots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from modelyard.core.deployment import Deployment, ServedVersion
    from modelyard.registry.local import LocalYard

__all__ = ["Here", "Said", "broken", "here", "plus", "spec_of"]


def plus(folder: Path, number: float, *, size: int = 0) -> Path:
    """A model that adds a number to what it is given, so that answers tell who gave them.

    Args:
        size: Numbers of a weight that it has beside, and uses for nothing that shows.
    """
    from onnx import TensorProto, numpy_helper

    helper = _helper()
    nodes = [helper.make_node("Add", ["x", "b"], ["y" if not size else "s"])]
    weights = [numpy_helper.from_array(np.array([number], np.float32), "b")]
    if size:
        weights.append(numpy_helper.from_array(np.ones(size, np.float32), "w"))
        nodes += [
            helper.make_node("ReduceMin", ["w"], ["least"], keepdims=0),
            helper.make_node("Mul", ["s", "least"], ["y"]),
        ]
    return _written(folder, nodes, weights, TensorProto.FLOAT)


def broken(folder: Path) -> Path:
    """A model with an operator that nobody has."""
    from onnx import TensorProto

    return _written(folder, [_helper().make_node("NoSuch", ["x"], ["y"])], [], TensorProto.FLOAT)


def _helper() -> Any:
    from onnx import helper

    return helper


def _written(folder: Path, nodes: list[Any], weights: list[Any], kind: int) -> Path:
    import onnx

    helper = _helper()
    graph = helper.make_graph(
        nodes, "plus",
        [helper.make_tensor_value_info("x", kind, ["n", 1])],
        [helper.make_tensor_value_info("y", kind, ["n", 1])],
        weights,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    return folder


def spec_of(name: str, *sources: str, **options: Any) -> DeploymentSpec:
    """`spec_of("own", "m@1", "m@2=5", "m@3~10")`: stable, a canary of 5 %, a shadow of 10 %."""
    shares, left = [], 100.0
    for source in sources[::-1]:
        shadow, wished = "~" in source, "=" in source
        text, _, percent = source.partition("~" if shadow else "=")
        model, _, revision = text.partition("@")
        part = float(percent) if percent else left
        if wished:
            left -= part
        shares.append(Share(model=model, revision=revision, percent=part, shadow=shadow))
    limits = options.pop("limits", Limits())
    return DeploymentSpec(name=name, shares=tuple(shares[::-1]), limits=limits, **options)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    status: int
    version: str | None
    value: float | None
    text: str
    seconds: float


class Here:
    """Everything of one process."""

    def __init__(self, yard: LocalYard, *, budget: int | None = None, name: str = "here") -> None:
        from modelyard.server.serving import Pace, Wishes

        self.yard = yard
        self.plane = Plane(OpenGate())
        self.app = PlaneApp(self.plane)
        self.loads: list[Any] = []
        self.hinder: Callable[[Any], Awaitable[None]] | None = None
        """Awaited before each load: it may take time, or fail."""
        self.slots = Slots({"embedded": self._engine}, budget=budget)
        wishes = Wishes(yard.house, name, Pace(self.plane.statistics))
        self.life = Life(self.plane, self.slots, wishes, server=name)

    def _engine(self) -> Any:
        outer = self

        class Counted(Embedded):
            """Remembers what it loaded."""

            async def _load(self, wanted: Any) -> Any:
                outer.loads.append(wanted)
                if outer.hinder is not None:
                    await outer.hinder(wanted)
                return await super()._load(wanted)

        self.engine = Counted(self.yard.desk, died=self.slots.died)
        return self.engine

    async def ask(self, name: str, version: str | None = None, value: float = 0.0) -> Said:
        """Predict one row."""
        body = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [value]}]}
        place = f"/versions/{version}" if version else ""
        begun = time.perf_counter()
        status, text = await self.send("POST", f"/v2/models/{name}{place}/infer", body)
        seconds = time.perf_counter() - begun
        if status != 200:
            return Said(status, None, None, text, seconds)
        told = json.loads(text)
        return Said(status, told["model_version"], told["outputs"][0]["data"][0], text, seconds)

    async def send(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """A request to the ASGI application, as a server hands it over."""
        content = b"" if body is None else json.dumps(body).encode()
        scope = {
            "type": "http", "method": method, "path": path, "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"content-length", b"%d" % len(content))],
            "client": ("127.0.0.1", 1), "scheme": "http",
        }  # fmt: skip
        told: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        await self.app(scope, receive, send)
        text = b"".join(message.get("body", b"") for message in told[1:]).decode()
        return told[0]["status"], text

    async def deploy(self, spec: DeploymentSpec) -> Deployment:
        """As the API of the same process does it; waits until it is true, or has failed."""
        made = await asyncio.to_thread(self.yard.deployments.apply, spec)
        await self.changed(made)
        return made

    async def changed(self, made: Deployment) -> None:
        await asyncio.to_thread(self.life.apply_now, made)
        await self.life.courses[made.name].settled()

    async def until(self, what: Callable[[], bool], seconds: float = 10.0) -> float:
        """Wait for something; how long it took."""
        begun = time.perf_counter()
        while not what():
            assert time.perf_counter() - begun < seconds, "it did not come"
            await asyncio.sleep(0.005)
        return time.perf_counter() - begun

    def told(self, name: str) -> dict[int, ServedVersion]:
        """What this process says of a deployment's versions, by number."""
        return {v.number: v for v in self.life.statuses()[name].versions}


@asynccontextmanager
async def here(yard: LocalYard, **options: Any) -> AsyncIterator[Here]:
    """A process's part, as long as the block lasts."""
    one = Here(yard, **options)
    one.life.start()
    try:
        yield one
    finally:
        await one.plane.close()
        await one.life.close()
