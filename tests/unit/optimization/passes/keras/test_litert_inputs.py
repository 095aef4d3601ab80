"""Graphs of LiteRT: rows go to the input of their name, layers say what they said before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import Unsupported
from modelyard.optimization.measuring import answers
from modelyard.optimization.passes import pass_named
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Bench
    from modelyard.optimization.state import Model, Work

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
pytest.importorskip("tensorflow")

CONVERT = pass_named("to-litert")


def library() -> Any:
    from modelyard.frameworks.keras.library import keras

    found = keras()
    found.utils.set_random_seed(0)
    return found


def on(bench: Bench, net: Any, given: dict[str, Any]) -> tuple[Model, Work]:
    rows = Rows(Table(given), np.arange(len(next(iter(given.values())))) % 2)
    model, work = bench(net, None, rows.inputs.take(slice(0, 2)))
    return model, replace(work, train=rows, valid=rows)


def apart(model: Model, kind: str, work: Work) -> float:
    """How far a graph is from its model, of all that it could be: 0 to 1."""
    made = CONVERT.run(model, {"kind": kind}, work)
    assert made.model is not None
    assert work.train is not None
    was, now = (answers(each, work.train.inputs).outputs for each in (model, made.model))
    return float(np.abs(was["probability"] - now["probability"]).max())


def two_inputs(
    names: tuple[str | None, str | None], pack: Callable[..., Any], width: int = 4
) -> Any:
    """A model whose second input has numbers a hundred times as large."""
    k = library()
    small, large = k.Input((4,), name=names[0]), k.Input((width,), name=names[1])
    parts = [
        k.layers.Dense(8, activation="relu")(small),
        k.layers.Dense(8, activation="relu")(k.layers.Rescaling(0.01)(large)),
    ]
    say = k.layers.Dense(2, activation="softmax")(k.layers.Concatenate()(parts))
    return k.Model(pack(small, large), say)


@pytest.mark.parametrize("names", [("zed", "abe"), ("abe", "zed")])
@pytest.mark.parametrize("large", [4, 3])
def test_rows_calibrate_the_input_of_their_name(
    bench: Bench, names: tuple[str, str], large: int
) -> None:
    net = two_inputs(names, lambda a, b: [a, b], large)
    rng = np.random.default_rng(0)
    given = {
        names[0]: rng.normal(size=(100, 4)).astype("float32"),
        names[1]: (100 * rng.normal(size=(100, large))).astype("float32"),
    }
    model, work = on(bench, net, given)
    assert apart(model, "int8", work) < 0.05


@pytest.mark.parametrize("packed", ["list", "dict"])
def test_inputs_without_names_or_in_a_dict_are_found(bench: Bench, packed: str) -> None:
    net = two_inputs((None, None), lambda a, b: [a, b])
    if packed == "dict":
        net = two_inputs(("second", "first"), lambda a, b: {"second": a, "first": b})
    rng = np.random.default_rng(0)
    given = {
        tensor._keras_history.operation.name: rng.normal(size=(50, 4)).astype("float32")
        for tensor in net.inputs
    }
    model, work = on(bench, net, given)
    assert apart(model, "int8", work) < 0.05


def test_a_name_that_no_graph_can_have_is_said(bench: Bench) -> None:
    k = library()
    rng = np.random.default_rng(0)
    net = k.Sequential([
        k.Input((4,), name="rows"), k.layers.Dense(2, name="to say", activation="softmax")
    ])  # fmt: skip
    model, work = on(bench, net, {"rows": rng.normal(size=(50, 4)).astype("float32")})
    with pytest.raises(Unsupported, match="'to say' has a name that no graph") as caught:
        CONVERT.run(model, {"kind": "float32"}, work)
    assert caught.value.kind == "not-improvable"


def test_statistics_of_a_normalization_come_along(bench: Bench) -> None:
    k = library()
    x = (50 + 10 * np.random.default_rng(0).normal(size=(100, 4))).astype("float32")
    scale = k.layers.Normalization()
    scale.adapt(x)
    net = k.Sequential([
        k.Input((4,), name="rows"), scale, k.layers.Dense(2, activation="softmax")
    ])  # fmt: skip
    model, work = on(bench, net, {"rows": x})
    assert apart(model, "float32", work) < 1e-4


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "Bidirectional"])
def test_recurrent_layers_go_step_by_step(bench: Bench, kind: str) -> None:
    k = library()
    layers = k.layers
    made = layers.Bidirectional(layers.LSTM(4)) if kind == "Bidirectional" else (
        getattr(layers, kind)(4)
    )  # fmt: skip
    net = k.Sequential([
        k.Input((5, 3), name="rows"), made, layers.Dense(2, activation="softmax")
    ])  # fmt: skip
    x = np.random.default_rng(0).normal(size=(50, 5, 3)).astype("float32")
    model, work = on(bench, net, {"rows": x})
    assert apart(model, "float32", work) < 1e-4


def test_a_sequence_of_any_length_is_refused_with_the_reason(bench: Bench) -> None:
    k = library()
    net = k.Sequential([
        k.Input((None, 3), name="rows"), k.layers.GRU(4, name="over"),
        k.layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    x = np.random.default_rng(0).normal(size=(50, 5, 3)).astype("float32")
    model, work = on(bench, net, {"rows": x})
    with pytest.raises(Unsupported, match="over goes over any number"):
        CONVERT.run(model, {"kind": "float32"}, work)
