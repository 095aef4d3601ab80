"""Columns of a table into numbers: one step that is fitted, saved and asked with the model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.core.extras import need
from modelyard.optimization.passes.data.columns import kinds_of
from modelyard.optimization.passes.data.rows import codes_of, is_missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.table import Table
    from modelyard.optimization.state import Task

__all__ = ["CATEGORIES", "Categories", "column_encoder"]

Array = np.ndarray[Any, Any]
Categories = Literal["one-hot", "ordinal", "target"]
CATEGORIES: tuple[Categories, ...] = ("one-hot", "target", "ordinal")

_RARE = 0.005
"""Share of the rows below which categories are taken together."""
_WORDS = 5000
_DENSE = 50_000_000
"""Cells up to which one-hot categories are made dense: 400 MB."""


def column_encoder(
    inputs: Table,
    *,
    task: Task,
    categories: Categories = "one-hot",
    scale: bool = False,
    places: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Any:
    """A `ColumnTransformer` that is not fitted yet; what it names can be saved without trust.

    Numbers get their median where they are missing. Categories: `one-hot` (rare ones together,
    unknown ones with them), `ordinal` (unknown: -1, missing: -2), or `target`: the mean of the
    target for each, smoothed, and in fitting of other rows than the one it is given to
    (Micci-Barreca 2001). Text: weights of words, tf-idf; of a column in which text is missing,
    nothing. Times: days since 1970, month, day, weekday, hour. Constant columns are left out.
    What comes out is dense, which every estimator takes, but for text and very many categories.

    Args:
        inputs: To see what the columns hold; nothing is learned of it here.
        scale: Numbers to mean 0 and deviation 1: for linear models, neighbours, networks.
        places: How the step is told of each column, where that is not its name.

    Unsupported: `no-extra` without scikit-learn.
    """
    compose = need("sklearn.compose", "optimize")
    kinds = kinds_of(inputs)

    def named(*wanted: str) -> list[Any]:
        found = [name for name, kind in kinds.items() if kind in wanted]
        return found if places is None else [places[name] for name in found]

    parts: list[tuple[str, Any, Any]] = []
    if numbers := named("number", "flag"):
        missing = any(
            is_missing(inputs.columns[name]).any()
            for name, kind in kinds.items() if kind in ("number", "flag")
        )  # fmt: skip
        parts.append(("numbers", _numbers(missing, scale), numbers))
    times = named("time")
    if times:
        parts.append(("times", _times(inputs, kinds, times, scale), times))
    if found := named("category"):
        parts.append(("categories", _categories(categories, task, seed), found))
    whole = [n for n, k in kinds.items() if k == "text" and not is_missing(inputs.columns[n]).any()]
    words = [(name, step) for name in whole if (step := _text(inputs.columns[name])) is not None]
    for name, step in words:  # no step of scikit-learn fills one column of text
        place = name if places is None else places[name]
        parts.append((f"text_{place}", step, place))
    sparse = bool(words) or (categories == "one-hot" and _cells(inputs, kinds) > _DENSE)
    return compose.ColumnTransformer(
        parts, remainder="drop", sparse_threshold=0.3 if sparse else 0.0
    )


def _numbers(missing: bool, scale: bool) -> Any:
    impute = need("sklearn.impute", "optimize")
    preprocessing = need("sklearn.preprocessing", "optimize")
    steps: list[tuple[str, Any]] = []
    # also where none is missing: one may be later
    steps.append(("fill", impute.SimpleImputer(strategy="median", add_indicator=missing)))
    if scale:
        steps.append(("scale", preprocessing.StandardScaler()))
    return need("sklearn.pipeline", "optimize").Pipeline(steps)


def _times(inputs: Table, kinds: Mapping[str, Any], places: list[Any], scale: bool) -> Any:
    """Parts of times as numbers; the hour only where there are hours."""
    from modelyard.frameworks.sklearn.derived import Derived

    formulas: list[list[Any]] = []
    names = [name for name, kind in kinds.items() if kind == "time"]
    missing = any(is_missing(inputs.columns[name]).any() for name in names)
    for name, place in zip(names, places, strict=True):
        column = inputs.columns[name]
        known = column[~is_missing(column)]
        hours = np.any(known != known.astype("datetime64[D]"))
        parts = ("days", "month", "day", "weekday", *(("hour",) if hours else ()))
        # by its place among the columns that this step gets, if they have no names
        of = place if isinstance(place, str) else places.index(place)
        formulas += [[part, [of]] for part in parts]
    rest = _numbers(missing, scale)
    return need("sklearn.pipeline", "optimize").Pipeline(
        [("parts", Derived(formulas)), *rest.steps]
    )


def _categories(how: Categories, task: Task, seed: int) -> Any:
    preprocessing = need("sklearn.preprocessing", "optimize")
    if how == "ordinal":
        return preprocessing.OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
        )
    if how == "target":
        kind = "continuous" if task == "regression" else "auto"
        if preprocessing.TargetEncoder().shuffle != "deprecated":  # before scikit-learn 1.9
            return preprocessing.TargetEncoder(target_type=kind, random_state=seed)
        split = need("sklearn.model_selection", "optimize")
        drawn = split.KFold if task == "regression" else split.StratifiedKFold
        return preprocessing.TargetEncoder(
            target_type=kind, cv=drawn(5, shuffle=True, random_state=seed)
        )
    return preprocessing.OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=_RARE)


def _text(column: Array) -> Any | None:
    """What weighs words; where few texts have words of two letters, letters count as well.

    None where there are not even those.
    """
    values = [str(value) for value in column.tolist()]

    def have(pattern: str) -> bool:
        return 2 * sum(re.search(pattern, value) is not None for value in values) > len(values)

    if not have(r"\w"):
        return None
    text = need("sklearn.feature_extraction.text", "optimize")
    own = {} if have(r"\w\w") else {"token_pattern": r"(?u)\b\w+\b"}
    return text.TfidfVectorizer(
        sublinear_tf=True, strip_accents="unicode", ngram_range=(1, 2), max_features=_WORDS, **own
    )


def _cells(inputs: Table, kinds: Mapping[str, Any]) -> int:
    """How many cells one-hot categories have at most."""
    wide = 0
    for name, kind in kinds.items():
        if kind == "category":
            counts = np.bincount(codes_of(inputs.columns[name]))
            wide += int(np.sum(counts >= _RARE * len(inputs))) + 1
    return wide * len(inputs)
