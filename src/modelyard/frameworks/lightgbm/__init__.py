"""LightGBM: Boosters and the estimators of its scikit-learn interface.

Saved as LightGBM's own text. What it lacks (parameters and classes of estimators, the best round)
is kept beside it. Before a file is loaded it is checked line by line, because LightGBM's C++ code
trusts what it reads; `TRUST_ALL` skips that.
"""

from __future__ import annotations

from modelyard.frameworks.interface import bases_of
from modelyard.frameworks.lightgbm.fitting import fit
from modelyard.frameworks.lightgbm.forest import set_structure, structure
from modelyard.frameworks.lightgbm.predicting import signature
from modelyard.frameworks.lightgbm.saving import claims, load, save
from modelyard.frameworks.lightgbm.settings import (
    fit_only,
    optimizer,
    params,
    set_optimizer,
    set_params,
)

__all__ = [
    "NAME",
    "SERIALIZERS",
    "claims",
    "fit",
    "fit_only",
    "load",
    "optimizer",
    "params",
    "recognises",
    "save",
    "set_optimizer",
    "set_params",
    "set_structure",
    "signature",
    "structure",
]

NAME = "lightgbm"
SERIALIZERS = ("text",)


def recognises(obj: object) -> bool:
    """A Booster or an estimator, or what derives from them."""
    return not bases_of(obj).isdisjoint({"lightgbm.basic.Booster", "lightgbm.sklearn.LGBMModel"})
