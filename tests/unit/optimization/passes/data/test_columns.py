"""What columns hold, also where values are missing or unusual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modelyard.core.table import Table
from modelyard.optimization.passes.data.clean import PASS as CLEAN
from modelyard.optimization.passes.data.columns import kinds_of
from modelyard.optimization.passes.data.encode import PASS as ENCODE
from modelyard.optimization.passes.data.encoding import column_encoder
from modelyard.optimization.passes.data.select import _by_weights

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 200


def _chance() -> np.random.Generator:
    return np.random.default_rng(0)


def _cities(count: int = 30) -> Any:
    return np.array([f"c{each}" for each in _chance().integers(0, count, ROWS)], object)


class TestOneValueOrNone:
    def test_it_is_not_constant(self) -> None:
        table = Table({
            "paid": np.where(np.arange(9) % 2, 1.0, np.nan),
            "vip": np.array(["yes", None, None] * 3, object),
            "left": np.array(["2026-01-01", "NaT", "NaT"] * 3, "datetime64[D]"),
            "none": np.full(9, np.nan), "same": np.ones(9), "word": np.array(["a"] * 9, object),
        })  # fmt: skip
        assert list(kinds_of(table).values()) == [
            "flag", "category", "time", "constant", "constant", "constant",
        ]  # fmt: skip

    def test_it_is_encoded(self, bench: Callable[..., Any]) -> None:
        target = _chance().integers(0, 2, ROWS)
        vip = np.where(target == 1, "yes", None).astype(object)
        table = Table({"a": _chance().normal(size=ROWS), "city": _cities(3), "vip": vip})
        first = ColumnTransformer([("k", OneHotEncoder(handle_unknown="ignore"), ["city", "vip"])])
        obj = Pipeline([("columns", first), ("model", LogisticRegression())])
        model, work = bench(obj.fit(table.frame(), target), table, target)
        made: Any = ENCODE.run(model, {"categories": "ordinal"}, work)
        assert np.mean(made.scores[1]) > 0.99

    @pytest.mark.parametrize("column", [
        np.where(np.arange(ROWS) % 2, 3.0, np.nan),
        np.where(np.arange(ROWS) % 2, "yes", None).astype(object),
        np.where(np.arange(ROWS) % 2, np.datetime64("2026-01-01"), np.datetime64("NaT")),
    ], ids=["number", "text", "time"])  # fmt: skip
    def test_its_gaps_tell(self, column: Any) -> None:
        table = Table({"a": _chance().normal(size=ROWS), "b": column})
        target = np.arange(ROWS) % 2
        encoder = column_encoder(table, task="classification", scale=True)
        obj = make_pipeline(encoder, LogisticRegression()).fit(table.frame(), target)
        assert obj.score(table.frame(), target) == 1
        assert _by_weights(table, target, "classification").argmax() == 1


class TestWeightsOfColumns:
    def test_of_names_that_end_alike_each_has_its_own(self) -> None:
        chance = _chance()
        noise, signal = chance.normal(size=ROWS), chance.normal(size=ROWS)
        noise[:10] = np.nan
        table = Table({"age": noise, "max_age": signal})
        assert _by_weights(table, (signal > 0).astype(int), "classification").argmax() == 1

    def test_of_names_that_begin_alike_each_has_its_own(self) -> None:
        signal = _chance().integers(0, 2, ROWS)
        table = Table({"job": _cities(3), "job_type": np.where(signal, "p", "q").astype(object)})
        found = _by_weights(table, signal, "classification")
        assert found[0] < 0.1 < found[1]

    def test_of_times_each_has_its_own(self) -> None:
        chance = _chance()
        days = chance.integers(0, 300, (2, ROWS))
        table = Table({
            name: np.datetime64("2025-01-01") + each
            for name, each in zip(("made", "sold"), days, strict=True)
        })  # fmt: skip
        found = _by_weights(table, (days[1] > 150).astype(int), "classification")
        assert found.argmax() == 1


class TestEncoder:
    @pytest.mark.parametrize("obj", [
        HistGradientBoostingClassifier(max_iter=5),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ], ids=["histograms", "scaled"])  # fmt: skip
    def test_one_hot_suits_what_takes_no_sparse_rows(
        self, obj: Any, bench: Callable[..., Any]
    ) -> None:
        chance = _chance()
        table = Table({"a": chance.normal(size=ROWS), "city": _cities()})
        target = chance.integers(0, 2, ROWS)
        model, work = bench(obj.fit(table.select(["a"]).frame(), target), table, target)
        made = ENCODE.run(model, {"columns": "all", "categories": "one-hot"}, work)
        assert made.model is not None

    def test_very_many_cells_stay_sparse(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from modelyard.optimization.passes.data import encoding

        table = Table({"city": _cities()})
        assert column_encoder(table, task="classification").sparse_threshold == 0
        monkeypatch.setattr(encoding, "_DENSE", 1000)
        assert column_encoder(table, task="classification").sparse_threshold > 0

    def test_letters_are_words_where_there_are_no_longer_ones(self) -> None:
        letters = np.array([chr(0x4E00 + each) for each in range(300)], object)
        signs = np.array(["".join("!?.-"[each // 4**at % 4] for at in range(5))
                          for each in range(300)], object)  # fmt: skip
        table = Table({"letter": letters, "sign": signs})
        assert list(kinds_of(table).values()) == ["text", "text"]
        encoder = column_encoder(table, task="classification")
        assert [name for name, *_ in encoder.transformers] == ["text_letter"]
        assert encoder.fit_transform(table.frame()).shape == (300, 300)


class TestCleaning:
    def _run(self, bench: Callable[..., Any], fill: str, **columns: Any) -> Any:
        target = _chance().integers(0, 2, ROWS)
        table = Table(columns)
        texts = [name for name, column in columns.items() if column.dtype.kind == "O"]
        first = ColumnTransformer(
            [("k", OneHotEncoder(handle_unknown="ignore"), texts)], remainder="passthrough"
        )
        obj = Pipeline([("columns", first), ("model", LogisticRegression())])
        return CLEAN.run(*_with(bench(obj.fit(table.frame(), target), table, target), fill))

    def test_it_tells_what_is_filled_how(self, bench: Callable[..., Any]) -> None:
        city, vip = _cities(3), np.where(np.arange(ROWS) % 2, "yes", None).astype(object)
        city[::9] = None
        words = np.array([f"it was number {each} of all" for each in range(ROWS)], object)
        words[::7] = None
        made = self._run(bench, "median", a=_chance().normal(size=ROWS), city=city, words=words,
                         vip=vip)  # fmt: skip
        assert made.notes[:2] == (
            "values are missing in city: filled by most_frequent",
            "values are missing in words, vip: not filled",
        )

    def test_text_alone_is_not_filled(self, bench: Callable[..., Any]) -> None:
        words = np.array([f"it was number {each} of all" for each in range(ROWS)], object)
        words[::7] = None
        made = self._run(bench, "median", a=_chance().normal(size=ROWS), words=words)
        assert made.model is None
        assert made.why == "what is missing in words stays; no row is left out"

    def test_flags_beside_it_need_no_most_frequent_value(self, bench: Callable[..., Any]) -> None:
        city = _cities(3)
        city[::9] = None
        flags = _chance().integers(0, 2, (2, ROWS)).astype(bool)
        made = self._run(bench, "most_frequent", f=flags[0], g=flags[1], city=city)
        assert made.model is not None


def _with(given: tuple[Any, Any], fill: str) -> tuple[Any, dict[str, str], Any]:
    return given[0], {"missing": fill, "copies": "keep"}, given[1]
