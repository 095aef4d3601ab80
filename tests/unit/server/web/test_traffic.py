"""The bar of shares: parts side by side that fill it, whatever their number."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from modelyard.server.web.draw.traffic import Stretch, traffic

PART = re.compile(r'<svg x="([\d.]+)%" width="([\d.]+)%"')


def _drawn(*stretches: Stretch, **more: bool) -> str:
    return str(traffic(stretches, "shares", **more))


@given(st.integers(0, 100), st.integers(0, 100))
def test_parts_follow_each_other_and_fill_the_bar(first: int, second: int) -> None:
    low, high = sorted((first, second))
    shares = (low, high - low, 100 - high)
    drawn = _drawn(*(Stretch(f"@{at}", share, "stable") for at, share in enumerate(shares)))
    parts = [(float(x), float(width)) for x, width in PART.findall(drawn)]
    at = 0.0
    for x, width in parts:
        assert abs(x - at) < 0.01
        at = x + width
    assert abs(at - 100) < 0.01
    assert len(parts) == sum(share > 0 for share in shares)


def test_a_small_share_has_no_room_for_its_name_but_tells_it() -> None:
    drawn = _drawn(Stretch("@1", 97, "stable"), Stretch("@2", 3, "canary"))
    assert "<title>@2: 3 %</title>" in drawn
    assert ">@1</text>" in drawn
    assert ">@2</text>" not in drawn


def test_a_shadow_stands_below_and_takes_nothing_of_the_bar() -> None:
    drawn = _drawn(Stretch("@1", 100, "stable"), Stretch("@2", 40, "shadow"))
    assert len(PART.findall(drawn)) == 1
    assert 'width="40%" height="6"' in drawn
    assert 'class="shadow"' not in _drawn(
        Stretch("@1", 100, "stable"), Stretch("@2", 40, "shadow"), is_small=True
    )


def test_what_can_not_answer_looks_so() -> None:
    assert 'class="canary failing"' in _drawn(Stretch("@2", 100, "canary", is_failing=True))


def test_names_that_people_made_are_text() -> None:
    assert "<b>" not in _drawn(Stretch("<b>@1", 100, "stable"))
