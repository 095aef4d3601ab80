"""Networks, and steps that come before a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.optimization.passes.interface import Choice
from modelyard.optimization.passes.tables.spaces.bounds import count, log

if TYPE_CHECKING:
    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.passes.tables.spaces.bounds import Spaces

__all__ = ["SPACES"]


def _perceptrons(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "alpha": log(1e-6, 1.0, 1e-4),
        "learning_rate_init": log(1e-4, 3e-2, 1e-3),
        "hidden_layer_sizes": Choice(([100], [50], [200], [100, 50], [30])),
        "activation": Choice(("relu", "tanh")),
    }


def _vectorizer(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "ngram_range": Choice(([1, 1], [1, 2])),
        "min_df": Choice((1, 2, 4)),
        "max_df": Choice((1.0, 0.7)),
    }


def _tfidf(columns: int, rows: int) -> dict[str, Option]:
    return _vectorizer(columns, rows) | {"sublinear_tf": Choice((False, True))}


def _select_best(columns: int, _rows: int) -> dict[str, Option]:
    return {"k": count(1, columns, min(10, columns))}


def _percentile(_columns: int, _rows: int) -> dict[str, Option]:
    return {"percentile": count(5, 100, 10, log=False)}


SPACES: dict[str, Spaces] = {
    "MLPClassifier": _perceptrons,
    "MLPRegressor": _perceptrons,
    "CountVectorizer": _vectorizer,
    "TfidfVectorizer": _tfidf,
    "SelectKBest": _select_best,
    "SelectPercentile": _percentile,
}
