"""Rows that could have been are learned too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.optimization.passes.data.augment import PASS
from modelyard.optimization.passes.data.varied import KINDS, fitting, varied
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Callable


def _pictures(rows: int = 20, *shape: int) -> Rows:
    chance = np.random.default_rng(0)
    made = chance.integers(0, 255, (rows, *(shape or (8, 8)))).astype(np.uint8)
    return Rows(Table({"picture": made}), chance.integers(0, 2, rows))


class TestVariations:
    @pytest.mark.parametrize("shape", [(8, 8), (3, 8, 8), (8, 8, 3)])
    @pytest.mark.parametrize("kind", ["shift", "flip", "rotate", "cut-out"])
    def test_pictures_keep_shape_dtype_and_range(self, kind: str, shape: tuple[int, ...]) -> None:
        rows = _pictures(20, *shape)
        made = varied(rows, kind, 0.2, "classification", (0, 0)).inputs.columns["picture"]
        given = rows.inputs.columns["picture"]
        assert (made.shape, made.dtype) == (given.shape, given.dtype)
        assert made.min() >= given.min()
        assert made.max() <= given.max()
        changed = (made != given).reshape(20, -1).any(axis=1)
        assert changed.mean() > 0.6

    def test_a_picture_is_moved_whole(self) -> None:
        picture = np.zeros((50, 5, 5))
        picture[:, 2, 2] = 1
        made = varied(Rows(Table({"p": picture})), "shift", 0.2, "classification", (0, 0))
        moved = made.inputs.columns["p"]
        assert np.all(moved.reshape(50, -1).sum(axis=1) == 1)
        assert np.all(moved[:, 1:4, 1:4].reshape(50, -1).sum(axis=1) == 1)

    def test_a_picture_is_not_turned_by_hardly_any_strength(self) -> None:
        rows = _pictures(5)
        made = varied(rows, "rotate", 1e-9, "classification", (0, 0))
        assert np.array_equal(made.inputs.columns["picture"], rows.inputs.columns["picture"])

    def test_mixed_numbers_move_the_target_along(self) -> None:
        line = np.linspace(0, 10, 50)
        made = varied(Rows(Table({"a": line}), 2 * line), "mixup", 0.3, "regression", (0, 0))
        assert made.target == pytest.approx(2 * made.inputs.columns["a"])
        assert not np.array_equal(made.target, 2 * line)

    def test_noise_leaves_categories_and_holes_alone(self) -> None:
        column = np.array([1.0, np.nan, 3.0, 4.0])
        table = Table({"a": column, "b": np.array(["x", "y", "x", None], object)})
        made = varied(Rows(table), "noise", 0.1, "classification", (0, 0)).inputs.columns
        assert np.isnan(made["a"]).tolist() == [False, True, False, False]
        assert made["b"].tolist() == ["x", "y", "x", None]

    def test_texts_lose_or_exchange_words(self) -> None:
        texts = np.array(
            [f"the order number {i} arrived very late today" for i in range(9)], object
        )
        rows = Rows(Table({"t": texts}))
        fewer = varied(rows, "drop-words", 0.3, "classification", (0, 0)).inputs.columns["t"]
        assert all(
            set(a.split()) <= set(b.split()) and a for a, b in zip(fewer, texts, strict=True)
        )
        other = varied(rows, "swap-words", 0.3, "classification", (0, 0)).inputs.columns["t"]
        assert all(
            sorted(a.split()) == sorted(b.split()) for a, b in zip(other, texts, strict=True)
        )
        assert other.tolist() != texts.tolist()

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_same_seed_makes_the_same(self, kind: str) -> None:
        chance = np.random.default_rng(0)
        table = Table({"n": chance.normal(size=9), "p": chance.normal(size=(9, 6, 6))})
        rows = Rows(table, np.arange(9) % 2)
        a, b, c = (
            varied(rows, kind, 0.2, "classification", (0, copy)).inputs.columns["p"].tobytes()
            for copy in (0, 0, 1)
        )
        assert a == b
        if kind not in ("flip", "drop-words", "swap-words"):
            assert a != c

    def test_what_fits_is_seen_by_the_columns(self) -> None:
        assert fitting(_pictures().inputs) == "shift"
        assert fitting(Table({"a": np.arange(9.0)})) == "noise"
        assert fitting(Table({"a": np.arange(9.0)}), "rotate") == ""


class TestThePass:
    def test_moved_digits_help_a_linear_model(self, bench: Callable[..., Any]) -> None:
        bunch = load_digits()
        rows = np.arange(400)
        names = [f"pixel{i}" for i in range(64)]
        inputs = Table(dict(zip(names, bunch.data[rows].T, strict=True)))
        obj = LogisticRegression(C=0.01, max_iter=300)
        obj.fit(inputs.matrix(), bunch.target[rows])
        model, work = bench(obj, inputs, bunch.target[rows])
        params = {"kind": "rotate", "strength": 0.2, "copies": 2, "shape": [8, 8]}
        made: Any = PASS.run(model, params, work)
        assert made.rows is not None
        assert len(made.rows) == 3 * len(work.train)
        assert made.rows.inputs.names == tuple(names)
        assert len(made.scores[0]) == len(made.scores[1])
        assert np.mean(made.scores[1]) > 0.9

    def test_without_a_shape_numbers_are_no_picture(self, bench: Callable[..., Any]) -> None:
        bunch = load_diabetes()
        inputs = Table(dict(zip(bunch.feature_names, bunch.data.T, strict=True)))
        model, work = bench(Ridge().fit(inputs.matrix(), bunch.target), inputs, bunch.target,
                            "regression")  # fmt: skip
        assert "rotate" in PASS.run(model, {"kind": "rotate"}, work).why
        with pytest.raises(InvalidInput, match="does not hold"):
            PASS.run(model, {"kind": "rotate", "shape": [3, 3]}, work)
        assert PASS.run(model, {"kind": "auto"}, work).params == {"kind": "noise"}

    def test_texts_are_varied(self, bench: Callable[..., Any]) -> None:
        chance = np.random.default_rng(0)
        good, bad = ["great", "wonderful", "lovely", "fine"], ["awful", "broken", "late", "wrong"]
        target = chance.integers(0, 2, 120)
        texts = [
            f"it was {chance.choice(good if each else bad)} and I will tell everybody {i}"
            for i, each in enumerate(target)
        ]
        inputs = Table({"text": np.array(texts, object)})
        obj = make_pipeline(TfidfVectorizer(), LogisticRegression())
        model, work = bench(obj.fit(inputs.columns["text"], target), inputs, target)
        made: Any = PASS.run(model, {"kind": "auto", "strength": 0.2, "copies": 1}, work)
        assert made.params == {"kind": "drop-words"}
        assert len(made.rows) == 2 * len(work.train)
