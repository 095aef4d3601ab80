"""JSON for people: short things in a line, long ones broken where that helps."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from modelyard.server.web.asked import neat

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=9), inner),
)


@given(JSON)
def test_it_says_the_same(value: object) -> None:
    assert json.loads(neat(value)) == value


def test_rows_stand_in_one_line_each() -> None:
    text = neat({"rows": [[float(n) for n in range(12)]] * 3})
    assert len(text.splitlines()) == 7


def test_what_is_short_stands_in_one() -> None:
    assert neat({"rows": [[1, 2]]}) == '{"rows": [[1, 2]]}'
