"""Which parameters count only when an estimator is fitted, and which as soon as they are set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.frameworks.interface import bases_of
from modelyard.frameworks.sklearn.steps import is_estimator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.frameworks.interface import Json

__all__ = ["fit_only"]

_ANYWHERE = frozenset({"n_jobs", "verbose", "copy", "memory", "transform_input"})
"""How to compute, not what."""
_TEXT = (
    "analyzer", "binary", "decode_error", "encoding", "lowercase", "ngram_range", "preprocessor",
    "stop_words", "strip_accents", "token_pattern", "tokenizer",
)  # fmt: skip
_AT_ONCE = {
    "CountVectorizer": _TEXT,
    "FixedThresholdClassifier": ("pos_label", "response_method", "threshold"),
    "GaussianProcessClassifier": ("max_iter_predict",),
    "KNNImputer": ("metric", "n_neighbors", "weights"),
    "KNeighborsClassifier": ("metric",),
    "KNeighborsMixin": ("n_neighbors", "weights"),
    "KernelRidge": ("coef0", "degree", "gamma", "kernel"),
    "MinMaxScaler": ("clip",),
    "OneHotEncoder": ("dtype", "handle_unknown", "sparse_output"),
    "OrdinalEncoder": ("dtype",),
    "PCA": ("whiten",),
    "QuantileTransformer": ("output_distribution",),
    "RadiusNeighborsMixin": ("radius", "weights"),
    "RobustScaler": ("with_centering", "with_scaling"),
    "SVC": ("break_ties", "decision_function_shape"),
    "SelectFdr": ("alpha",),
    "SelectFpr": ("alpha",),
    "SelectFromModel": ("norm_order", "threshold"),
    "SelectFwe": ("alpha",),
    "SelectKBest": ("k",),
    "SelectPercentile": ("percentile",),
    "StandardScaler": ("with_mean", "with_std"),
    "TfidfTransformer": ("norm", "sublinear_tf"),
    "VarianceThreshold": ("threshold",),
    "VotingClassifier": ("flatten_transform", "voting", "weights"),
    "VotingRegressor": ("weights",),
}
_SHARED = ("sklearn.base.", "sklearn.utils.")
"""Where bases stand that say nothing of how an estimator predicts."""
_WITHOUT_STATE = frozenset({"Binarizer", "FunctionTransformer", "HashingVectorizer", "Normalizer"})
_IN_PLACE = frozenset({"Pipeline", "FeatureUnion"})
"""They fit the steps that they were given; all others fit copies, which a change doesn't reach."""


def fit_only(obj: Any, changes: Mapping[str, Json]) -> tuple[str, ...]:
    """Those of the changed parameters that change nothing before it is fitted.

    Of classes that are none of scikit-learn, and derive from none of its estimators, nothing is
    known: their parameters are left out.
    """
    return tuple(name for name in changes if _waits(obj, name.split("__")))


def _waits(obj: Any, path: list[str]) -> bool:
    copied = False
    for part in path[:-1]:
        copied = copied or not _IN_PLACE & _classes(obj)
        obj = obj.get_params(deep=True).get(part)
        if not is_estimator(obj):
            return False
    classes = _classes(obj)
    if not classes or path[-1] in _ANYWHERE:
        return False
    if copied:
        return True
    if classes & _WITHOUT_STATE:
        return False
    return not any(path[-1] in _AT_ONCE.get(cls, ()) for cls in classes)


def _classes(obj: Any) -> frozenset[str]:
    """Names of its classes that are of scikit-learn, and say what it does."""
    return frozenset(
        name.rpartition(".")[2]
        for name in bases_of(obj)
        if name.startswith("sklearn.") and not name.startswith(_SHARED)
    )
