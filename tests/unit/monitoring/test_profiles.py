"""Profiles: made of batches, the same whatever their size; edges that fit the values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import Corrupt, InvalidInput
from modelyard.monitoring import profile_making
from modelyard.monitoring.extracting import One, reader_of
from modelyard.monitoring.folding import fold, new_tile
from modelyard.monitoring.hashing import row_hashes
from modelyard.monitoring.outputs import Scoring
from modelyard.monitoring.profiles import (
    ProfileMaker,
    pack_profile,
    profile_from_rows,
    schema_of,
    unpack_profile,
)
from modelyard.monitoring.rows import Rows
from modelyard.monitoring.schemas import edges_of
from modelyard.testing.yard import refused


def loans(count=5_000, seed=0):
    """Columns, outputs and truth of a classifier that is right as often as it says."""
    random = np.random.default_rng(seed)
    columns = {
        "age": random.integers(18, 90, count),
        "sex": np.array(["f", "m"], object)[random.integers(0, 2, count)],
        "score": random.normal(size=count).astype(np.float32),
        "debt": np.where(random.uniform(size=count) < 0.6, 0.0, random.exponential(size=count)),
        "owner": random.uniform(size=count) > 0.5,
        "town": np.array([f"town {i}" for i in random.integers(0, 5, count)], object),
        "email": np.array([f"{i}@example.org" for i in range(count)], object),
        "sent": np.arange(count).astype("datetime64[s]"),
        "text": random.normal(size=(count, 300)).astype(np.float32),
    }
    second = 1 / (1 + np.exp(-columns["score"].astype(np.float64)))
    truth = np.array(["no", "yes"], object)[(random.uniform(size=count) < second).astype(int)]
    label = np.array(["no", "yes"], object)[(second > 0.5).astype(int)]
    return columns, {"label": label, "probability": np.column_stack([1 - second, second])}, truth


def of(count=5_000, seed=0, **how):
    columns, outputs, truth = loans(count, seed)
    return profile_from_rows(columns, outputs, truth, **how)


def test_a_profile_knows_the_kind_of_every_column():
    schema = of(groups=("sex",)).schema
    assert [(c.name, c.kind, c.size) for c in schema.columns] == [
        ("age", "number", 1), ("sex", "category", 1), ("score", "number", 1),
        ("debt", "number", 1), ("owner", "number", 1), ("town", "category", 1),
        ("email", "category", 1), ("text", "vector", 300),
    ]  # fmt: skip
    assert (schema.task, schema.classes, schema.groups) == (
        "classification", ("no", "yes"), ("sex",),
    )  # fmt: skip
    assert schema.column("owner").edges == (0.5,)
    assert len(schema.column("score").edges) == 31
    assert set(schema.column("town").categories) == {f"town {i}" for i in range(5)}


def test_what_occurs_once_is_nobodys_category():
    assert of().schema.column("email").categories == ()


def test_a_profile_holds_its_rows_the_truth_and_what_scores_mean():
    profile = of(groups=("sex",))
    tile = profile.tile
    assert tile.rows == tile.truth.rows == tile.truth.confusion.sum() == 5_000
    assert tile.truth.groups["sex"].sum() == 5_000
    assert profile.calibration.rows == 5_000
    likely = profile.calibration.apply(np.array([[0.3, 0.7], [0.8, 0.2]]))
    assert likely[:, 1] == pytest.approx([0.7, 0.2], abs=0.07)
    assert np.trace(tile.predicted.expected) == pytest.approx(np.trace(tile.truth.confusion), 0.01)
    assert profile.mean[1] == pytest.approx(0.0, abs=0.05)
    assert profile.covariance[1, 1] == pytest.approx(1.0, abs=0.06)
    assert profile.numbers.shape == (2_000, 4)
    assert profile.categories.shape == (2_000, 3)
    assert profile.vectors[0].shape == (2_000, 300)
    assert np.isfinite(profile.confidence).all()


def test_the_reference_itself_fills_quantile_bins_evenly():
    counts = of(20_000).tile.numbers[1].counts
    assert counts.min() > 0.95 * 20_000 / 32
    assert counts.max() < 1.05 * 20_000 / 32


@pytest.mark.parametrize("batch", [1, 7, 500, 5_000])
def test_batches_make_no_difference(batch):
    columns, outputs, truth = loans(1_000)
    maker = ProfileMaker(groups=("sex",))
    for start in range(0, 1_000, batch):
        rows = slice(start, start + batch)
        maker.add({n: a[rows] for n, a in columns.items()},
                  {n: a[rows] for n, a in outputs.items()}, truth[rows])  # fmt: skip
    assert pack_profile(maker.made()) is not None
    made, whole = maker.made(), of(1_000, groups=("sex",))
    assert made.schema == whole.schema
    assert made.hashes.tolist() == whole.hashes.tolist()
    assert made.tile.truth.confusion.tolist() == whole.tile.truth.confusion.tolist()


def test_of_too_many_rows_a_uniform_sample_is_kept(monkeypatch):
    monkeypatch.setattr(profile_making, "_KEPT", 32_000)  # 16 bytes a row
    maker = ProfileMaker(seed=1)
    for start in range(0, 40_000, 1_000):  # sorted: the first ones are nothing like the last
        maker.add({"x": np.arange(start, start + 1_000)}, {"prediction": np.zeros(1_000)})
    profile = maker.made()
    assert maker.rows == 40_000
    assert profile.tile.rows == 2_000
    assert profile.tile.numbers[0].mean == pytest.approx(20_000, rel=0.05)
    assert np.histogram(profile.numbers, 8)[0].min() > 180


def test_a_profile_comes_back_from_its_bytes():
    profile = of(groups=("sex",))
    back = unpack_profile(pack_profile(profile))
    assert back.schema == profile.schema
    for name in ("mean", "numbers", "categories", "hashes", "confidence"):
        assert np.array_equal(getattr(back, name), getattr(profile, name), equal_nan=True)
    assert back.covariance == pytest.approx(profile.covariance, rel=1e-6)
    assert back.vectors[0].tolist() == profile.vectors[0].tolist()
    assert back.calibration.maps[0][0].tolist() == profile.calibration.maps[0][0].tolist()
    assert back.tile.truth.confusion.tolist() == profile.tile.truth.confusion.tolist()
    fold(back.tile, Rows(back.schema, 0, np.zeros((0, 4)), ([], [], []), (np.zeros((0, 300)),)))


@given(st.binary(max_size=100))
@settings(deadline=None, max_examples=50)
def test_garbage_is_a_corrupt_profile(garbage):
    with refused(Corrupt, "bad-profile", hint=True):
        unpack_profile(garbage)


def test_many_columns_keep_their_variances_only():
    columns = {"data": np.random.default_rng(0).normal(size=(300, 200))}
    profile = profile_from_rows(columns, {"prediction": np.zeros(300)})
    back = unpack_profile(pack_profile(profile))
    assert back.covariance.shape == (200, 200)
    assert np.count_nonzero(back.covariance) == 200
    assert [c.name for c in profile.schema.columns][:2] == ["data[0]", "data[1]"]


def test_a_regression_is_watched_by_its_number():
    random = np.random.default_rng(0)
    x = random.normal(size=500)
    profile = profile_from_rows({"x": x}, {"prediction": x * 2}, x * 2 + 0.1)
    assert profile.schema.task == "regression"
    assert profile.schema.values.low == pytest.approx((x * 2).min())
    assert profile.tile.truth.errors[:2] == pytest.approx([500, -50])


def test_yes_and_no_in_the_data_are_one_and_zero_of_the_model():
    columns, outputs, truth = loans(500)
    numbered = {**outputs, "label": (outputs["label"] == "yes").astype(int)}
    profile = profile_from_rows(columns, numbered, truth, task="classification", classes=(0, 1))
    assert profile.tile.truth.rows == 500
    assert profile.tile.truth.unlisted == 0


def test_a_truth_that_is_missing_is_unknown_and_one_that_is_no_class_unlisted():
    truth = np.array([None, "yes", "maybe", "no"] * 20, object)
    outputs = {"label": np.array(["yes", "no"] * 40, object)}
    profile = profile_from_rows({"x": np.arange(80)}, outputs, truth, classes=("no", "yes"))
    assert (profile.tile.truth.rows, profile.tile.truth.unlisted) == (60, 20)


def test_texts_that_are_fewer_than_the_scores_are_the_classes_and_scores_are_left_out():
    scores = np.tile([0.6, 0.39, 0.01], (80, 1))
    scores[::2] = [0.39, 0.6, 0.01]  # an owl is never the most likely
    label = np.array(["cat", "dog", "owl"], object)[scores.argmax(axis=1)]
    profile = profile_from_rows({"x": np.arange(80)}, {"label": label, "probability": scores})
    assert profile.schema.classes == ("cat", "dog")
    assert profile.tile.predicted.labels.tolist() == [40, 40, 0]
    assert profile.tile.predicted.scored == 0


def test_numbers_that_are_fewer_than_the_scores_are_places_in_them():
    scores = np.tile([0.6, 0.39, 0.01], (80, 1))
    outputs = {"label": scores.argmax(axis=1), "probability": scores}
    profile = profile_from_rows({"x": np.arange(80)}, outputs)
    assert profile.schema.classes == ("0", "1", "2")
    assert profile.tile.predicted.scored == 80


def test_a_thousand_classes_are_too_many_to_watch():
    outputs = {"probability": np.full((10, 1000), 1e-3)}
    profile = profile_from_rows({"x": np.arange(10)}, outputs, task="classification")
    assert (profile.schema.task, profile.schema.classes) == ("other", ())


def test_how_scores_are_read_is_decided_by_all_rows_and_stays():
    given = np.random.default_rng(0).normal(0, 2, (600, 1))
    columns, truth = {"x": given[:, 0]}, (given[:, 0] > 0).astype(int)
    made = profile_from_rows(
        columns, {"output": given}, truth, task="classification", classes=[0, 1]
    )
    kept = unpack_profile(pack_profile(made))
    assert kept.scoring == made.scoring == Scoring("output", logits=True)
    assert kept.tile.predicted.labels.tolist() == [*np.bincount(truth), 0]
    read = reader_of(kept.schema, columns, kept.scoring)
    one = read([One({"x": given[:1, 0]}, {"output": np.array([[0.3]])}, 1, "r", "c")])
    assert one.labels.tolist() == [1]


def test_groups_of_numbers_are_read_as_requests_write_them():
    profile = profile_from_rows(
        {"x": np.arange(100.0), "ward": np.arange(100) % 3.0}, {"prediction": np.arange(100.0)},
        groups=("ward",),
    )  # fmt: skip
    assert set(profile.schema.column("ward").categories) == {"0", "1", "2"}
    assert profile.tile.groups["ward"].rows.tolist() == [34, 33, 33, 0]


@pytest.mark.parametrize(("group", "kind"), [("ago", "no-group-column"), ("age", "bad-group")])
def test_groups_that_are_none_are_refused(group, kind):
    with refused(InvalidInput, kind, hint=True):
        of(300, groups=(group,))


def test_no_rows_make_no_profile():
    with refused(InvalidInput, "no-rows"):
        ProfileMaker().made()


# -- edges -----------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.integers(-5, 5).map(float)), min_size=1,
                max_size=400))  # fmt: skip
@settings(deadline=None, max_examples=80)
def test_edges_ascend_and_part_values_that_differ(values):
    ordered = np.sort(np.array(values))
    edges = edges_of(ordered)
    assert list(edges) == sorted(set(edges))
    distinct = np.unique(ordered)
    if 1 < len(distinct) <= 32 and np.diff(distinct).min() > 1e-6:
        counts = np.bincount(np.searchsorted(np.array(edges), ordered))
        assert counts.tolist() == np.unique(ordered, return_counts=True)[1].tolist()


def test_a_value_that_is_often_there_has_a_bin_of_its_own():
    random = np.random.default_rng(0)
    values = np.sort(np.concatenate([np.zeros(4_000), random.normal(size=6_000)]))
    edges = np.array(edges_of(values))
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    assert counts.max() == 4_000


def test_values_stay_in_their_bins_when_they_pass_through_float32():
    values = np.round(np.random.default_rng(0).uniform(0, 10, 20_000), 1)  # 0.1, 0.2, ...
    schema = schema_of({"x": values})
    first, second = new_tile(schema), new_tile(schema)
    fold(first, Rows(schema, 20_000, values[:, None]))
    fold(second, Rows(schema, 20_000, values[:, None].astype(np.float32).astype(np.float64)))
    assert first.numbers[0].counts.tolist() == second.numbers[0].counts.tolist()
    assert second.numbers[0].outside == 0


# -- hashes ----------------------------------------------------------------------------------------


def test_equal_rows_have_equal_hashes_and_others_not():
    profile = of(1_000)
    assert len(profile.hashes) == 1_000
    assert profile.hash_limit == 2**64 - 1
    assert len(np.unique(profile.hashes)) == 1_000


def test_missing_values_and_signs_of_zero_do_not_change_a_hash():
    schema = schema_of({"x": np.arange(3.0), "t": np.array(["a", "b", "c"], object)})
    odd = np.array([np.nan, -0.0, 1.1])
    even = np.array([-np.nan, 0.0, np.float64(np.float32(1.1))])
    texts = ([None, "a", "a"],)
    one, other = (row_hashes(Rows(schema, 3, x[:, None], texts)) for x in (odd, even))
    assert one.tolist() == other.tolist()
    assert len(set(one.tolist())) == 3


# -- whatever comes --------------------------------------------------------------------------------


@st.composite
def odd_columns(draw):
    """Columns as files have them: empty, endless, mixed, missing."""
    count = draw(st.integers(1, 60))
    number = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324]))
    text = st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["a", "b"]))
    kinds = {
        "floats": st.lists(number, min_size=count, max_size=count).map(np.array),
        "narrow": st.lists(st.floats(width=16), min_size=count, max_size=count).map(
            lambda v: np.array(v, np.float16)
        ),
        "whole": st.lists(st.integers(-(2**63), 2**63 - 1), min_size=count, max_size=count).map(
            lambda v: np.array(v, np.int64)
        ),
        "nothing": st.just(np.full(count, np.nan)),
        "texts": st.lists(text, min_size=count, max_size=count).map(lambda v: np.array(v, object)),
        "none": st.just(np.full(count, None, object)),
        "bytes": st.just(np.full(count, b"x")),
        "times": st.just(np.arange(count).astype("datetime64[s]")),
        "matrix": st.just(np.full((count, 3), np.inf)),
        "column": st.just(np.ones((count, 1), np.uint8)),
        "picture": st.just(np.full((count, 20, 20), np.nan, np.float32)),
        "no-width": st.just(np.zeros((count, 0))),
    }
    names = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, unique=True))
    return count, {name: draw(kinds[name]) for name in names}


@given(odd_columns(), st.booleans(), st.data())
@settings(deadline=None, max_examples=150)
def test_whatever_the_columns_are_a_profile_is_made_and_comes_back(odd, classes, data):
    count, columns = odd
    said = np.array(data.draw(st.lists(st.floats(), min_size=count, max_size=count)))
    outputs = {"prediction": said}
    if classes:
        with np.errstate(invalid="ignore"):
            outputs["label"] = (said > 0).astype(int)
            outputs["probability"] = np.column_stack([said, -said])
    truth = data.draw(st.sampled_from([None, said, np.full(count, None, object)]))
    profile = profile_from_rows(columns, outputs, truth)
    back = unpack_profile(pack_profile(profile))
    assert back.tile.rows == count
    assert back.schema == profile.schema
    for number, column in zip(back.tile.numbers, back.schema.of_kind("number"), strict=True):
        assert len(number.counts) == len(column.edges) + 1
        assert number.counts.sum() + number.nulls + number.infinite == count
        assert number.outside == 0
        assert not np.isnan(number.mean)
