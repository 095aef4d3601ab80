"""Mixing weights: each method against cases worked out by hand, and what must always hold."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.mixing import METHODS, Mix, Room, mix_block, mix_whole, survey_of
from modelyard.core.mixing.numbers import GRAIN, narrow, widen
from modelyard.errors import InvalidInput

DTYPES = {"float16": "<f2", "float32": "<f4", "float64": "<f8"}
BASED = ("ties", "dare", "task-arithmetic")


def raw(values, dtype="float32"):
    values = np.asarray(values)
    if dtype == "bfloat16":
        out = np.empty(2 * values.size, np.uint8)
        narrow(values.astype("<f4"), dtype, out, Room())
        return out
    return values.astype(DTYPES[dtype]).reshape(-1).view(np.uint8)


def values_of(data, dtype="float32"):
    return np.array(widen(data, dtype, "read", Room()))


def mixed(method, *sides, base=None, dtype="float32", name="w", **numbers):
    mix = Mix.parse(method, len(sides), **numbers)
    under = None if base is None else raw(base, dtype)
    out = mix_whole(mix, name, dtype, [raw(side, dtype) for side in sides], under, Room())
    return values_of(out, dtype)


def in_blocks(mix, dtype, sides, base, sizes, order):
    """What blocks of these sizes give, taken in any order, surveys of whole grains."""
    width = 2 if dtype == "bfloat16" else np.dtype(DTYPES[dtype]).itemsize
    room, elements = Room(), len(sides[0]) // width
    survey = survey_of(mix, dtype, elements)

    def parts(sizes):
        at = 0
        for size in sizes:
            if at < elements:
                yield at, min(at + size, elements)
            at += size

    def cut(data, a, b):
        return None if data is None else data[a * width : b * width]

    while survey is not None and survey.facts is None:
        grains = list(parts([GRAIN] * (elements // GRAIN + 1)))
        order.shuffle(grains)
        for a, b in grains:
            survey.add(a, [cut(side, a, b) for side in sides], cut(base, a, b), room)
        survey.finish()
    out = np.empty(len(sides[0]), np.uint8)
    blocks = list(parts(sizes))
    order.shuffle(blocks)
    for a, b in blocks:
        mix_block(
            mix, "w", dtype, a, [cut(side, a, b) for side in sides], cut(base, a, b),
            survey.facts if survey else None, cut(out, a, b), room,
        )  # fmt: skip
    return out


# -- by hand -------------------------------------------------------------------------------------


def test_average_is_the_mean():
    assert mixed("average", [1, 2, 4], [3, 2, 0]).tolist() == [2, 2, 2]
    assert np.allclose(mixed("average", [1, 0], [2, 0], [6, 3]), [3, 1])


def test_weights_are_brought_to_a_sum_of_one():
    assert mixed("weighted", [1, 8], [5, 0], weights=[3, 1]).tolist() == [2, 6]
    assert mixed("weighted", [1, 1], [3, 5], weights=[-1, 2]).tolist() == [5, 9]


def test_slerp_goes_along_the_arc():
    half = math.sqrt(0.5)
    assert np.allclose(mixed("slerp", [1, 0], [0, 1]), [half, half])
    third = mixed("slerp", [1, 0], [0, 1], weights=[2, 1])
    assert np.allclose(third, [math.cos(math.pi / 6), math.sin(math.pi / 6)])


def test_slerp_of_colinear_opposite_or_empty_tensors_is_a_straight_line():
    assert np.allclose(mixed("slerp", [1, 2], [2, 4]), [1.5, 3])
    assert np.allclose(mixed("slerp", [1, 2], [-1, -2], weights=[3, 1]), [0.5, 1])
    assert np.allclose(mixed("slerp", [0, 0], [2, 4]), [1, 2])


def test_task_arithmetic_adds_what_was_changed():
    base, a, b = [1, 1, 1], [2, 1, 0], [1, 3, 0]
    assert mixed("task-arithmetic", a, b, base=base).tolist() == [2, 3, -1]
    assert mixed("task-arithmetic", a, b, base=base, scale=0.5).tolist() == [1.5, 2, 0]
    assert mixed("task-arithmetic", a, b, base=base, weights=[1, -1]).tolist() == [2, -1, 1]
    assert mixed("task-arithmetic", a, base=base, scale=-1).tolist() == [0, 1, 2]


def test_ties_trims_elects_and_averages_those_that_agree():
    base = [0] * 5
    a, b, c = [3, -4, 0.1, 2, 5], [1, 2, -9, 0.1, 5], [-2, -1, 9, 0.2, 5]
    # three of five are kept: a loses 0.1 and 2, b loses 0.1 and 1, c loses 0.2 and -1
    # sums: 1, -2, 0, 0, 15; signs +, -, none, none, +
    assert mixed("ties", a, b, c, base=base, density=0.6).tolist() == [3, -4, 0, 0, 5]
    # kept whole, the sums are 2, -3, 0.1, 2.3, 15
    assert np.allclose(mixed("ties", a, b, c, base=base, density=1), [2, -2.5, 4.55, 2.3 / 3, 5])
    assert np.allclose(mixed("ties", a, b, c, base=[10] * 5, density=1, scale=0)[:2], [10, 10])


def test_ties_keeps_all_that_are_as_large_as_the_smallest_kept():
    a = [1, -1, 1, 0.5]
    assert mixed("ties", a, base=[0] * 4, density=0.25).tolist() == [1, -1, 1, 0]


def test_ties_weights_count_in_the_election_and_in_the_mean():
    assert mixed("ties", [1], [-2], base=[0], density=1, weights=[3, 1]).tolist() == [1]
    assert mixed("ties", [1], [4], base=[0], density=1, weights=[2, 1]).tolist() == [2]


def test_dare_drops_and_makes_the_rest_larger():
    base = np.zeros(1000)
    given = np.ones(1000)
    made = mixed("dare", given, base=base, density=0.25)
    assert set(made.tolist()) == {0, 4}
    assert mixed("dare", given, base=base, density=1).tolist() == given.tolist()


# -- what always holds ---------------------------------------------------------------------------

floats = st.floats(-1000, 1000, width=16)
dtypes = st.sampled_from(["float16", "bfloat16", "float32", "float64"])


def tensors(count):
    return st.integers(1, 60).flatmap(
        lambda size: st.lists(
            st.lists(floats, min_size=size, max_size=size), min_size=count, max_size=count
        )
    )


@given(st.lists(st.floats(width=32), min_size=1, max_size=50), st.integers(2, 4), dtypes)
def test_equal_models_give_themselves_bit_for_bit(values, count, dtype):
    with np.errstate(over="ignore"):
        side = raw(values, dtype)
    for method in METHODS:
        if method == "slerp" and count != 2:
            continue
        weights = [1.0, 2.0, 3.0, 4.0][:count] if method == "weighted" else None
        mix = Mix.parse(method, count, weights=weights)
        base = side if mix.needs_base else None
        out = mix_whole(mix, "w", dtype, [side] * count, base, Room())
        assert out.tobytes() == side.tobytes(), method


@given(tensors(2), dtypes)
def test_a_weight_of_one_and_zeros_is_the_first_model(sides, dtype):
    made = mixed("weighted", *sides, weights=[1, 0], dtype=dtype)
    assert made.tobytes() == values_of(raw(sides[0], dtype), dtype).tobytes()


@given(tensors(4), st.permutations([0, 1, 2]), st.sampled_from(["average", "ties"]))
def test_the_order_of_versions_does_not_matter(sides, order, method):
    *sides, base = sides
    numbers = {"base": base, "density": 0.5} if method == "ties" else {}
    # sums that cancel exactly in one order only would elect either sign: no sums near 0
    if method == "ties":
        sides = [[abs(x) + abs(b) + b for x, b in zip(side, base, strict=True)] for side in sides]
    first = mixed(method, *sides, **numbers)
    other = mixed(method, *(sides[i] for i in order), **numbers)
    assert np.allclose(first, other, rtol=1e-5, atol=1e-3)


@given(tensors(2), dtypes, st.floats(-2, 2, width=16))
def test_ties_of_one_untrimmed_model_is_task_arithmetic(sides, dtype, scale):
    a, base = sides
    numbers = {"base": base, "dtype": dtype, "scale": scale}
    ties = mixed("ties", a, density=1, **numbers)
    assert ties.tolist() == mixed("task-arithmetic", a, **numbers).tolist()


@given(tensors(2), st.floats(0, 1))
def test_slerp_keeps_the_norm_of_vectors_of_equal_norm(sides, t):
    a, b = (np.array(side) + 0.5 for side in sides)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    made = mixed("slerp", a, b, dtype="float64", weights=[1 - t, t])
    cosine = float(a @ b)
    if abs(cosine) < 0.9994:
        assert math.isclose(np.linalg.norm(made), 1, rel_tol=1e-9)
    elif abs(cosine) > 0.9996:
        assert np.allclose(made, (1 - t) * a + t * b)


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(METHODS), dtypes, st.integers(1, 3 * GRAIN),
    st.lists(st.integers(1, 2 * GRAIN), min_size=1, max_size=8), st.randoms(use_true_random=False),
)  # fmt: skip
def test_blocks_of_any_size_and_order_give_the_same_bits(method, dtype, elements, sizes, order):
    rng = np.random.default_rng(elements)
    base, a, b = (raw(v, dtype) for v in rng.normal(size=(3, elements)).round(2))
    mix = Mix.parse(method, 2, weights=[1, 2] if method == "weighted" else None)
    under = base if mix.needs_base else None
    whole = mix_whole(mix, "w", dtype, [a, b], under, Room())
    sizes = [*sizes, *[GRAIN] * 3]
    assert in_blocks(mix, dtype, [a, b], under, sizes, order).tobytes() == whole.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("kind", ["normal", "equal", "few", "tiny", "zeros"])
def test_trimming_in_blocks_finds_the_exact_threshold(dtype, kind):
    rng = np.random.default_rng(5)
    size = 2 * GRAIN + 77
    steps = {
        "normal": rng.normal(size=size), "equal": np.full(size, 0.25), "zeros": np.zeros(size),
        "few": rng.integers(-3, 4, size), "tiny": rng.normal(size=size) * 1e-42,
    }[kind]  # fmt: skip
    mix = Mix.parse("ties", 1, density=0.3)
    side, base = raw(steps, dtype), raw(np.zeros(size), dtype)
    whole = mix_whole(mix, "w", dtype, [side], base, Room())
    assert (
        in_blocks(mix, dtype, [side], base, [GRAIN] * 4, random.Random(0)).tobytes()
        == whole.tobytes()
    )
    given_, kept = values_of(side, dtype), values_of(whole, dtype)
    limit = np.sort(np.abs(given_))[::-1][round(0.3 * size) - 1]
    assert np.array_equal(kept, np.where(np.abs(given_) >= limit, given_, 0))


def test_dare_expects_what_was_changed():
    size = 400_000
    rng = np.random.default_rng(1)
    change = rng.normal(1.0, 0.1, size).astype("f4")
    made = mixed("dare", change, base=np.zeros(size), density=0.1)
    assert abs(np.count_nonzero(made) / size - 0.1) < 0.003
    assert abs(made.mean() - 1) < 0.02
    assert np.allclose(made[made != 0], change[made != 0] * 10)


def test_dare_drops_by_seed_name_and_version_alone():
    values, base = np.ones(1000), np.zeros(1000)
    first = mixed("dare", values, base=base)
    assert np.array_equal(first, mixed("dare", values, base=base, seed=0))
    assert not np.array_equal(first, mixed("dare", values, base=base, seed=1))
    assert not np.array_equal(first, mixed("dare", values, base=base, name="v"))
    both = mixed("dare", values, values, base=base, density=0.5)
    assert {0, 2, 4} == set(both.tolist()), "each version has its own drops"


def test_infinities_and_signs_of_zeros_stay_where_all_agree():
    kept = [math.inf, -math.inf, -0.0]
    made = mixed("average", [*kept, 1], [*kept, 2])
    assert made.tolist() == [*kept, 1.5]
    assert math.copysign(1, made[2]) == -1


def test_what_is_no_number_stays_none():
    assert np.isnan(mixed("average", [math.nan, 1], [1, 1])[0])
    assert np.isnan(mixed("ties", [math.nan, 5], [1, 5], base=[0, 0], density=0.5)[0])


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=200))
def test_bfloat16_is_rounded_as_the_reference_does(bits):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.array(bits, "<u4").view("<f4")
    with np.errstate(all="ignore"):
        expected = values.astype(ml_dtypes.bfloat16)
    out = np.empty(2 * len(values), np.uint8)
    narrow(values, "bfloat16", out, Room())
    made = out.view(ml_dtypes.bfloat16)
    assert np.array_equal(np.isnan(made.astype("f4")), np.isnan(values))
    known = ~np.isnan(values)
    assert np.array_equal(made.view("<u2")[known], expected.view("<u2")[known])


# -- wishes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "count", "numbers"),
    [
        ("mean", 2, {}),
        ("average", 1, {}),
        ("average", 2, {"weights": [1, 1]}),
        ("average", 2, {"density": 0.5}),
        ("average", 2, {"seed": 1}),
        ("weighted", 2, {}),
        ("weighted", 2, {"weights": [1]}),
        ("weighted", 2, {"weights": [0, 0]}),
        ("weighted", 2, {"weights": [1, -1]}),
        ("weighted", 2, {"weights": [1, math.nan]}),
        ("weighted", 2, {"weights": [1, math.inf]}),
        ("weighted", 2, {"weights": "11"}),
        ("weighted", 2, {"weights": 0.5}),
        ("weighted", 2, {"weights": [1, None]}),
        ("slerp", 3, {}),
        ("slerp", 2, {"weights": [-1, 3]}),
        ("ties", 0, {}),
        ("ties", 2, {"density": 0}),
        ("ties", 2, {"density": 1.5}),
        ("ties", 2, {"density": math.nan}),
        ("ties", 2, {"density": "0.2"}),
        ("ties", 2, {"scale": 10**400}),
        ("ties", 2, {"seed": 1}),
        ("dare", 2, {"seed": -1}),
        ("dare", 2, {"seed": True}),
    ],
)
def test_numbers_that_can_not_be_are_refused(method, count, numbers):
    with pytest.raises(InvalidInput) as caught:
        Mix.parse(method, count, **numbers)
    assert caught.value.kind == "bad-mix"
    assert caught.value.hint


def test_a_mix_says_what_it_is():
    assert str(Mix.parse("average", 2)) == "average"
    assert str(Mix.parse("ties", 2)) == "ties (density 0.2)"
    assert str(Mix.parse("weighted", 2, weights=[3, 1])) == "weighted (weights 0.75 0.25)"
    assert Mix.parse("dare", 2, density=0.5, seed=3).params() == {
        "merge.method": "dare", "merge.weights": [1.0, 1.0], "merge.density": 0.5,
        "merge.scale": 1.0, "merge.seed": 3,
    }  # fmt: skip
