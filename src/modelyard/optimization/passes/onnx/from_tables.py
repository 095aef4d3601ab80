"""Estimators, boosted trees and pipelines as ONNX graphs: the first converter that can."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need
from modelyard.errors import InvalidInput, Unsupported
from modelyard.formats.reading import printable
from modelyard.frameworks.onnx.naming import renamed
from modelyard.frameworks.onnx.walking import library
from modelyard.optimization.passes.onnx.outputs import called
from modelyard.optimization.passes.onnx.protos import EXTRA, with_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.core.table import Table
    from modelyard.optimization.passes.onnx.outputs import Wanted

__all__ = ["boosting_graphs", "estimator_graphs"]

_OPSETS = {"": 18, "ai.onnx.ml": 3}


def estimator_graphs(
    obj: Any, rows: Table | None, names: tuple[str, ...] | None, wanted: Wanted = None
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Ways to convert an estimator of scikit-learn: our own writer of trees, then skl2onnx.

    Args:
        wanted: What it says of the rows, by whose names outputs are called.
    """
    yield "trees", lambda: called(with_columns(_forest(obj), names or ()), wanted)
    yield "steps and trees", lambda: called(_steps_and_forest(obj, rows, names), wanted)
    yield "skl2onnx", lambda: called(_estimator(obj, rows), wanted)
    if names and rows is not None:  # some converters take one matrix only
        yield (
            "skl2onnx of a matrix",
            lambda: called(with_columns(_matrix(obj, rows, names), names), wanted),
        )


def boosting_graphs(
    obj: Any, framework: str, names: tuple[str, ...] | None, wanted: Wanted = None
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Ways to convert boosted trees: our own writer of trees, then onnxmltools."""
    yield "trees", lambda: called(with_columns(_forest(obj), names or ()), wanted)
    yield "onnxmltools", lambda: called(with_columns(_boosted(obj, framework), names or ()), wanted)


def _forest(obj: Any) -> Any:
    from modelyard.optimization.passes.trees.graphs import forest_to_onnx

    found = forest_to_onnx(obj)
    if found is None:
        raise Unsupported("not-improvable", f"a {type(obj).__name__} is no ensemble of trees")
    return found


def _steps_and_forest(obj: Any, rows: Table | None, names: tuple[str, ...] | None) -> Any:
    """A pipeline that ends with trees: what is before them by skl2onnx, the trees by ourselves.

    The steps count with 64 bits: rounded to 32, a value near a threshold may fall to its other
    side.
    """
    from modelyard.frameworks.sklearn.steps import is_pipeline

    if not is_pipeline(obj) or len(obj.steps) < 2:
        raise Unsupported("not-improvable", f"a {type(obj).__name__} is no pipeline")
    onnx = library()
    trees = onnx.compose.add_prefix(
        _forest(obj.steps[-1][1]), "trees/", rename_outputs=False, rename_inputs=True
    )
    before = onnx.compose.add_prefix(_steps(obj[:-1], rows, names), "steps/", rename_inputs=False)
    given = {tensor.name for tensor in trees.graph.initializer}
    (matrix,) = [value for value in trees.graph.input if value.name not in given]
    versions = {each.domain: each for each in before.opset_import}
    for each in trees.opset_import:
        if each.domain not in versions:
            before.opset_import.add(domain=each.domain, version=each.version)
        else:  # of a version that means something else, ONNX Runtime or the comparison tells
            versions[each.domain].version = max(versions[each.domain].version, each.version)
    end = before.graph.output[0].name
    kind = matrix.type.tensor_type.elem_type
    before.graph.node.add(op_type="Cast", name="steps/cast", input=[end], output=[matrix.name])
    before.graph.node[-1].attribute.append(onnx.helper.make_attribute("to", kind))
    before.graph.node.extend(trees.graph.node)
    before.graph.initializer.extend(trees.graph.initializer)
    del before.graph.output[:]
    before.graph.output.extend(trees.graph.output)
    before.producer_name = trees.producer_name or before.producer_name
    return before


def _steps(steps: Any, rows: Table | None, names: tuple[str, ...] | None) -> Any:
    """Transformers of a pipeline as a graph of 64-bit numbers and texts."""
    need("skl2onnx", EXTRA)
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType

    if names is None:
        width = getattr(steps, "n_features_in_", None)
        if width is None:
            raise Unsupported("not-improvable", "the pipeline does not tell its columns")
        return _double(steps, [("input", DoubleTensorType([None, width]))])
    if rows is None:
        raise Unsupported("not-improvable", "nobody knows what the columns hold")
    texts = {name for name in names if rows.column(name).dtype.kind not in "biuf"}
    if not texts:  # most transformers take one matrix only
        with contextlib.suppress(Unsupported):
            return with_columns(
                _double(steps, [("input", DoubleTensorType([None, len(names)]))]), names
            )
    kinds = [(n, (StringTensorType if n in texts else DoubleTensorType)([None, 1])) for n in names]
    found = _double(steps, kinds)
    if len(found.graph.input) == len(names):
        own = dict(zip([value.name for value in found.graph.input], names, strict=True))
        renamed(found, own)  # skl2onnx spells them without spaces
    return found


def _double(steps: Any, kinds: list[tuple[str, Any]]) -> Any:
    skl2onnx = need("skl2onnx", EXTRA)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of converters about the libraries below them
            found = skl2onnx.to_onnx(steps, initial_types=kinds, target_opset=_OPSETS)
    except Exception as error:  # each converter raises as it likes
        text = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise Unsupported(
            "not-improvable", f"skl2onnx can't convert its steps: {printable(text, 300)}"
        ) from error
    _without_imputers(found)
    return found


def _without_imputers(proto: Any) -> None:
    """The operator Imputer, which ONNX Runtime has for 32 bits only, as IsNaN and Where."""
    onnx = library()
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    for node in nodes:
        values = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        filled = values.get("imputed_value_floats")
        if node.op_type != "Imputer" or not filled or values["replaced_value_float"] == values[
            "replaced_value_float"
        ]:  # fmt: skip
            proto.graph.node.append(node)
            continue
        name = node.output[0]
        constant = np.array([filled], np.float64)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(constant, f"{name}_filled"))
        make = onnx.helper.make_node
        proto.graph.node.extend([
            make("IsNaN", list(node.input), [f"{name}_missing"], name=f"{node.name}_missing"),
            make("Where", [f"{name}_missing", f"{name}_filled", node.input[0]], [name],
                 name=node.name),
        ])  # fmt: skip


def _matrix(obj: Any, rows: Table, names: tuple[str, ...]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn, that the columns have no names
        return _estimator(obj, rows.select(list(names)).matrix())


def _estimator(obj: Any, rows: Any) -> Any:
    from modelyard.frameworks.sklearn.converting import convert

    with TemporaryDirectory(prefix="modelyard-onnx-") as folder:
        place = Path(folder) / "model.onnx"
        try:
            convert(obj, place, rows)
        except InvalidInput as error:
            raise Unsupported("not-improvable", error.message) from error
        return library().load(place)


def _boosted(obj: Any, framework: str) -> Any:
    tools = need("onnxmltools", EXTRA)
    need("skl2onnx", EXTRA)
    from onnxmltools.convert.common.data_types import FloatTensorType

    width = _width(obj)
    convert = tools.convert_xgboost if framework == "xgboost" else tools.convert_lightgbm
    options = {} if framework == "xgboost" else {"zipmap": False}
    try:
        return convert(
            obj, initial_types=[("input", FloatTensorType([None, width]))],
            target_opset=_OPSETS[""], **options,
        )  # fmt: skip
    except Exception as error:  # each converter raises as it likes
        text = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise Unsupported(
            "not-improvable", f"onnxmltools can't convert it: {printable(text, 300)}"
        ) from error


def _width(obj: Any) -> int:
    for name in ("n_features_in_", "num_features", "num_feature", "n_features_"):
        with contextlib.suppress(Exception):  # whatever a library raises that is not fitted
            found = getattr(obj, name)
            return int(found() if callable(found) else found)
    raise Unsupported("not-improvable", f"a {type(obj).__name__} does not tell its columns")
