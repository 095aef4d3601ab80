"""Rows of the reference that come as traffic are found, and what the version gives away of them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.monitoring.quality.served import NOW, Served, two_classes

from modelyard.monitoring.profiles import profile_from_rows
from modelyard.monitoring.quality.leakage import NEAR, SAME, Known, leakage
from modelyard.monitoring.quality.leaking import leakage_of
from modelyard.monitoring.rows import Rows
from modelyard.registry.watching.seeing import watched


def reference(rows=2000, sure=0.7):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, 6)) * (1, 10, 100, 1, 1, 5)
    scores = np.clip(rng.normal(sure, 0.1, rows), 0, 1)
    return x, profile_from_rows(
        {"x": x}, {"probability": np.column_stack([1 - scores, scores])},
        rng.integers(0, 2, rows), task="classification", classes=(0, 1),
    )  # fmt: skip


def asked(profile, x):
    return Rows(profile.schema, len(x), x)


def test_rows_of_the_reference_are_known_again_and_others_are_not():
    x, profile = reference()
    new = np.random.default_rng(2).normal(size=(100, 6))
    seen = Known(profile).seen(asked(profile, np.concatenate([x[:50], new])))
    assert (seen[:50] & SAME).all()
    assert not (seen[50:] & SAME).any()


def test_rows_that_are_nearly_the_reference_are_found_in_a_sample():
    x, profile = reference()
    known = Known(profile)
    spread = x.std(axis=0)
    close = x[:8] + 0.001 * spread
    assert (known.seen(asked(profile, close), near=True) & NEAR).all()
    far = np.random.default_rng(3).normal(size=(8, 6)) * spread
    assert not (known.seen(asked(profile, far), near=True) & NEAR).any()


def test_the_share_of_rows_that_came_back_is_told_with_its_interval():
    x, profile = reference()
    new = np.random.default_rng(4).normal(size=(900, 6))
    seen = Known(profile).seen(asked(profile, np.concatenate([x[:100], new])))
    told = {each.name: each for each in leakage(profile, seen, None)}
    assert told["duplicates"].value == pytest.approx(0.1)
    assert 0.08 < told["duplicates"].low < 0.1 < told["duplicates"].high < 0.125


def test_a_version_that_is_surer_of_its_own_rows_gives_them_away():
    _, profile = reference()
    rng = np.random.default_rng(5)
    seen = np.where(np.arange(1000) < 300, 3, 1).astype(np.uint8)
    alike = np.clip(rng.normal(0.7, 0.1, 1000), 0.5, 1)
    told = {each.name: each for each in leakage(profile, seen, alike)}
    assert told["membership_exposure"].low < 0.5 < told["membership_exposure"].high
    surer = np.where(seen == 3, np.clip(alike + 0.15, 0, 1), alike)
    told = {each.name: each for each in leakage(profile, seen, surer)}
    assert told["membership_exposure"].low > 0.75


def test_of_few_rows_nothing_is_told():
    _, profile = reference()
    assert leakage(profile, np.ones(50, np.uint8), None) == ()


def test_what_answers_say_of_a_window_is_told(tmp_path):
    served = Served.of(tmp_path / "yard", two_classes())
    with served.yard:
        ids = [f"r{n}" for n in range(400)]
        seen = np.where(np.arange(400) < 100, 3, 1).astype(np.uint8)
        served.answer(ids, [1] * 400, seen=seen)
        served.answer([f"s{n}" for n in range(300)], [1] * 300, when=NOW - 7200, seen=seen[:300])
        at = watched(served.house, "svc")
        version = (at.serves[0].model_id, 1)
        told = leakage_of(served.house, at.id, version, served.profile, NOW - 60, NOW + 60)
        share = next(each for each in told if each.name == "duplicates")
        assert (share.value, share.rows) == (0.25, 400)
