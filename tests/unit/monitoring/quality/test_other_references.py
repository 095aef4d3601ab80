"""A new reference counts other groups or other classes: what was counted before is not lost."""

from __future__ import annotations

import time

import numpy as np
import pytest
from tests.unit.monitoring.quality.served import NOW, Served, numbers, two_classes

from modelyard.monitoring.profiles import profile_from_rows
from modelyard.monitoring.upkeep import Upkeep

HOURS = 3600.0


def classes(names, *, groups=()):
    """A reference of the same columns."""
    rng = np.random.default_rng(1)
    label = np.array(names, object)[rng.integers(0, len(names), 600)]
    sex = np.where(rng.random(600) < 0.5, "f", "m").astype(object)
    return profile_from_rows(
        {"x": rng.normal(size=600), "sex": sex}, {"label": label}, label,
        task="classification", classes=names, groups=groups,
    )  # fmt: skip


@pytest.fixture
def served(tmp_path):
    made = Served.of(tmp_path / "yard", two_classes())
    with made.yard:
        yield made


def compared(served, profile):
    """The deployment's version is compared with another reference from now on."""
    served.profile = profile
    served.keep_reference()


def rolled(served, hours=9):
    return Upkeep(served.house, "one").run(time.time() + hours * HOURS)


def test_other_groups_leave_what_was_right_and_wrong(served):
    served.answer(["a", "b", "c"], [1, 0, 1])
    served.tell(a="yes", b="yes")
    before = served.truth()
    compared(served, classes(("no", "yes")))
    now = served.truth()
    for name in ("confusion", "calibration", "lags", "ranks"):
        assert (getattr(now, name) == getattr(before, name)).all(), name
    assert (now.rows, now.groups) == (2, {})
    assert served.tell(a="yes", c="no") == (1, 0, 1, 0, 0)
    assert served.truth().confusion.tolist() == [[0, 1], [1, 1]]


def test_other_groups_leave_errors(tmp_path):
    served = Served.of(tmp_path / "yard", numbers())
    with served.yard:
        served.answer(["a"], values=[1.0])
        served.tell(a=1.5)
        rng = np.random.default_rng(1)
        x, sex = rng.normal(size=600), np.where(rng.random(600) < 0.5, "f", "m").astype(object)
        compared(served, profile_from_rows(
            {"x": x, "sex": sex}, {"prediction": x}, x, task="regression", groups=("sex",)
        ))  # fmt: skip
        assert served.truth().errors[:3].tolist() == [1, -0.5, 0.5]


def test_other_groups_leave_truth_when_tiles_grow_longer(served):
    served.answer(["a"], [1])
    served.tell(a="yes")
    compared(served, classes(("no", "yes")))
    assert rolled(served)
    assert served.truth().confusion.tolist() == [[0, 0], [0, 1]]


def test_truth_of_other_classes_is_there_again_with_its_reference(served):
    first = served.profile
    served.answer(["a", "b", "c"], [1, 0, 1])
    served.tell(a="yes", b="yes")
    compared(served, classes(("maybe", "no", "yes")))
    assert served.truth().rows == 0
    # this minute is taken: the truth is not joined, and what is joined is known
    assert served.tell(a="yes", b="no", c="no") == (0, 0, 1, 1, 1)
    compared(served, first)
    assert served.truth().confusion.tolist() == [[0, 1], [0, 1]]
    assert served.tell(c="no")[0] == 1
    assert served.truth().confusion.tolist() == [[0, 1], [1, 1]]


def test_other_minutes_are_counted_by_the_classes_of_now(served):
    served.answer(["a"], [1])
    served.tell(a="yes")
    served.answer(["b"], [1], when=NOW + 60)
    compared(served, classes(("maybe", "no", "yes")))
    assert served.tell(b="yes") == (1, 0, 0, 0, 0)
    assert served.truth().confusion.tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_truth_of_other_classes_is_left_when_tiles_grow_longer(served):
    first = served.profile
    hour = int(time.time()) // 3600 * 3600 - 2 * 3600
    served.answer(["a", "b"], [1, 0], when=hour)
    served.tell(a="yes", b="yes")
    served.answer(["c"], [1], when=hour + 60)
    compared(served, classes(("maybe", "no", "yes")))
    served.tell(c="yes")
    assert rolled(served)
    compared(served, first)
    assert served.truth().confusion.tolist() == [[0, 1], [0, 1]]
    assert rolled(served, hours=40 * 24)  # days
    assert served.truth().rows == 2


def test_numbers_that_are_classes_now_are_not_joined_uncounted(tmp_path):
    served = Served.of(tmp_path / "yard", numbers())
    with served.yard:
        served.answer(["a", "b"], values=[1.0, 0.0])
        served.tell(a=1)
        compared(served, classes(("0", "1")))
        assert served.tell(a=1, b=0) == (0, 0, 1, 1, 0)
        compared(served, numbers())
        assert served.tell(b=0)[0] == 1
        assert served.truth().errors[0] == 2


def test_classes_that_are_numbers_now_are_not_joined_uncounted(served):
    served.answer(["a"], [1])
    compared(served, numbers())
    assert served.tell(a="yes") == (0, 0, 0, 1, 0)


def test_answers_of_classes_that_are_none_now_are_not_taken_for_wrong(served):
    served.answer(["a", "b"], [1, 0])
    compared(served, classes(("no", "surely")))
    assert served.tell(a="yes", b="no") == (1, 0, 0, 1, 0)
    assert served.truth().confusion.tolist() == [[1, 0], [0, 0]]
