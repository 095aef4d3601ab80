"""What changed in the structure of an object: which lines, and in bounded time."""

from __future__ import annotations

import pytest

from modelyard.registry.compare import _structure


@pytest.mark.parametrize("count", [3, 1000])
def test_lines_that_are_not_in_both_are_told(count: int) -> None:
    lines = [f"layer {at}" for at in range(count)]
    changed = [*lines[:1], "--- wide", *lines[2:], "+last"]
    told = _structure({"structure": lines}, {"structure": changed})
    assert set(told) == {"- layer 1", "+ --- wide", "+ +last"}
    assert _structure({"structure": lines}, {"structure": lines}) == ()
    assert _structure({}, {"structure": lines[:1]}) == ("+ layer 0",)


def test_many_lines_that_are_alike_take_no_minutes() -> None:
    old, new = (
        {"structure": [f"{at}: Linear(in={at * 7 % 97 + more}, out={at})" for at in range(5000)]}
        for more in (0, 1)
    )
    assert len(_structure(old, new)) == 4000
