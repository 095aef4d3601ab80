"""Forests as ONNX graphs: one node that walks all trees, and what its sums mean."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need
from modelyard.optimization.passes.trees.forests import Forest, joined, shifted
from modelyard.optimization.passes.trees.reading import forest_of

if TYPE_CHECKING:
    from modelyard.optimization.passes.trees.forests import Tree

__all__ = ["PRODUCER", "forest_to_onnx", "graph_of"]

Array = np.ndarray[Any, Any]

PRODUCER = "modelyard-trees"
_OPSETS = {"": 18, "ai.onnx.ml": 3}
"""What onnxruntime has run since 2023."""
_IR = 9
_INPUT = "input"


def forest_to_onnx(obj: Any) -> Any:
    """An `onnx.ModelProto` that answers as a fitted ensemble of trees does; None if it can't.

    It takes one matrix `input` (rows, features): float32 where the library compares float32
    (scikit-learn's forests and gradient boosting, XGBoost), float64 where it compares float64
    (histogram gradient boosting, LightGBM), so every row reaches the same leaves. NaN goes where
    the library sends it. Classifiers give `label` (rows,) and `probabilities` (rows, classes),
    regressors `variable` (rows, 1): what converters of the onnx project call them.

    Known are the estimators that `forests.forest_of` lists. The same object gives the same bytes.

    Raises:
        Unsupported: `no-extra`: onnx is not installed.
    """
    forest = forest_of(obj)
    return None if forest is None else graph_of(forest)


def graph_of(forest: Forest) -> Any:
    """A `ModelProto` of any trees; None where a class has no ONNX type."""
    onnx = need("onnx", "optimize")
    make = onnx.helper
    parts = _classifier(onnx, forest) if forest.classes is not None else _regressor(onnx, forest)
    if parts is None:
        return None
    nodes, outputs, constants = parts
    kind = onnx.TensorProto.DOUBLE if forest.double else onnx.TensorProto.FLOAT
    taken = make.make_tensor_value_info(_INPUT, kind, [None, forest.columns])
    graph = make.make_graph(nodes, "forest", [taken], outputs, initializer=constants)
    return make.make_model(
        graph, producer_name=PRODUCER, ir_version=_IR,
        opset_imports=[make.make_opsetid(name, number) for name, number in _OPSETS.items()],
    )  # fmt: skip


# --- classifiers -----------------------------------------------------------------------------


def _classifier(onnx: Any, forest: Forest) -> tuple[list[Any], list[Any], list[Any]] | None:
    """Label and probabilities.

    Sums of forests are not divided before they are compared: votes are whole numbers, which
    float32 adds up exactly, so that ties end as the library ends them. Of two classes one sum is
    kept, `votes for the second - votes / 2`: half the numbers, and positive where the second wins.
    """
    assert forest.classes is not None
    labels = _labels(forest.classes)
    if labels is None:
        return None
    make, float_ = onnx.helper, onnx.TensorProto.FLOAT
    two = len(forest.classes) == 2
    trees, base = forest.trees, forest.base
    if two and forest.outputs == 2:
        trees = tuple(replace(tree, values=tree.values[:, 1:] - 0.5) for tree in trees)
        base = base[1:]
    if two:
        trees, base = _signed(trees, base)
    post = {"logistic": "LOGISTIC", "softmax": "SOFTMAX"}.get(forest.link, "NONE")
    if forest.slope != 1.0:
        trees = tuple(replace(tree, values=tree.values * forest.slope) for tree in trees)
        base = base * forest.slope
    name, kind = labels[0], onnx.TensorProto.STRING if "strings" in labels[0] else (
        onnx.TensorProto.INT64
    )  # fmt: skip
    sums = "sums" if forest.link == "none" and (two or forest.mean) else "probabilities"
    attributes = _attributes(onnx, replace(forest, trees=trees, base=base), "class", compact=True)
    nodes = [make.make_node(
        "TreeEnsembleClassifier", [_INPUT], ["label", sums], domain="ai.onnx.ml",
        post_transform=post, **{name: labels[1]}, **attributes,
    )]  # fmt: skip
    constants: list[Any] = []
    if sums == "sums":
        count = len(trees) if forest.mean else 1
        scaled = "probabilities" if not two else "scaled"
        nodes.append(make.make_node("Mul" if two else "Div", [sums, "by"], [scaled]))
        by = 1.0 / count if two else float(count)
        constants.append(make.make_tensor("by", float_, [], [by]))
        if two:
            nodes.append(make.make_node("Add", [scaled, "half"], ["probabilities"]))
            constants.append(make.make_tensor("half", float_, [], [0.5]))
    outputs = [
        make.make_tensor_value_info("label", kind, [None]),
        make.make_tensor_value_info("probabilities", float_, [None, len(forest.classes)]),
    ]
    return nodes, outputs, constants


def _labels(classes: Array) -> tuple[str, list[int] | list[str]] | None:
    """The attribute that holds the classes; None where they are neither whole numbers nor text."""
    if classes.dtype.kind in "biu":
        return "classlabels_int64s", [int(each) for each in classes]
    if classes.dtype.kind == "f" and np.array_equal(classes, np.floor(classes)):
        return "classlabels_int64s", [int(each) for each in classes]
    if classes.dtype.kind in "OU" and all(isinstance(each, str) for each in classes):
        return "classlabels_strings", [str(each) for each in classes]
    return None


def _signed(trees: tuple[Tree, ...], base: Array) -> tuple[tuple[Tree, ...], Array]:
    """The same sums with a negative number among the values.

    Without one, onnxruntime takes sums for probabilities and compares them with 0.5.
    """
    lowest = min(float(tree.values[tree.leaf].min()) for tree in trees)
    if lowest < 0:
        return trees, base
    by = 1.0 + lowest
    first = min(range(len(trees)), key=lambda at: float(trees[at].values[trees[at].leaf].min()))
    moved = tuple(shifted(tree, -by) if at == first else tree for at, tree in enumerate(trees))
    return moved, base + by


# --- regressors ------------------------------------------------------------------------------


def _regressor(onnx: Any, forest: Forest) -> tuple[list[Any], list[Any], list[Any]]:
    """Predictions: sums in float64, since targets may be large and trees many."""
    make, types = onnx.helper, onnx.TensorProto
    constants: list[Any] = []
    nodes = []
    taken = _INPUT
    wide = forest.double or not forest.strict  # XGBoost adds in float32 itself
    if wide and not forest.double:
        nodes.append(make.make_node("Cast", [_INPUT], ["wide"], to=types.DOUBLE))
        taken = "wide"
    attributes = _attributes(onnx, replace(forest, double=wide), "target", compact=False)
    whole = "variable" if forest.link == "none" else "sums"
    nodes.append(make.make_node(
        "TreeEnsembleRegressor", [taken], [whole], domain="ai.onnx.ml", n_targets=forest.outputs,
        aggregate_function="AVERAGE" if forest.mean else "SUM", post_transform="NONE", **attributes,
    ))  # fmt: skip
    if forest.link == "exp":
        nodes.append(make.make_node("Exp", [whole], ["variable"]))
    elif forest.link == "logistic-each":
        nodes.append(make.make_node("Sigmoid", [whole], ["variable"]))
    elif forest.link == "signed-square":
        nodes.append(make.make_node("Abs", [whole], ["size"]))
        nodes.append(make.make_node("Mul", [whole, "size"], ["variable"]))
    output = make.make_tensor_value_info("variable", types.FLOAT, [None, forest.outputs])
    return nodes, [output], constants


# --- nodes of trees --------------------------------------------------------------------------


def _attributes(onnx: Any, forest: Forest, word: str, *, compact: bool) -> dict[str, Any]:
    """All trees as the lists that TreeEnsembleClassifier and TreeEnsembleRegressor take.

    Args:
        word: `class` or `target`.
        compact: Whether values that are zero may be left out.
    """
    nodes, owner, within = joined(forest.trees)
    places, outputs, values = _weights(forest, compact)
    less = b"BRANCH_LT" if forest.strict else b"BRANCH_LEQ"
    found: dict[str, Any] = {
        "nodes_treeids": owner.tolist(),
        "nodes_nodeids": within.tolist(),
        "nodes_featureids": nodes.feature.tolist(),
        "nodes_modes": [b"LEAF" if leaf else less for leaf in nodes.leaf.tolist()],
        "nodes_truenodeids": nodes.left.tolist(),
        "nodes_falsenodeids": nodes.right.tolist(),
        f"{word}_treeids": owner[places].tolist(),
        f"{word}_nodeids": within[places].tolist(),
        f"{word}_ids": outputs.tolist(),
    }
    if nodes.missing_left.any():
        found["nodes_missing_value_tracks_true"] = nodes.missing_left.astype(int).tolist()
    numbers = {"nodes_values": nodes.threshold, f"{word}_weights": values}
    if forest.base.any():
        numbers["base_values"] = forest.base
    for name, array in numbers.items():
        if forest.double:
            found[f"{name}_as_tensor"] = onnx.numpy_helper.from_array(array.astype(np.float64))
        else:
            floats = _below(array) if name == "nodes_values" else array.astype(np.float32)
            found[name] = floats.tolist()
    return found


def _weights(forest: Forest, compact: bool) -> tuple[Array, Array, Array]:
    """Of each leaf what it adds to which output: places among all nodes, outputs, values."""
    places, outputs, values = [], [], []
    begin = 0
    for tree in forest.trees:
        wanted = np.repeat(tree.leaf[:, None], tree.values.shape[1], axis=1)
        if compact and tree.values.shape[1] > 1:
            wanted &= tree.values != 0
        at, output = np.nonzero(wanted)
        places.append(at + begin)
        outputs.append(output + tree.output)
        values.append(tree.values[at, output])
        begin += len(tree.feature)
    return np.concatenate(places), np.concatenate(outputs), np.concatenate(values)


def _below(thresholds: Array) -> Array:
    """The largest float32 that is not above each: for float32 rows, `<=` says the same."""
    with np.errstate(over="ignore"):
        found = thresholds.astype(np.float32)
    above = found.astype(np.float64) > thresholds
    found[above] = np.nextafter(found[above], np.float32(-np.inf))
    return found
