"""Categories and text become numbers within the saved model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from modelyard.core.table import Table
from modelyard.optimization.passes.data.columns import kinds_of
from modelyard.optimization.passes.data.encode import PASS

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = ["late delivery and broken box", "arrived early and well packed", "nobody answers my calls",
         "very good service as always", "wrong size sent to me twice"]  # fmt: skip
BAD = {0, 2, 4}


def _table(rows: int = 400) -> tuple[Table, Any]:
    chance = np.random.default_rng(0)
    city = chance.integers(0, 8, rows)
    text = chance.integers(0, len(WORDS), rows)
    amount = chance.normal(size=rows)
    unhappy = np.isin(text, list(BAD)) | (city % 3 == 0)
    target = np.where(chance.random(rows) < 0.05, ~unhappy, unhappy).astype(np.int64)
    texts = [f"{WORDS[i]} number {chance.integers(1000)}" for i in text]
    cities = np.array([f"city {c}" for c in city], object)
    cities[:5] = None
    return Table({"amount": amount, "city": cities, "text": np.array(texts, object)}), target


def test_columns_are_told_apart_by_their_values() -> None:
    table, _ = _table()
    assert kinds_of(table) == {"amount": "number", "city": "category", "text": "text"}
    more = Table({
        "flag": np.array([0, 1, 1]), "same": np.array([2.0, 2.0, 2.0]),
        "when": np.array(["2026-01-01", "2026-01-02", "NaT"], "datetime64[s]"),
        "picture": np.zeros((3, 4, 4)),
    })  # fmt: skip
    assert list(kinds_of(more).values()) == ["flag", "constant", "time", "array"]


@pytest.mark.parametrize("how", ["one-hot", "target", "ordinal"])
def test_a_better_encoding_is_found_and_saved(how: str, bench: Callable[..., Any]) -> None:
    inputs, target = _table()
    first = ColumnTransformer([
        ("numbers", "passthrough", ["amount"]),
        ("city", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1,
                                encoded_missing_value=-1), ["city"]),
    ])  # fmt: skip
    obj = Pipeline([("columns", first), ("model", LogisticRegression(max_iter=500))])
    model, work = bench(obj.fit(inputs.frame(), target), inputs, target)
    made: Any = PASS.run(model, {"categories": how}, work)
    assert made.model is not None
    assert np.mean(made.scores[1]) > np.mean(made.scores[0]) + 0.02
    loaded = made.model.load()
    assert list(loaded.named_steps) == ["encode", "model"]
    unseen = {**{n: c[:2] for n, c in work.valid.inputs.columns.items()},
              "city": np.array(["never seen", None], object)}  # fmt: skip
    assert len(loaded.predict(Table(unseen).frame())) == 2


def test_new_columns_are_taken_only_if_the_recipe_says_so(bench: Callable[..., Any]) -> None:
    inputs, target = _table()
    numbers = Table({"amount": inputs.columns["amount"], "other": inputs.columns["amount"] ** 2})
    data = Table({**numbers.columns, **inputs.columns})
    obj = RandomForestClassifier(30, random_state=0).fit(numbers.frame(), target)
    model, work = bench(obj, data, target)
    assert PASS.run(model, {"categories": "one-hot"}, work).model is None
    made: Any = PASS.run(model, {"categories": "one-hot", "columns": "all"}, work)
    assert np.mean(made.scores[1]) > np.mean(made.scores[0]) + 0.1
    assert any("new columns: city, text" in note for note in made.notes)


def test_numbers_alone_need_no_encoding(bench: Callable[..., Any]) -> None:
    inputs, target = _table()
    numbers = inputs.select(["amount"])
    obj = HistGradientBoostingClassifier(max_iter=5).fit(numbers.frame(), target)
    model, work = bench(obj, numbers, target)
    assert "no column" in PASS.run(model, {}, work).why
