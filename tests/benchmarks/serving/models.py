"""The models that are served: what every peer gets, and some of our own for single numbers.

digits   StandardScaler and LogisticRegression on scikit-learn's digits
onx      the same as ONNX, input float[N,64]
medium   3 MB of weights, for cold hits
copy     gives back what it gets: 10 MB bodies
busy     convolutions, some 10 ms a row, so that joining rows gains nothing: for overload
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

__all__ = ["MEDIUM_WIDTH", "Models", "make", "three"]

_SIDE, _CHANNELS, _DEPTH = 64, 64, 6
"""Of `busy`."""
MEDIUM_WIDTH = 612
"""Numbers of a row of `medium`."""


@dataclass(frozen=True, slots=True)
class Models:
    """Where they lie, and the row that is asked."""

    folder: Path

    @property
    def joblib(self) -> Path:
        return self.folder / "sk.joblib"

    @property
    def skops(self) -> Path:
        return self.folder / "sk.skops"

    def onnx(self, name: str) -> Path:
        return self.folder / f"{name}.onnx"

    @property
    def row(self) -> list[float]:
        found: list[float] = json.loads((self.folder / "row.json").read_text())
        return found

    @property
    def digit(self) -> int:
        """What both versions of the digits model say of the row."""
        found: int = json.loads((self.folder / "digit.json").read_text())
        return found


def make(folder: Path) -> Models:
    """Fit and write them; those of an earlier run are kept."""
    models = Models(folder)
    done = folder / "done.txt"
    if done.exists():
        return models
    folder.mkdir(parents=True, exist_ok=True)
    _digits(models)
    _write(models.onnx("medium"), _chain(depth=2, width=MEDIUM_WIDTH))
    _write(models.onnx("busy"), _convolutions())
    _write(models.onnx("peek"), _first())
    for number in range(3):
        _write(models.onnx(f"small{number}"), _scaled(float(number + 1)))
    done.write_text("")
    return models


def three(models: Models) -> list[Path]:
    """The versions of `small`."""
    return [models.onnx(f"small{number}") for number in range(3)]


def _digits(models: Models) -> None:
    import joblib
    import skops.io
    from skl2onnx import to_onnx
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values, labels = load_digits(return_X_y=True)
    values = values.astype("float32")
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    pipeline.fit(values, labels)
    joblib.dump(pipeline, models.joblib)
    skops.io.dump(pipeline, models.skops)
    onnx = to_onnx(pipeline, values[:1], options={"zipmap": False}, target_opset=17)
    models.onnx("onx").write_bytes(onnx.SerializeToString())
    (models.folder / "row.json").write_text(json.dumps(values[0].tolist()))
    (models.folder / "digit.json").write_text(json.dumps(int(pipeline.predict(values[:1])[0])))


def _write(path: Path, model: Any) -> None:
    import onnx

    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _model(nodes: list[Any], width: int | None, weights: dict[str, np.ndarray[Any, Any]]) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    sides = ["rows", width or "columns"]
    given = sides if width else ["rows", "wide"]
    graph = helper.make_graph(
        nodes, "bench",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, sides)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def _chain(depth: int, width: int) -> Any:
    """Products one after the other, each by a matrix of its own."""
    import numpy as np
    from onnx import helper

    rng = np.random.default_rng(0)
    names = ["x", *(f"h{n}" for n in range(depth - 1)), "y"]
    nodes, weights = [], {}
    for n in range(depth):
        weights[f"w{n}"] = rng.normal(0, width**-0.5, (width, width)).astype("float32")
        nodes.append(helper.make_node("MatMul", [names[n], f"w{n}"], [names[n + 1]]))
    return _model(nodes, width, weights)


def _convolutions() -> Any:
    """64 numbers become a picture, and it goes through layers of one size."""
    import numpy as np
    from onnx import helper

    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(0, 0.1, (64, _SIDE * _SIDE)).astype("float32"),
        "picture": np.array([-1, 1, _SIDE, _SIDE], "int64"),
        "flat": np.array([-1, 64], "int64"),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["wide"]),
        helper.make_node("Reshape", ["wide", "picture"], ["h0"]),
    ]
    for n in range(_DEPTH + 1):
        shape = (_CHANNELS, _CHANNELS if n else 1, 3, 3)
        weights[f"k{n}"] = rng.normal(0, 0.05, shape).astype("float32")
        nodes.append(helper.make_node("Conv", [f"h{n}", f"k{n}"], [f"h{n + 1}"], pads=[1, 1, 1, 1]))
    nodes.append(helper.make_node("GlobalAveragePool", [f"h{_DEPTH + 1}"], ["mean"]))
    nodes.append(helper.make_node("Reshape", ["mean", "flat"], ["y"]))
    return _model(nodes, 64, weights)


def _first() -> Any:
    import numpy as np
    from onnx import helper

    bounds = {name: np.array([n], "int64") for name, n in (("from", 0), ("to", 4), ("axis", 1))}
    return _model([helper.make_node("Slice", ["x", "from", "to", "axis"], ["y"])], None, bounds)


def _scaled(factor: float) -> Any:
    """Tells which version answered: it multiplies by a number of its own."""
    import numpy as np
    from onnx import helper

    return _model(
        [helper.make_node("Mul", ["x", "k"], ["y"])], 4, {"k": np.array([factor], "float32")}
    )
