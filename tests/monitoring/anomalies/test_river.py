"""Our ADWIN beside river's, on the same series."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.monitoring.environments import environment, told

from modelyard.monitoring.anomalies.adwin import Adwin

pytestmark = pytest.mark.slow

CHANGED = 1500


@pytest.fixture(scope="module")
def series() -> list[list[float]]:
    """Shares and levels that change once, by little and by much; and some that never do."""
    random = np.random.default_rng(11)
    found = []
    for before, after in ((0.1, 0.2), (0.1, 0.4), (0.5, 0.5), (0.01, 0.05), (0.3, 0.05)):
        for _ in range(6):
            shares = np.where(np.arange(3000) < CHANGED, before, after)
            found.append((random.random(3000) < shares).astype(float))
            found.append(np.clip(shares + 0.1 * random.normal(size=3000), 0, 1))
    return [one.tolist() for one in found]


@pytest.fixture(scope="module")
def theirs(series: list[list[float]], tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("river") / "series.json"
    file.write_text(json.dumps(series))
    python = environment("river", "river==0.26.1")
    return told(python, Path(__file__).with_name("river_says.py"), str(file))


def test_changes_are_found_where_river_finds_them(series: list[list[float]], theirs: Any) -> None:
    """River skips the newest part of each size when it looks for a cut, so it may be later."""
    apart, same, ours_only, theirs_only = [], 0, 0, 0
    for values, their in zip(series, theirs, strict=True):
        adwin = Adwin()
        changes = [place for place, value in enumerate(values) if adwin.add(value)]
        mine = [place for place in changes if place >= CHANGED]
        river = [place for place in their["changes"] if place >= CHANGED]
        if mine and river:
            apart.append(mine[0] - river[0])
        same += bool(mine) == bool(river)
        ours_only += bool(mine) and not river
        theirs_only += bool(river) and not mine
        assert all(place < CHANGED for place in changes) is not (mine != [])
    print(f"{same} of {len(series)} alike, ours only {ours_only}, river's only {theirs_only}; "
          f"ours is {-np.median(apart):g} values earlier (median)")  # fmt: skip
    assert same >= 0.95 * len(series)
    assert np.abs(apart).max() <= 256
    assert np.median(np.abs(apart)) <= 64


def test_a_window_without_a_change_is_rivers(series: list[list[float]], theirs: Any) -> None:
    seen = 0
    for values, their in zip(series, theirs, strict=True):
        adwin = Adwin()
        changes = [adwin.add(value) for value in values]
        if their["changes"] or any(changes):
            continue
        seen += 1
        assert adwin.count == their["count"]
        assert adwin.mean == pytest.approx(their["mean"], rel=1e-9)
        squares = their["variance"]  # river's name for the sum of squared distances
        assert adwin.variance * adwin.count == pytest.approx(squares, rel=1e-9)
    assert seen >= 5
