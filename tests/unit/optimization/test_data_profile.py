"""A look at data finds what was planted, and leaves real data alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.optimization.data_profile import labelled, profile_data
from modelyard.optimization.passes.data.leaks import exact_copies, near_copies, skill
from modelyard.optimization.passes.data.rows import codes_of, folds, is_missing, row_groups
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.optimization.data_facts import DataFacts


def _rows(load: Any) -> Rows:
    bunch = load()
    names = [str(name) for name in bunch.feature_names]
    return Rows(Table(dict(zip(names, bunch.data.T, strict=True))), bunch.target)


def _with(rows: Rows, **columns: Any) -> Rows:
    return Rows(Table({**rows.inputs.columns, **columns}), rows.target)


def _halves(rows: Rows) -> tuple[Rows, Rows]:
    order = np.random.default_rng(0).permutation(len(rows))
    return rows.take(order[: len(rows) // 2]), rows.take(order[len(rows) // 2 :])


def _about(facts: DataFacts) -> set[str]:
    return {each.about for each in facts.findings}


class TestLeakage:
    def test_a_column_made_of_the_target_is_found(self) -> None:
        rows = _rows(load_wine)
        chance = np.random.default_rng(0)
        leak = np.asarray(rows.target) * 3 + chance.normal(size=len(rows)) * 0.1
        facts = profile_data(_with(rows, code=leak), labels=False)
        assert [each.column for each in facts.leaks] == ["code"]
        assert facts.findings[0].about == "leak"

    def test_missing_values_may_tell_the_target(self) -> None:
        rows = _rows(load_breast_cancer)
        chance = np.random.default_rng(0)
        told = np.where(np.asarray(rows.target) == 1, np.nan, chance.normal(size=len(rows)))
        facts = profile_data(_with(rows, treated_at=told), labels=False)
        assert [each.column for each in facts.leaks] == ["treated_at"]

    def test_of_numbers_the_variance_counts(self) -> None:
        rows = _rows(load_diabetes)
        target = np.asarray(rows.target)
        chance = np.random.default_rng(0)
        assert skill(target * 2 + 1, target, "regression") > 0.99
        assert skill(target + chance.normal(size=len(target)) * 77, target, "regression") < 0.7
        assert skill(chance.normal(size=len(target)), target, "regression") < 0.05

    @pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_diabetes])
    def test_strong_columns_of_real_data_are_no_leaks(self, load: Any) -> None:
        assert not profile_data(_rows(load), labels=False).leaks


class TestOverlap:
    def test_rows_of_both_parts_are_counted(self) -> None:
        train, other = _halves(_rows(load_breast_cancer))
        mixed = Rows(
            Table({
                name: np.concatenate([column, train.inputs.columns[name][:13]])
                for name, column in other.inputs.columns.items()
            }),
            np.concatenate([np.asarray(other.target), np.asarray(train.target)[:13]]),
        )  # fmt: skip
        facts = profile_data(train, mixed, labels=False)
        assert facts.overlap is not None
        assert (facts.overlap.exact, facts.overlap.near) == (13, 0)
        assert facts.findings[0].about == "overlap"

    def test_rows_that_were_measured_again_are_almost_equal(self) -> None:
        train, other = _halves(_rows(load_breast_cancer))
        chance = np.random.default_rng(0)
        again = Table({
            name: np.concatenate([
                other.inputs.columns[name],
                column[:20] + chance.normal(size=20) * column.std() * 0.002,
            ]) for name, column in train.inputs.columns.items()
        })  # fmt: skip
        near = near_copies(train.inputs, again)
        assert near[-20:].all()
        assert not near[:-20].any()
        assert not exact_copies(train.inputs, again).any()

    def test_texts_with_a_word_more_are_almost_equal(self) -> None:
        texts = [f"order {i} of {w} came late and broken again" for i, w in
                 enumerate(["books", "shoes", "lamps", "bread", "glass"])]  # fmt: skip
        train = Table({"text": np.array([*texts, "all was well"], object)})
        other = Table({"text": np.array([f"{texts[1]} today", "nothing came", texts[0]], object)})
        assert near_copies(train, other).tolist() == [True, False, False]
        assert exact_copies(train, other).tolist() == [False, False, True]


class TestUnlikeFiles:
    """Data as it comes: the report comes anyway."""

    @staticmethod
    def _data(seed: int = 0, **more: Any) -> Rows:
        chance = np.random.default_rng(seed)
        columns = {"a": chance.normal(size=120), "b": chance.normal(size=120), **more}
        return Rows(Table(columns), (columns["b"] > 0).astype(int))

    def test_an_infinite_number_is_no_end(self) -> None:
        rows = self._data()
        rows.inputs.columns["a"][3] = np.inf
        facts = profile_data(rows, self._data(1))
        assert facts.doubted is not None
        assert facts.columns[0].most is not None
        assert facts.columns[0].most < 10
        numbers = Rows(rows.inputs, np.where(np.arange(120) == 5, np.inf, rows.inputs.columns["b"]))
        assert all(np.isfinite(each.skill or 0) for each in profile_data(numbers).columns)

    def test_letters_alone_are_no_end(self) -> None:
        letters = np.array([chr(0x4E00 + each) for each in range(300)], object)
        chance = np.random.default_rng(0)
        table = Table({"a": chance.normal(size=300), "letter": letters})
        assert profile_data(Rows(table, np.arange(300) % 2)).doubted is not None

    def test_rows_that_no_judge_takes_are_not_judged(self) -> None:
        pictures = np.random.default_rng(0).normal(size=(120, 2, 2))
        facts = profile_data(Rows(Table({"p": pictures}), np.arange(120) % 2))
        assert facts.doubted is None

    def test_a_sign_among_numbers_is_a_missing_number_and_told(self) -> None:
        rows = self._data()
        signs = rows.inputs.columns["a"].astype(str).astype(object)
        signs[0] = "?"
        facts = profile_data(rows, _with(rows, a=signs), labels=False)
        assert facts.overlap is not None
        assert facts.overlap.exact == 119
        assert facts.overlap.differing == ("a",)
        assert [each.columns for each in facts.findings if each.about == "differing"] == [("a",)]

    @pytest.mark.parametrize("other", [
        np.array(["2020-01-01"] * 120, "datetime64[D]"), np.array(["x"] * 120, object),
        np.zeros((120, 2)),
    ], ids=["times", "words", "axes"])  # fmt: skip
    def test_columns_that_can_t_be_compared_are_left_out_and_told(self, other: Any) -> None:
        rows = self._data(c=np.arange(120) * 1.0)
        facts = profile_data(rows, _with(rows, c=other), labels=False)
        assert facts.overlap is not None
        assert (facts.overlap.exact, facts.overlap.differing) == (120, ("c",))

    def test_a_column_that_is_empty_in_one_file_is_of_every_kind(self) -> None:
        rows = self._data(c=np.array(["x", None] * 60, object))
        other = _with(rows, c=np.full(120, np.nan))
        facts = profile_data(rows, other, labels=False)
        assert facts.overlap is not None
        assert (facts.overlap.exact, facts.overlap.differing) == (60, ())

    def test_files_with_nothing_in_common_have_no_rows_in_common(self) -> None:
        rows = self._data()
        other = Rows(Table({"z": np.arange(120)}), rows.target)
        facts = profile_data(rows, other, labels=False)
        assert facts.overlap is not None
        assert (facts.overlap.exact, facts.overlap.near) == (0, 0)

    def test_one_value_or_none_is_not_the_same_in_every_row(self) -> None:
        rows = self._data()
        paid = np.where(np.asarray(rows.target) == 1, "yes", None).astype(object)
        facts = profile_data(_with(rows, paid=paid), labels=False)
        assert "paid" in [each.column for each in facts.leaks]
        assert "constant" not in _about(facts)


class TestRows:
    def test_copies_and_contradictions_are_counted(self) -> None:
        table = Table({"a": np.array([1, 1, 1, 2, 3, 3]), "b": np.array(list("xxxyzz"), object)})
        facts = profile_data(Rows(table, np.array([0, 0, 1, 1, 0, 0])), labels=False)
        assert (facts.copies, facts.conflicts) == (2, 3)
        assert {"copies", "conflicts"} <= _about(facts)

    def test_missing_values_are_alike(self) -> None:
        table = Table({"a": np.array([np.nan, np.nan, 1.0]), "b": np.array([None, None, "x"])})
        assert row_groups(table).tolist()[:2] == [row_groups(table)[0]] * 2
        assert is_missing(table.columns["b"]).tolist() == [True, True, False]
        assert codes_of(np.zeros((3, 2, 2))).tolist() == [0, 0, 0]

    def test_folds_keep_copies_on_one_side_and_classes_even(self) -> None:
        groups = np.repeat(np.arange(50), 2)
        target = np.repeat(np.arange(50) % 2, 2)
        seen = []
        for inside, outside in folds(groups, target, "classification", count=5, seed=0):
            assert not set(groups[inside]) & set(groups[outside])
            assert target[outside].mean() == 0.5
            seen += outside.tolist()
        assert sorted(seen) == list(range(100))


class TestLabels:
    def test_planted_errors_are_found_and_told(self) -> None:
        rows = _rows(load_wine)
        target = np.array(["red", "white", "rose"], object)[np.asarray(rows.target)]
        planted = [3, 20, 80, 110]
        for row in planted:
            target[row] = "rose" if target[row] != "rose" else "red"
        facts = profile_data(Rows(rows.inputs, target))
        found = {each.row for each in facts.doubts}
        assert set(planted) <= found
        assert len(found) <= 7
        assert facts.doubts[0].label != facts.doubts[0].instead
        assert facts.doubted == pytest.approx(4 / 178, abs=0.02)

    def test_classes_that_overlap_are_not_taken_for_wrong_labels_alone(self) -> None:
        chance = np.random.default_rng(0)
        values = chance.normal(size=6000)
        target = (values + chance.normal(size=6000) > 0).astype(int)
        facts = profile_data(Rows(Table({"a": values}), target))
        assert facts.judged == 5000
        said = next(each.sentence for each in facts.findings if each.about == "labels")
        assert "of 5,000 looked at" in said
        assert "do not tell the classes apart" in said

    def test_a_column_that_leaks_is_no_witness(self) -> None:
        rows = _rows(load_wine)
        target = np.asarray(rows.target).copy()
        target[[3, 80]] = 2
        leaked = _with(Rows(rows.inputs, target), leak=target * 1.0)
        assert {3, 80} <= {each.row for each in profile_data(leaked).doubts}


class TestColumns:
    def test_each_is_described(self) -> None:
        chance = np.random.default_rng(0)
        table = Table({
            "id": np.arange(100) + 5, "same": np.ones(100), "size": chance.normal(size=100),
            "town": np.array(["a", "b", None, "a"] * 25, object),
            "picture": np.zeros((100, 3, 3)),
        })  # fmt: skip
        facts = profile_data(Rows(table, chance.integers(0, 2, 100)), labels=False)
        by_name = {each.name: each for each in facts.columns}
        assert by_name["id"].is_identifier
        assert not by_name["size"].is_identifier
        assert by_name["same"].kind == "constant"
        assert by_name["town"].common[0] == ("a", 0.5)
        assert by_name["town"].missing == 0.25
        assert sum(by_name["size"].spread) == pytest.approx(1)
        assert by_name["picture"].kind == "array"
        assert {"constant", "identifier", "missing", "text"} <= _about(facts)

    def test_rare_classes_are_told(self) -> None:
        rows = _rows(load_breast_cancer)
        few = np.concatenate(
            [np.flatnonzero(rows.target == 1), np.flatnonzero(rows.target == 0)[:9]]
        )
        facts = profile_data(rows.take(few), labels=False)
        assert facts.target is not None
        assert facts.target.classes == (("1", 357), ("0", 9))
        assert "balance" in _about(facts)


class TestFiles:
    def test_rows_without_a_target_are_left_out(self, tmp_path: Path) -> None:
        file = tmp_path / "rows.csv"
        file.write_text("a,b,y\n" + "".join(f"{i},x,{'' if i < 3 else i % 2}\n" for i in range(30)))
        found = labelled(file, "y")
        assert (len(found.rows), found.left_out) == (27, 3)
        assert found.rows.inputs.names == ("a", "b")

    def test_what_can_t_be_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "rows.csv"
        file.write_text("y\n1\n2\n")
        for column, kind in (("y", "no-inputs"), ("z", "no-column")):
            with pytest.raises(InvalidInput) as caught:
                labelled(file, column)
            assert caught.value.kind == kind
