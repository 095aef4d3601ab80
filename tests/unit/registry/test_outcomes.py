"""Outcomes: the same columns come back, and the same rows are kept for the same data."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.errors import Corrupt
from modelyard.registry.outcomes import MOST_ROWS, decode_outcomes, encode_outcomes, kept_rows


def test_columns_come_back_as_they_were():
    columns = {"truth": np.arange(300, dtype="u1") % 3, "error": np.linspace(0, 1, 7, dtype=">f4")}
    found = decode_outcomes(encode_outcomes(columns))
    assert list(found) == ["truth", "error"]
    assert found["truth"].tolist() == columns["truth"].tolist()
    assert found["error"].tolist() == columns["error"].tolist()


def test_the_rows_that_are_kept_depend_on_the_data_alone():
    assert kept_rows(MOST_ROWS, "ab" * 32) is None
    first, again = kept_rows(250_000, "ab" * 32), kept_rows(250_000, "ab" * 32)
    other = kept_rows(250_000, "cd" * 32)
    assert (first == again).all()
    assert len(first) == len(set(first.tolist())) == MOST_ROWS
    assert (np.diff(first) > 0).all()
    assert (first != other).any()


@pytest.mark.parametrize("content", [b"", b"garbage", encode_outcomes({"a": np.ones(3)})[:-4]])
def test_damage_is_told(content):
    with pytest.raises(Corrupt):
        decode_outcomes(content)
