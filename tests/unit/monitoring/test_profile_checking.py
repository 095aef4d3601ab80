"""References that may come from anybody: what does not fit together is none, and takes nothing."""

from __future__ import annotations

import dataclasses
import resource

import msgspec
import numpy as np
import pytest
import zstandard

from modelyard.core.decoding import decode_packed
from modelyard.core.monitoring import Column
from modelyard.core.zstd import decompressed
from modelyard.errors import Corrupt, InvalidInput
from modelyard.monitoring import profile_packing as packing
from modelyard.monitoring.profiles import pack_profile, profile_from_rows, unpack_profile
from modelyard.testing.yard import refused


def array(values, dtype="<f8"):
    made = np.asarray(values, dtype)
    return packing._Array(dtype, list(made.shape), made.tobytes())


def zeros(*shape, dtype="<f8"):
    return array(np.zeros(shape), dtype)


def body():
    random = np.random.default_rng(0)
    x = random.normal(size=600)
    second = 1 / (1 + np.exp(-x))
    columns = {
        "x": x, "b": 2 * x, "word": np.array([f"w{i % 5}" for i in range(600)], object),
        "picture": random.normal(size=(600, 300)).astype(np.float32),
    }  # fmt: skip
    outputs = {"label": (second > 0.5).astype(int), "probability": np.c_[1 - second, second]}
    truth = (random.uniform(size=600) < second).astype(int)
    return pack_profile(profile_from_rows(columns, outputs, truth, groups=("word",)))


BODY = body()


def changed(change):
    packed = decode_packed(decompressed(BODY, 1 << 28), packing._Packed)
    change(packed)
    return zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(packed))


def schema(**how):
    def change(packed):
        packed.schema = dataclasses.replace(packed.schema, **how)

    return change


def columns(kind, **how):
    def change(packed):
        each = tuple(
            dataclasses.replace(c, **how) if c.kind == kind else c for c in packed.schema.columns
        )
        packed.schema = dataclasses.replace(packed.schema, columns=each)

    return change


def more(*columns):
    def change(packed):
        made = (*packed.schema.columns, *columns)
        packed.schema = dataclasses.replace(packed.schema, columns=made)

    return change


def arrays(**how):
    return lambda packed: packed.arrays.update(how)


def maps(*of):
    def change(packed):
        packed.maps = [(array(x), array(y)) for x, y in of]

    return change


def spreads(*of):
    def change(packed):
        packed.spreads = list(of)

    return change


def vectors(*of):
    def change(packed):
        packed.vectors = list(of)

    return change


BAD = {
    "a covariance of another width": arrays(covariance=zeros(10_000)),
    "a covariance of another shape": arrays(covariance=zeros(2, 3)),
    "eight thousand classes": schema(classes=tuple(map(str, range(8_000)))),
    "a vector of 2^40": more(Column(name="v", kind="vector", size=1 << 40)),
    "a vector of nothing": more(Column(name="v", kind="vector", size=0)),
    "a number of -3": columns("number", size=-3),
    "too many columns": more(*(Column(name=f"c{i}", kind="category") for i in range(4_097))),
    "too many edges": columns("number", edges=tuple(map(float, range(1_025)))),
    "edges that are none": columns("number", edges=(1.0, float("nan"))),
    "edges that do not ascend": columns("number", edges=(1.0, 0.0)),
    "no range": columns("number", low=float("inf"), high=float("-inf")),
    "too many categories": columns("category", categories=tuple(map(str, range(1_025)))),
    "a long name": more(Column(name="n" * 501, kind="number")),
    "groups that are not there": schema(groups=("nope",)),
    "groups of numbers": schema(groups=("x",)),
    "a prediction of vectors": schema(values=Column(name="p", kind="vector", size=3)),
    "means that are none": arrays(mean=array([np.nan, 0.0])),
    "covariances that are none": arrays(covariance=array(np.full((2, 2), np.nan))),
    "numbers of another width": arrays(numbers=zeros(600, 5, dtype="<f4")),
    "categories of another width": arrays(categories=zeros(600, 9, dtype="<i4")),
    "categories that are none": arrays(categories=array(np.full((600, 1), 99), "<i4")),
    "confidence of other rows": arrays(confidence=zeros(3, dtype="<f4")),
    "residuals of other bins": arrays(residuals=zeros(300, 9, dtype="<f4")),
    "an empty map": maps(([], [])),
    "a map of two lengths": maps(([0.0, 1.0], [0.5])),
    "a map that does not ascend": maps(([1.0, 0.0], [0.5, 0.6])),
    "too many maps": maps(([0.0], [0.5]), ([0.0], [0.5]), ([0.0], [0.5])),
    "no spreads": spreads(),
    "spreads of another width": spreads(zeros(7, dtype="<f4")),
    "vectors of another width": vectors(zeros(600, 7, dtype="<f4")),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_together_is_no_reference(what):
    sent = changed(BAD[what])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with refused(Corrupt, "bad-profile", hint=True):
        unpack_profile(sent)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


def test_what_fits_together_is_one():
    assert unpack_profile(changed(lambda _: None)).residuals.size


def test_many_groups_are_refused_before_they_are_kept():
    count = 100
    columns = {f"g{i}": np.array(["a", "b"] * (count // 2), object) for i in range(17)}
    made = profile_from_rows(columns, {"y": np.zeros(count)}, groups=tuple(columns))
    with refused(InvalidInput, "bad-schema"):
        pack_profile(made)


def test_columns_with_very_long_names_are_not_watched():
    columns = {"x": np.arange(100.0), "y" * 600: np.arange(100.0)}
    made = unpack_profile(pack_profile(profile_from_rows(columns, {"y": np.arange(100.0)})))
    assert [column.name for column in made.schema.columns] == ["x"]
