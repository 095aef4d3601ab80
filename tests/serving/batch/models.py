"""Versions that batches are run through: a graph, a pipeline of columns, graphs without rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalYard

__all__ = ["CITIES", "fill", "people", "scores"]

CITIES = ["Rom", "Wien", "東京", "a,b"]
_WEIGHTS = np.array([[0.5, -1, 2], [1, 0.25, 0], [-3, 1, 1]], np.float32)


def scores(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What `linear` gives."""
    return matrix.astype(np.float32) @ _WEIGHTS


def people(rows: int, seed: int = 0) -> Any:
    """A frame with an id, and the columns of `churn`."""
    import pandas

    rng = np.random.default_rng(seed)
    return pandas.DataFrame({
        "id": [f"p{at}" for at in range(rows)],
        "age": np.round(rng.normal(40, 9, rows), 3),
        "city": rng.choice(CITIES, rows),
        "visits": rng.integers(0, 9, rows),
    })  # fmt: skip


def fill(yard: LocalYard, folder: Path) -> Any:
    """Commit `linear`, `whole`, `single` and `churn`; gives the pipeline of the last."""
    yard.commit("linear", _graph(folder / "linear", "n"))
    yard.commit("whole", _graph(folder / "whole", 2))
    yard.commit("single", _graph(folder / "single", 1))
    pipeline = _pipeline()
    yard.commit("shop/churn", pipeline, example=people(5).drop(columns="id"))
    return pipeline


def _graph(folder: Path, side: Any) -> Path:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["score"])], "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [side, 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [side, 3])],
        [numpy_helper.from_array(_WEIGHTS, "w")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    return folder


def _pipeline() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = people(200, seed=1)
    said = np.where(frame["age"] + frame["visits"] > 44, "stays", "goes")
    encoder = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    made = make_pipeline(encoder, LogisticRegression(max_iter=500))
    return made.fit(frame.drop(columns="id"), said)
