"""The manifest: canonical bytes, so that equal parameters make an equal tree."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.manifest import Manifest
from modelyard.errors import InvalidInput

names = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
metrics = st.dictionaries(names, st.floats(allow_nan=False, allow_infinity=False), max_size=4)


@given(st.dictionaries(names, values, max_size=4), metrics)
def test_a_manifest_reads_back_as_it_was(params, metrics):
    manifest = Manifest(params=params, metrics=metrics)
    assert Manifest.decode(manifest.encode()) == manifest


@given(st.dictionaries(names, values, max_size=4))
def test_the_order_of_params_makes_no_difference(params):
    backwards = dict(reversed(params.items()))
    assert Manifest(params=params).encode() == Manifest(params=backwards).encode()


def test_an_empty_manifest_says_nothing():
    assert json.loads(Manifest().encode()) == {}


def test_keys_of_a_later_release_are_kept():
    text = b'{"params": {"C": 1.0}, "quantum": {"bits": 3}}'
    manifest = Manifest.decode(text)
    assert manifest.extra == {"quantum": {"bits": 3}}
    assert json.loads(manifest.encode()) == json.loads(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.9", None, True])
def test_a_metric_is_a_finite_number(value):
    with pytest.raises(InvalidInput) as caught:
        Manifest(metrics={"accuracy": value})
    assert caught.value.kind == "bad-metric"


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201, "\x1b[31m"])
@pytest.mark.parametrize("field", ["params", "metrics"])
def test_a_name_that_would_spoil_a_table_is_refused(field, name):
    with pytest.raises(InvalidInput) as caught:
        Manifest(**{field: {name: 1}})
    assert caught.value.kind == "bad-name"


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, b"x"])
def test_params_that_json_has_no_word_for_are_refused(value):
    with pytest.raises(InvalidInput) as caught:
        Manifest(params={"x": value}).encode()
    assert caught.value.kind == "bad-params"


def test_a_table_is_no_param():
    with pytest.raises(InvalidInput) as caught:
        Manifest(params={"table": "x" * 100_000}).encode()
    assert caught.value.kind == "manifest-too-large"
    assert "file" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"7", b"{", b"\xff", b'{"metrics": {"a": "b"}}', b'{"metrics": {"a": NaN}}',
     b'{"metrics": 3}', b'{"params": [1]}', b'{"lineage": 3}', b'{"extra": 1, "params": "x"}',
     b"[" * 100_000, b'{"a":' * 100_000],
)  # fmt: skip
def test_a_hostile_manifest_is_invalid_input(text):
    with pytest.raises(InvalidInput) as caught:
        Manifest.decode(text)
    assert caught.value.kind in ("bad-manifest", "bad-metric", "bad-name")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_manifest_or_invalid_input(data):
    try:
        manifest = Manifest.decode(data)
    except InvalidInput:
        return
    assert Manifest.decode(manifest.encode()).extra == manifest.extra
