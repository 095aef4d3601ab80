"""Keras models as LiteRT graphs: they say the same, and their files are looked at first."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.trust import Trust
from modelyard.errors import InvalidInput
from modelyard.frameworks import FolderFiles, claim, framework_of, named
from modelyard.optimization.measuring import answers, quality
from modelyard.optimization.passes import pass_named

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Bench
    from modelyard.optimization.state import Model

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
pytest.importorskip("tensorflow")

CONVERT = pass_named("to-litert")
LITERT = named("litert")


@pytest.fixture
def converted(bench: Bench, network: Any) -> Model:
    made = CONVERT.run(*bench(network)[:1], {"kind": "int8-weights"}, bench(network)[1])
    assert made.model is not None
    return made.model


@pytest.mark.parametrize(
    ("kind", "smaller", "near"),
    [("float32", 2.9, 1e-4), ("float16", 5, 0.01), ("int8-weights", 8, 0.1), ("int8", 8, 0.15)],
)
def test_a_graph_answers_as_the_model_does(
    bench: Bench, network: Any, kind: str, smaller: float, near: float
) -> None:
    model, work = bench(network)

    made = CONVERT.run(model, {"kind": kind}, work)

    assert made.model is not None
    assert made.model.saved.framework == "litert"
    assert work.valid is not None
    was, now = (answers(each, work.valid.inputs) for each in (model, made.model))
    assert now.about.task == "classification"
    assert list(now.outputs) == ["label", "probability"]
    assert np.abs(was.outputs["probability"] - now.outputs["probability"]).max() < near
    before, after = (quality(m, work.valid, task="classification") for m in (model, made.model))
    assert after >= before - 0.01
    assert made.model.size < model.size / smaller


def test_the_same_model_gives_the_same_graph(bench: Bench, network: Any) -> None:
    digests = set()
    for _ in range(2):
        model, work = bench(network)
        made = CONVERT.run(model, {"kind": "int8"}, work)
        assert made.model is not None
        digests.add(made.model.digest)
    assert len(digests) == 1


def test_a_graph_is_found_loaded_and_saved_again(converted: Model, tmp_path: Path) -> None:
    files = FolderFiles(converted.folder)
    found = LITERT.load(files, claim(files), Trust())
    assert framework_of(found) is LITERT
    (tmp_path / "again").mkdir()
    saved = LITERT.save(found, tmp_path / "again", "tflite")
    again = LITERT.load(FolderFiles(tmp_path / "again"), saved, Trust())
    assert again.content == found.content
    lines = LITERT.structure(found)
    assert lines[0].startswith("input serving_default_pixels:0: float32")
    assert any("int8" in line for line in lines)
    ports = LITERT.signature(found, None)
    assert ports is not None
    assert ports["inputs"][0]["shape"] == [-1, 8, 8, 1]


def test_int8_needs_rows_and_others_do_not(bench: Bench, network: Any) -> None:
    model, work = bench(network)
    blind = replace(work, train=None, valid=None)
    with pytest.raises(InvalidInput) as caught:
        CONVERT.run(model, {"kind": "int8"}, blind)
    assert caught.value.kind == "no-rows"
    assert CONVERT.run(model, {"kind": "float16"}, blind).model is not None


def test_a_damaged_graph_is_refused_before_an_interpreter_sees_it(
    converted: Model, tmp_path: Path
) -> None:
    whole = (converted.folder / "model.tflite").read_bytes()
    rng = np.random.default_rng(0)
    for turn in range(60):
        damaged = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 3000), 4):
            damaged[at] = int(rng.integers(0, 256))
        place = tmp_path / str(turn)
        place.mkdir()
        (place / "model.tflite").write_bytes(bytes(damaged[: int(rng.integers(50, len(whole)))]))
        files = FolderFiles(place)
        with suppress(InvalidInput):  # a changed number may leave it whole
            LITERT.load(files, claim(files), Trust())


def test_a_finished_graph_has_nothing_to_change(converted: Model) -> None:
    found = converted.load()
    assert LITERT.params(found) == LITERT.optimizer(found) == {}
    for change in (
        lambda: LITERT.set_params(found, {}),
        lambda: LITERT.set_structure(found, {}, Trust()),
        lambda: LITERT.set_optimizer(found, {}),
        lambda: LITERT.fit(found, None, None, epochs=None, seed=0),  # type: ignore[arg-type]
    ):
        with pytest.raises(InvalidInput) as caught:
            change()
        assert caught.value.kind == "read-only"
