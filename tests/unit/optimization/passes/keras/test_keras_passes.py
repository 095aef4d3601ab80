"""Keras models pruned and quantized: smaller, as right as before, loaded without any code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.errors import InvalidInput, Unsupported
from modelyard.optimization.measuring import costs, quality
from modelyard.optimization.passes import pass_named
from modelyard.optimization.state import Subject

if TYPE_CHECKING:
    from conftest import Bench
    from modelyard.optimization.state import Model, Rows

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
pytest.importorskip("keras")

PRUNE, QUANTIZE = pass_named("keras-prune"), pass_named("keras-quantize")


def weights_of(network: Any) -> list[Any]:
    from modelyard.frameworks.keras.library import quiet

    with quiet():
        return [np.array(each) for each in network.get_weights()]


def right(model: Model, rows: Rows) -> float:
    return quality(model, rows, task="classification")


def test_most_weights_can_go_if_the_others_learn_on(bench: Bench, network: Any) -> None:
    model, work = bench(network)
    before = weights_of(network)

    made = PRUNE.run(model, {"sparsity": 0.8}, work)

    assert made.model is not None
    assert work.valid is not None
    assert right(made.model, work.valid) >= right(model, work.valid) - 0.01
    found = [each for each in weights_of(made.model.load()) if each.ndim > 1]
    zero = sum(int((each == 0).sum()) for each in found) / sum(each.size for each in found)
    assert 0.79 < zero < 0.81
    assert costs(made.model)["stored"] < 0.4 * costs(model)["stored"]
    assert {each["layer"] for each in made.changed} >= {"think/kernel", "say/kernel"}
    assert all((a == b).all() for a, b in zip(before, weights_of(network), strict=True))


def test_pruning_is_the_same_each_time(bench: Bench, network: Any) -> None:
    digests = set()
    for _ in range(2):
        model, work = bench(network)
        made = PRUNE.run(model, {"sparsity": 0.5, "rounds": 2, "epochs": 1}, work)
        assert made.model is not None
        digests.add(made.model.digest)
    assert len(digests) == 1


def test_without_rows_weights_go_and_nothing_is_learned(bench: Bench, network: Any) -> None:
    model, work = bench(network, "h5")

    made = PRUNE.run(model, {"sparsity": 0.3}, replace(work, train=None, valid=None))

    assert made.model is not None
    assert made.model.saved.serializer == "h5"
    old, new = weights_of(model.load()), weights_of(made.model.load())
    for a, b in zip(old, new, strict=True):
        assert ((a == b) | (b == 0)).all()


@pytest.mark.parametrize("serializer", ["keras", "h5"])
@pytest.mark.parametrize("mode", ["int8", "int4", "int4-blocks"])
def test_weights_in_fewer_bits_answer_alike(
    bench: Bench, network: Any, mode: str, serializer: str
) -> None:
    model, work = bench(network, serializer)

    made = QUANTIZE.run(model, {"mode": mode}, work)

    assert made.model is not None
    assert made.model.saved.serializer == serializer
    assert made.model.size < model.size / 3
    assert work.valid is not None
    assert right(made.model, work.valid) >= right(model, work.valid) - 0.01
    assert any("look/kernel" in note for note in made.notes), "the convolution stays"
    again = QUANTIZE.run(*bench(network, serializer)[:1], {"mode": mode}, bench(network)[1])
    assert again.model is not None
    assert again.model.digest == made.model.digest


def test_a_model_is_quantized_once(bench: Bench, network: Any) -> None:
    model, work = bench(network)
    once = QUANTIZE.run(model, {"mode": "int8"}, work).model
    assert once is not None
    with pytest.raises(Unsupported, match="quantized already"):
        QUANTIZE.run(once, {"mode": "int8"}, work)


def test_pruned_and_quantized_is_smaller_than_either(bench: Bench, network: Any) -> None:
    model, work = bench(network)
    (work.scratch / "two").mkdir()
    pruned = PRUNE.run(model, {"sparsity": 0.8}, work).model
    assert pruned is not None
    both = QUANTIZE.run(pruned, {"mode": "int8"}, replace(work, scratch=work.scratch / "two")).model
    assert both is not None
    assert costs(both)["stored"] < 0.6 * costs(pruned)["stored"]
    assert work.valid is not None
    assert right(both, work.valid) >= right(model, work.valid) - 0.015


def test_passes_say_beforehand_whom_they_can_help() -> None:
    subject = Subject(
        framework="keras", serializer="keras", class_name="keras.Sequential", size=1000, rows=10
    )
    for chosen in (PRUNE, QUANTIZE):
        assert chosen.why_not(subject) is None
        assert chosen.options(subject)
        assert "SavedModel" in str(chosen.why_not(replace(subject, serializer="savedmodel")))
        assert "Keras" in str(chosen.why_not(replace(subject, framework="torch")))


def test_options_that_can_not_be_are_refused(bench: Bench, network: Any) -> None:
    model, work = bench(network)
    for chosen, params in ((PRUNE, {"sparsity": 2}), (QUANTIZE, {"mode": "int3"})):
        with pytest.raises(InvalidInput) as caught:
            chosen.run(model, params, work)
        assert caught.value.kind == "bad-pass-option"
