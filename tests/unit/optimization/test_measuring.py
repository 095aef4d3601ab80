"""How like the answers of a model are to those of the version that it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.frameworks import framework_of, serializer_of
from modelyard.optimization.measuring import metrics, quality
from modelyard.optimization.state import Model, Rows

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

pytest.importorskip("sklearn")

ROWS = np.random.default_rng(3).standard_normal((400, 3))
INPUTS = Table({"data": ROWS})


def kept(obj: Any, folder: Path) -> Model:
    folder.mkdir()
    framework = framework_of(obj)
    return Model(folder=folder, saved=framework.save(obj, folder, serializer_of(framework, None)))


def likeness(other: Any, source: Any, folder: Path) -> float:
    models = [kept(each, folder / name) for name, each in (("other", other), ("source", source))]
    return quality(models[0], Rows(INPUTS), task="other", source=models[1])


def test_one_number_a_row_is_as_like_as_it_is_near(tmp_path: Path) -> None:
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import Ridge

    truth = 100 + 10 * ROWS[:, 0] + ROWS[:, 1]
    source = Ridge().fit(ROWS, truth)
    rough = Ridge().fit(ROWS[:, :1] * [1, 0, 0], truth)
    for name, other in (
        ("same", source), ("rough", rough), ("mean", DummyRegressor().fit(ROWS, truth)),
    ):  # fmt: skip
        (tmp_path / name).mkdir()
        found = likeness(other, source, tmp_path / name)
        if name == "same":
            assert found == 1
        elif name == "rough":  # what it leaves out is a hundredth of the variance
            assert 0.98 < found < 0.995
        else:  # it was 1: all is above nothing
            assert abs(found) < 0.3


def test_what_never_varies_is_alike_where_it_is_equal(tmp_path: Path) -> None:
    from sklearn.dummy import DummyRegressor

    for name, value, expected in (("near", 0.1 + 1e-9, 1.0), ("far", 0.2, 0.0)):
        (tmp_path / name).mkdir()
        one, other = (
            DummyRegressor(strategy="constant", constant=c).fit(ROWS, ROWS[:, 0])
            for c in (0.1, value)
        )
        assert likeness(other, one, tmp_path / name) == expected


def test_labels_are_as_like_as_they_agree(tmp_path: Path) -> None:
    from sklearn.svm import LinearSVC

    truth = (ROWS[:, 0] > 0).astype(int)
    source, other = (LinearSVC().fit(ROWS, t) for t in (truth, (ROWS[:, 1] > 0).astype(int)))
    agreed = float((source.predict(ROWS) == other.predict(ROWS)).mean())
    models = [kept(each, tmp_path / name) for name, each in (("s", source), ("o", other))]
    found = metrics(models[1], Rows(INPUTS), task="other", source=models[0])
    assert found["cosine"] == found["agreement"] == pytest.approx(agreed)


def test_what_is_not_finite_is_unlike() -> None:
    from modelyard.optimization.measuring import _likeness

    theirs = {"x": np.array([1.0, 2.0, 3.0, 4.0])}
    ours = {"x": np.array([1.0, np.nan, np.inf, -1e300])}
    assert _likeness(ours, theirs)["cosine"].tolist() == [1.0, 0.0, -1.0, -1.0]
    nothing = {"x": np.full(4, np.nan)}
    assert _likeness(theirs, nothing)["cosine"].tolist() == [0.0] * 4
