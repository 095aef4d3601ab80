"""Tiles: counts are exact, and merging two is the tile of all their rows."""

from __future__ import annotations

import math
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.monitoring import Column, Schema
from modelyard.errors import Corrupt, InvalidInput
from modelyard.monitoring.calibration import fit_calibration
from modelyard.monitoring.drift.columns import columns_of
from modelyard.monitoring.folding import fold, fold_asked, group_codes, merge, new_tile
from modelyard.monitoring.packing import pack, unpack, unpack_truth
from modelyard.monitoring.performances import (
    BATCH_BOUNDS,
    LATENCY_BOUNDS,
    latency_bins,
    latency_quantile,
)
from modelyard.monitoring.rows import Asked, Rows
from modelyard.monitoring.tiles import LATENCY_BINS, SCORE_BINS
from modelyard.monitoring.vectors import features_of, shrunk
from modelyard.testing.yard import refused

SCHEMA = Schema(
    columns=(
        Column(name="age", kind="number", edges=(18.0, 30.0, 65.0), low=0.0, high=100.0),
        Column(name="sex", kind="category", categories=("f", "m")),
        Column(name="income", kind="number"),
        Column(name="face", kind="vector", size=6, edges=(2.0,)),
    ),
    task="classification", classes=("no", "yes"), groups=("sex",),
)  # fmt: skip
NUMBERS = Schema(
    columns=SCHEMA.columns[:2], task="regression", groups=("sex",),
    values=Column(name="prediction", kind="number", edges=(0.0, 1.0), low=-1.0, high=2.0),
)  # fmt: skip

special = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 18.0, 100.0, 1e308, -1e308])
floats = st.one_of(special, st.floats(-200, 200), st.floats(width=32))
texts = st.sampled_from([None, "f", "m", "x", "someone else", ""])


@st.composite
def rows(draw, schema=SCHEMA, most=30):
    """Some rows of a schema, as odd as they come, with their truth."""
    count = draw(st.integers(0, most))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    numbers = [draw(st.lists(floats, min_size=count, max_size=count))
               for _ in schema.of_kind("number")]  # fmt: skip
    made = Rows(
        schema, count, np.array(numbers, np.float64).reshape(len(numbers), count).T,
        (draw(st.lists(texts, min_size=count, max_size=count)),),
    )  # fmt: skip
    made.vectors = tuple(random.normal(size=(count, c.size)) for c in schema.of_kind("vector"))
    if schema.classes:
        second = random.uniform(size=count)
        second[random.uniform(size=count) < 0.1] = np.nan
        made.scores = np.column_stack([1 - second, second])
        made.labels = random.integers(-1, 2, count).astype(np.int32)
        made.truth = random.integers(-2, 2, count).astype(np.int32)
    else:
        made.values = random.normal(size=count)
        made.truth = np.where(random.uniform(size=count) < 0.2, np.nan, random.normal(size=count))
    return made


def folded(*parts, calibration=None):
    tile = new_tile(parts[0].schema)
    for part in parts:
        fold(tile, part, calibration)
    return tile


def plain(value):
    """A tile as lists and numbers; of sketches what they are told to count exactly."""
    if hasattr(value, "normalized_rank_error"):
        low_high = (value.get_min_value(), value.get_max_value()) if value.n else ()
        return ("kll", value.n, low_high)
    if hasattr(value, "lg_config_k"):
        return ("hll", round(value.get_estimate(), 6))
    if hasattr(value, "total_weight"):
        return ("frequent", value.total_weight)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in sorted(value.items())}
    if hasattr(value, "__slots__") and not isinstance(value, Schema):
        return {name: plain(getattr(value, name)) for name in value.__slots__}
    return value


def assert_same(one, other, path=""):
    """Counts are equal; sums of floats to 1e-12 of what was added up."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            assert_same(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), path
        for at, (left, right) in enumerate(zip(one, other, strict=True)):
            assert_same(left, right, f"{path}[{at}]")
    elif isinstance(one, float) and math.isfinite(one):
        assert other == pytest.approx(one, rel=1e-9, abs=1e-9), path
    else:
        assert one == other or (one != one and other != other), path


@pytest.mark.parametrize("schema", [SCHEMA, NUMBERS], ids=["classes", "numbers"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_merging_the_tiles_of_parts_gives_the_tile_of_the_whole(schema, data):
    parts = data.draw(st.lists(rows(schema), min_size=2, max_size=4))
    whole, merged = folded(*parts), new_tile(schema)
    for part in parts:
        merge(merged, folded(part))
    assert_same(plain(whole), plain(merged))


@given(some=rows(), more=rows())
@settings(max_examples=40, deadline=None)
def test_a_tile_that_was_merged_into_another_stays_as_it_is(some, more):
    into, other = folded(some), folded(more)
    before = plain(other)
    merge(into, other)
    merge(into, other)
    assert_same(before, plain(other))


@given(some=rows())
@settings(max_examples=60, deadline=None)
def test_every_number_is_counted_once_and_in_its_bin(some):
    tile = folded(some)
    for at, (number, column) in enumerate(zip(tile.numbers, SCHEMA.of_kind("number"), strict=True)):
        values = some.numbers[:, at]
        finite = values[np.isfinite(values)]
        bins = np.searchsorted(np.array(column.edges), finite)
        assert number.counts.tolist() == np.bincount(bins, minlength=len(column.edges) + 1).tolist()
        assert number.rows == some.count
        assert number.nulls == np.isnan(values).sum()
        assert number.infinite == np.isinf(values).sum()
        low = -math.inf if column.low is None else column.low
        high = math.inf if column.high is None else column.high
        assert number.outside == ((finite < low) | (finite > high * 1.000001)).sum()
        if len(finite):
            assert (number.low, number.high) == (finite.min(), finite.max())


@given(parts=st.lists(rows(), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_a_packed_tile_comes_back_as_it_was(parts):
    tile = folded(*parts)
    back = unpack(pack(tile), SCHEMA)
    if tile.rows:
        assert plain(back) == plain(tile) or str(plain(back)) == str(plain(tile))
    merge(back, tile)
    assert back.rows == 2 * tile.rows


def test_moments_are_those_of_numpy_whatever_the_batches_are():
    random = np.random.default_rng(1)
    values = random.normal(1e6, 3.0, (10_000, 2))
    schema = Schema(columns=(SCHEMA.columns[0], SCHEMA.columns[2]))
    tile = new_tile(schema)
    for start in range(0, 10_000, 37):
        part = values[start : start + 37]
        fold(tile, Rows(schema, len(part), part))
    for at, number in enumerate(tile.numbers):
        assert number.mean == pytest.approx(values[:, at].mean(), rel=1e-12)
        assert number.m2 / 9_999 == pytest.approx(values[:, at].var(ddof=1), rel=1e-9)


def test_quantiles_are_within_what_the_sketch_promises():
    schema = Schema(columns=(Column(name="x", kind="number"),))
    values = np.random.default_rng(2).exponential(size=100_000)
    whole = new_tile(schema)
    for part in np.split(values, 100):
        tile = new_tile(schema)
        fold(tile, Rows(schema, len(part), part[:, None]))
        merge(whole, tile)
    for share in (0.01, 0.25, 0.5, 0.9, 0.99):
        found = whole.numbers[0].kll.get_quantile(share)
        assert abs((values <= found).mean() - share) < 0.02


def test_texts_that_are_no_categories_are_counted_together_and_the_frequent_ones_known():
    schema = Schema(columns=(Column(name="city", kind="category", categories=("Rome",)),))
    texts = ["Rome"] * 5 + ["Oslo"] * 300 + [None] * 2 + [f"town {i}" for i in range(500)]
    tile = new_tile(schema)
    fold(tile, Rows(schema, len(texts), np.zeros((len(texts), 0)), (texts,)))
    city = tile.categories[0]
    assert (city.counts.tolist(), city.rows, city.nulls) == ([5, 800], 807, 2)
    assert city.distinct.get_estimate() == pytest.approx(501, rel=0.1)
    import datasketches

    most = city.frequent.get_frequent_items(
        datasketches.frequent_items_error_type.NO_FALSE_NEGATIVES
    )
    assert most[0][0] == "Oslo"


def test_what_came_out_is_counted_for_all_and_by_group():
    labels, second = np.array([1, 0, 1, -1], np.int32), np.array([0.9, 0.2, 0.7, 0.5])
    some = Rows(
        SCHEMA, 4, np.zeros((4, 2)), (["f", "m", "other", None],), (np.zeros((4, 6)),),
        labels=labels, scores=np.column_stack([1 - second, second]),
    )  # fmt: skip
    tile = folded(some)
    said, group = tile.predicted, tile.groups["sex"]
    assert said.labels.tolist() == [1, 2, 1]
    assert said.scores.sum(axis=1).tolist() == [4, 4]
    assert said.scores[1].nonzero()[0].tolist() == [
        int(p * SCORE_BINS) for p in (0.2, 0.5, 0.7, 0.9)
    ]
    assert said.expected == pytest.approx(np.array([[0.8, 0.2], [0.4, 1.6]]))
    assert said.expected_square[1] == pytest.approx([0.09 + 0.21, 0.09 + 0.21])
    assert group.labels.tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 1]]
    assert group.expected.sum() == pytest.approx(3.0)
    assert group_codes(some)["sex"].tolist() == [0, 1, 2, 3]


def test_expectations_are_of_calibrated_scores():
    random = np.random.default_rng(3)
    true = random.uniform(0.3, 0.7, 20_000)
    boasting = np.where(true > 0.5, 0.99, 0.01)
    calibration = fit_calibration(
        np.column_stack([1 - boasting, boasting]), (random.uniform(size=20_000) < true).astype(int)
    )
    some = Rows(SCHEMA, 20_000, np.zeros((20_000, 2)), (["f"] * 20_000,),
                (np.zeros((20_000, 6)),), labels=(boasting > 0.5).astype(np.int32),
                scores=np.column_stack([1 - boasting, boasting]))  # fmt: skip
    tile = folded(some, calibration=calibration)
    assert np.trace(tile.predicted.expected) / 20_000 == pytest.approx(0.6, abs=0.01)


def test_a_row_whose_scores_are_no_numbers_counts_as_not_finite_and_expects_nothing():
    second = np.array([np.nan, 0.5, np.inf])
    some = Rows(SCHEMA, 3, np.zeros((3, 2)), (["f"] * 3,), (np.zeros((3, 6)),),
                labels=np.zeros(3, np.int32),
                scores=np.column_stack([1 - second, second]))  # fmt: skip
    said = folded(some).predicted
    assert (said.not_finite, said.scored, said.scores.sum(), said.expected.sum()) == (2, 1, 2, 1.0)


def test_vectors_with_the_same_distribution_have_the_same_features():
    column = Column(name="v", kind="vector", size=2_000, edges=(60.0,))
    random = np.random.default_rng(4)
    same, moved = (random.normal(by, 1, (2_000, 2_000)) for by in (0.0, 0.1))
    reference = features_of(column, shrunk(random.normal(0, 1, (2_000, 2_000)))).mean(axis=0)
    near, far = (
        np.square(features_of(column, shrunk(v)).mean(axis=0) - reference).sum()
        for v in (same, moved)
    )
    assert far > 5 * near


def test_long_vectors_keep_their_distances_when_they_are_shrunk():
    vectors = np.random.default_rng(5).normal(size=(50, 3 * 64 * 64))
    short = shrunk(vectors)
    true = np.linalg.norm(vectors[0] - vectors[1:], axis=1)
    kept = np.linalg.norm(short[0] - short[1:], axis=1)
    assert short.shape == (50, 512)
    assert np.abs(kept / true - 1).max() < 0.25


def test_rows_of_another_schema_are_refused():
    other = Schema(columns=SCHEMA.columns[:1])
    with refused(InvalidInput, "other-schema"):
        fold(new_tile(SCHEMA), Rows(other, 0, np.zeros((0, 1))))
    with refused(InvalidInput, "other-schema"):
        merge(new_tile(SCHEMA), new_tile(other))


# -- how requests went -----------------------------------------------------------------------------


def asked(total, outcomes=None, batches=(1,), **more):
    nothing = np.zeros(len(total), np.int64)
    return Asked(second=0, outcomes=outcomes or {"ok": len(total)}, total=np.array(total, np.int64),
                 queue=nothing, preprocess=nothing, predict=nothing, postprocess=nothing,
                 rows=len(total), batches=np.array(batches, np.int64), **more)  # fmt: skip


def test_times_fall_into_bins_of_an_eighth_of_a_power_of_two():
    times = np.array([0, 1023, 1024, 1151, 1152, 2047, 2048, 10**6, 10**12])
    bins = latency_bins(times)
    assert bins.tolist()[:7] == [0, 0, 1, 1, 2, 8, 9]
    assert bins[-1] == LATENCY_BINS - 1
    for nanoseconds, place in zip(times[2:-1].tolist(), bins[2:-1].tolist(), strict=True):
        assert LATENCY_BOUNDS[place - 1] <= nanoseconds / 1e9 < LATENCY_BOUNDS[place]


@given(st.lists(st.integers(1_000, 10**10), min_size=1, max_size=300), st.floats(0.01, 1))
@settings(max_examples=60, deadline=None)
def test_a_quantile_of_times_is_never_further_off_than_a_bin(times, share):
    counts = np.bincount(latency_bins(np.array(times)), minlength=LATENCY_BINS)
    found = latency_quantile(counts, share)
    exact = sorted(times)[max(math.ceil(share * len(times)) - 1, 0)] / 1e9
    assert found == pytest.approx(exact, rel=0.126, abs=1.1e-6)


def test_nothing_has_no_quantile():
    assert latency_quantile(np.zeros(LATENCY_BINS, np.int64), 0.5) is None


def test_requests_add_up_over_seconds_and_tiles():
    one, other = new_tile(SCHEMA), new_tile(SCHEMA)
    fold_asked(one, asked([10**6, 2 * 10**6], {"ok": 2, "overloaded": 1}, batches=(1, 2)))
    fold_asked(other, asked([5 * 10**6], batches=(100,), cold=1))
    merge(one, other)
    told = one.performance
    assert (told.requests, told.rows, told.cold) == (4, 3, 1)
    assert told.outcomes == {"ok": 3, "overloaded": 1}
    assert told.sums[0] == pytest.approx(0.008)
    assert told.latency[0].sum() == 3
    assert told.batches.tolist()[:8] == [1, 1, 0, 0, 0, 0, 0, 1]
    assert BATCH_BOUNDS[7] == 128


def test_an_attacker_who_makes_up_outcomes_fills_no_memory():
    tile = new_tile(SCHEMA)
    for number in range(500):
        fold_asked(tile, asked([], {f"kind-{number}": 1}))
    assert len(tile.performance.outcomes) <= 65
    assert sum(tile.performance.outcomes.values()) == 500


# -- bytes -----------------------------------------------------------------------------------------


def twenty(count, seed=0):
    edges = tuple(np.linspace(-2, 2, 31).tolist())
    columns = tuple(Column(name=f"x{i}", kind="number", edges=edges) for i in range(20))
    schema = Schema(columns=columns, task="classification", classes=("no", "yes"))
    random = np.random.default_rng(seed)
    second = random.uniform(size=count)
    return Rows(schema, count, random.normal(size=(count, 20)),
                labels=(second > 0.5).astype(np.int32),
                scores=np.column_stack([1 - second, second]))  # fmt: skip


def test_a_tile_of_twenty_numbers_takes_less_than_100_kilobytes():
    assert len(pack(folded(*(twenty(50_000, seed) for seed in range(4))))) < 100_000


def test_a_tile_of_nothing_but_requests_takes_little():
    tile = new_tile(SCHEMA)
    fold_asked(tile, asked([10**6] * 100))
    assert len(pack(tile)) < 1_000


def test_of_another_schema_only_what_does_not_depend_on_it_is_read():
    second = np.array([0.9, 0.2])
    some = Rows(SCHEMA, 2, np.zeros((2, 2)), (["f", "m"],), (np.zeros((2, 6)),),
                labels=np.array([1, 0], np.int32), scores=np.column_stack([1 - second, second]),
                truth=np.array([1, 1], np.int32))  # fmt: skip
    tile = folded(some)
    fold_asked(tile, asked([10**6]))
    moved = Schema(columns=(SCHEMA.columns[1],), task="classification", classes=SCHEMA.classes,
                   groups=("sex",))  # fmt: skip
    back = unpack(pack(tile), moved)
    assert (back.rows, back.performance.requests, back.truth.rows) == (0, 1, 2)
    assert back.truth.groups["sex"].sum() == 2
    other = Schema(columns=(), task="classification", classes=("no", "yes", "maybe"))
    assert unpack(pack(tile), other).truth.rows == 0
    assert unpack_truth(pack(tile), other) is None  # so that nobody writes it again
    ungrouped = Schema(columns=(), task="classification", classes=SCHEMA.classes)
    alike = unpack_truth(pack(tile), ungrouped)
    assert (alike.truth.rows, alike.truth.groups) == (2, {})


def test_a_tile_that_does_not_tell_its_classes_apart_from_its_groups_is_read():
    tile = folded(twenty(50))
    fields = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(pack(tile)))
    older = zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(fields[:-1]))
    assert unpack(older, tile.schema).rows == 50
    assert unpack_truth(older, tile.schema).truth.rows == tile.truth.rows


@given(garbage=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_garbage_is_corrupt_and_nothing_worse(garbage):
    with refused(Corrupt, "bad-tile"):
        unpack(garbage, SCHEMA)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_of_what_was_packed_does_no_harm(at, bit):
    inner = bytearray(zstandard.ZstdDecompressor().decompress(pack(folded(twenty(50)))))
    inner[at % len(inner)] ^= 1 << bit
    try:
        unpack(zstandard.ZstdCompressor().compress(bytes(inner)), twenty(0).schema)
    except Corrupt:
        return


# -- what sketches tell ----------------------------------------------------------------------------


def of_towns(texts, redact=()):
    schema = Schema(columns=(
        Column(name="town", kind="category", categories=("Rome",)),
        Column(name="x", kind="number"),
    ))  # fmt: skip
    tile = new_tile(schema, redact)
    fold(tile, Rows(schema, len(texts), np.arange(float(len(texts)))[:, None], (texts,)))
    return tile


def test_what_came_often_and_is_no_category_is_told_and_what_came_once_is_not():
    tile = of_towns(["Rome"] * 50 + ["Oslo"] * 30 + ["Bonn"] * 5 + ["Anna Karenina"] * 4)
    window = columns_of(SimpleNamespace(tile=of_towns(["Rome"] * 10)), tile)
    town, number = window[0], window[1]
    assert (dict(town.others), town.distinct) == ({"Oslo": 30, "Bonn": 5}, 3)
    assert number.quantiles == pytest.approx((4, 22, 44, 66, 84), abs=2)
    assert number.reference_quantiles == pytest.approx((0, 2, 5, 7, 9), abs=1)


def test_nothing_is_told_of_a_column_that_is_redacted():
    tile = of_towns(["Oslo"] * 30, redact=("town",))
    assert b"Oslo" not in zstandard.ZstdDecompressor().decompress(pack(tile))
    both = of_towns(["Rome"])
    merge(both, unpack(pack(tile), tile.schema))
    town = columns_of(SimpleNamespace(tile=of_towns(["Rome"])), both)[0]
    assert (town.counts, dict(town.others)) == ((1, 30), {})
