"""Small models of several kinds in a yard, and what they say, computed without any runtime."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.registry import create
from modelyard.serving.interface import Engine, Served, Wanted
from modelyard.testing.engine import Asked, EngineCase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from modelyard.registry.local import LocalYard

ROWS = np.linspace(-2, 2, 32, dtype=np.float32).reshape(8, 4)


@dataclass(frozen=True, slots=True)
class Zoo:
    """A yard on disk."""

    folder: Path
    first: Asked
    second: Asked
    words: Asked
    foreign: Asked
    broken: Wanted
    untrusted: Wanted


def fill(folder: Path) -> Zoo:
    """Make the yard."""
    scratch = folder / "made"
    yard = create(folder / "yard")
    try:
        first, second = (
            _linear(yard, scratch / name, factor) for name, factor in (("a", 1.0), ("b", 3.0))
        )
        return Zoo(
            folder / "yard", first, second, _words(yard, scratch / "words"), _foreign(yard),
            _broken(yard, scratch / "broken"), _untrusted(yard, scratch / "untrusted"),
        )  # fmt: skip
    finally:
        yard.close()


@contextmanager
def case_of(
    zoo: Zoo, make: Callable[[], Engine], kill: Callable[[Engine, Served], None]
) -> Iterator[EngineCase]:
    """An engine on a loop of its own, closed in the end."""
    with asyncio.Runner() as runner:

        async def begin() -> Engine:
            return make()

        engine = runner.run(begin())
        try:
            yield EngineCase(
                engine=engine, run=runner.run, first=zoo.first, second=zoo.second,
                words=zoo.words, foreign=zoo.foreign, broken=zoo.broken,
                untrusted=zoo.untrusted, kill=lambda served: kill(engine, served),
            )  # fmt: skip
        finally:
            runner.run(engine.close())


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _wanted(committed: Any, **options: Any) -> Wanted:
    return Wanted(committed.model, committed.number, committed.commit, **options)


def _linear(yard: LocalYard, folder: Path, factor: float) -> Asked:
    """`y = x @ w`, with numbers that add up exactly; `z` is the row's sum."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = (np.arange(12, dtype=np.float32).reshape(4, 3) - 5) * np.float32(factor)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["y"]),
            helper.make_node("ReduceSum", ["x", "axis"], ["z"], keepdims=1),
        ],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3]),
            helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 1]),
        ],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.array([1]), "axis")],
    )
    folder.mkdir(parents=True)
    onnx.save(_model(helper, graph), folder / "model.onnx")
    exact = np.round(ROWS * 8) / 8
    expected = {"y": exact @ weights, "z": exact.sum(axis=1, keepdims=True)}
    return Asked(_wanted(yard.commit("zoo/linear", folder)), {"x": exact}, expected)


def _words(yard: LocalYard, folder: Path) -> Asked:
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Identity", ["said"], ["heard"])],
        "echo",
        [helper.make_tensor_value_info("said", TensorProto.STRING, ["n", 1])],
        [helper.make_tensor_value_info("heard", TensorProto.STRING, ["n", 1])],
    )
    folder.mkdir(parents=True)
    onnx.save(_model(helper, graph), folder / "model.onnx")
    said = np.array([["one"], ["两"], [""], ["four"] * 1, ["5"], ["six"], ["7"], ["8 "]], object)
    return Asked(_wanted(yard.commit("zoo/words", folder)), {"said": said}, {"heard": said})


def _foreign(yard: LocalYard) -> Asked:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.random.default_rng(0).normal(size=(60, 4))
    made = make_pipeline(StandardScaler(), LogisticRegression())
    made.fit(rows, (rows.sum(axis=1) > 0).astype(int))
    committed = yard.commit("zoo/foreign", made, example=rows[:8])
    expected = {"probability": made.predict_proba(rows[:8])}
    return Asked(_wanted(committed), feeds_of(yard, committed, rows[:8]), expected)


def feeds_of(yard: LocalYard, committed: Any, rows: np.ndarray[Any, Any]) -> Mapping[str, Any]:
    """Rows as the version's signature names its inputs."""
    signature: Any = yard.show(committed.model, committed.number).signature
    inputs = signature["inputs"]
    if len(inputs) == 1:
        return {inputs[0]["name"]: rows.astype(inputs[0]["dtype"])}
    return {each["name"]: rows[:, place] for place, each in enumerate(inputs)}


def _broken(yard: LocalYard, folder: Path) -> Wanted:
    """A whole file, with an operator that nobody knows."""
    import onnx
    from onnx import TensorProto, helper

    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "y")
    ]
    graph = helper.make_graph(
        [helper.make_node("NoSuchOperator", ["x"], ["y"])], "broken", values[:1], values[1:]
    )
    folder.mkdir(parents=True)
    onnx.save(_model(helper, graph), folder / "model.onnx")
    return _wanted(yard.commit("zoo/broken", folder))


def _untrusted(yard: LocalYard, folder: Path) -> Wanted:
    import pickle

    folder.mkdir(parents=True)
    (folder / "model.pkl").write_bytes(pickle.dumps(_Harmless()))
    return _wanted(yard.commit("zoo/untrusted", folder))


class _Harmless:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("this was run",)


def _model(helper: Any, graph: Any) -> Any:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return model
