"""XGBoost: Boosters and the estimators of its scikit-learn interface.

Saved in XGBoost's own formats. What these lack (parameters of estimators, of training, the history
of evaluation) is kept beside them. Before a file is loaded it is checked value by value, because
XGBoost's C++ code trusts the numbers it reads; `TRUST_ALL` skips that.
"""

from __future__ import annotations

from modelyard.frameworks.interface import bases_of
from modelyard.frameworks.xgboost.fitting import fit
from modelyard.frameworks.xgboost.forest import set_structure, structure
from modelyard.frameworks.xgboost.predicting import signature
from modelyard.frameworks.xgboost.saving import claims, load, save
from modelyard.frameworks.xgboost.settings import (
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

NAME = "xgboost"
SERIALIZERS = ("ubj", "json")


def recognises(obj: object) -> bool:
    """A Booster or an estimator, or what derives from them."""
    return not bases_of(obj).isdisjoint({"xgboost.core.Booster", "xgboost.sklearn.XGBModel"})
