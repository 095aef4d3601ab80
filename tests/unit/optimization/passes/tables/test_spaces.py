"""Hyper-parameters by class."""

from __future__ import annotations

import pytest

from modelyard.optimization.passes.interface import Choice
from modelyard.optimization.passes.tables.spaces import space_of, spaces_in
from modelyard.optimization.passes.tables.spaces.finding import _SPACES
from modelyard.optimization.space import Space
from modelyard.optimization.values import contains, first_of

pytest.importorskip("sklearn")


def _classes() -> dict[str, type]:
    from sklearn.utils import all_estimators

    found = dict(all_estimators())
    for library in ("xgboost", "lightgbm"):
        module = pytest.importorskip(library)
        names = [name for name in _SPACES if hasattr(module, name) and name != "Booster"]
        found |= {name: getattr(module, name) for name in names}
    return found


@pytest.mark.parametrize("name", sorted(set(_SPACES) - {"xgboost", "lightgbm"}))
def test_every_option_is_a_parameter_whose_values_the_class_takes(name: str) -> None:
    cls = _classes()[name]
    known = cls().get_params()

    for columns, rows in ((1, 20), (13, 150), (200, 50_000)):
        found = space_of(name, columns=columns, rows=rows)
        for option, values in found.items():
            assert option in known
            assert contains(values, first_of(values))
            assert all(contains(values, each) for each in values.also)
            if not isinstance(values, Choice):
                assert values.low <= values.default <= values.high
                other, needed = values.where or (option, ())
                assert all(contains(found[other], each) for each in needed)


@pytest.mark.parametrize("name", ["SVC", "SVR", "KernelRidge"])
def test_a_linear_kernel_has_no_width(name: str) -> None:
    options = space_of(name, columns=10, rows=100)
    space = Space({f"0.tune.{option}": values for option, values in options.items()})

    assert "0.tune.gamma" not in space.cleaned({"0.tune.kernel": "linear"})
    assert "0.tune.gamma" in space.cleaned({"0.tune.kernel": "rbf"})


def test_of_a_pipeline_every_step_has_its_own_names() -> None:
    lines = (
        "Pipeline", "  prep: ColumnTransformer", "    num: SimpleImputer on a, b",
        "    txt: TfidfVectorizer on c", "  clf: VotingClassifier", "    a: LogisticRegression",
        "    b: RandomForestClassifier",
    )  # fmt: skip

    found = spaces_in(lines, columns=3, rows=100)

    assert {"prep__txt__min_df", "clf__a__C", "clf__b__n_estimators"} <= found.keys()


def test_what_a_search_inside_of_the_model_tunes_is_left_to_it() -> None:
    lines = ("Pipeline", "  clf: GridSearchCV", "    estimator: SVC", "  last: Ridge")

    assert list(spaces_in(lines, columns=3, rows=100)) == ["last__alpha"]


def test_of_unknown_classes_nothing_is_known() -> None:
    assert space_of("somewhere.Else", columns=3, rows=100) == {}


@pytest.mark.parametrize(("scaler", "fits"), [("StandardScaler", False), ("SimpleImputer", True)])
def test_kernels_are_as_wide_as_columns_that_nobody_scaled(scaler: str, fits: bool) -> None:
    found = spaces_in(("Pipeline", f"  a: {scaler}", "  b: SVC"), columns=30, rows=500)

    assert contains(found["b__gamma"], 6e-7) == fits
    assert all(contains(found["b__gamma"], each) for each in found["b__gamma"].also)
