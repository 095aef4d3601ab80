"""scikit-learn: any estimator, also those that others derive from its `BaseEstimator`.

An estimator saved as ONNX comes back as an `onnx.ModelProto`; what is asked of that is answered by
the framework `onnx`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.frameworks.interface import bases_of
from modelyard.frameworks.sklearn import parameters, solvers
from modelyard.frameworks.sklearn.saving import SERIALIZERS, claims, load, save

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.table import Table
    from modelyard.core.trust import Trust
    from modelyard.frameworks import Framework
    from modelyard.frameworks.interface import Json

__all__ = [
    "NAME", "SERIALIZERS", "claims", "fit", "fit_only", "load", "optimizer", "params", "recognises",
    "save", "set_optimizer", "set_params", "set_structure", "signature", "structure",
]  # fmt: skip

NAME = "sklearn"

_OTHERS = ("xgboost.", "lightgbm.", "keras.", "onnx.")


def recognises(obj: object) -> bool:
    """Whether `obj` is an estimator: a pipeline is, whatever its steps are."""
    bases = bases_of(obj)
    return "sklearn.base.BaseEstimator" in bases and not any(
        name.startswith(_OTHERS) for name in bases
    )


def params(obj: Any) -> dict[str, Json]:
    """As `get_params(deep=True)`, but only what JSON can hold; see `parameters.params`."""
    other = _converted(obj)
    return other.params(obj) if other else parameters.params(obj)


def set_params(obj: Any, changes: Mapping[str, Json]) -> Any:
    """The estimator itself changed, still fitted; see `parameters.set_params`."""
    other = _converted(obj)
    return other.set_params(obj, changes) if other else parameters.set_params(obj, changes)


def fit_only(obj: Any, changes: Mapping[str, Json]) -> tuple[str, ...]:
    """The changed parameters that count only when it is fitted; see `learning.fit_only`."""
    from modelyard.frameworks.sklearn import learning

    return () if _converted(obj) else learning.fit_only(obj, changes)


def structure(obj: Any) -> tuple[str, ...]:
    """The class, and indented below it a line `name: Class` for each step."""
    from modelyard.frameworks.sklearn.steps import lines

    other = _converted(obj)
    return other.structure(obj) if other else lines(obj)


def set_structure(obj: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    """The estimator rebuilt after a plan; see `rebuilding.rebuilt`."""
    from modelyard.frameworks.sklearn.rebuilding import rebuilt

    other = _converted(obj)
    return other.set_structure(obj, plan, trust) if other else rebuilt(obj, plan, trust)


def optimizer(obj: Any) -> dict[str, Json]:
    """The solver of the step that learns; see `solvers.optimizer`."""
    other = _converted(obj)
    return other.optimizer(obj) if other else solvers.optimizer(obj)


def set_optimizer(obj: Any, changes: Mapping[str, Json]) -> Any:
    """The estimator itself with another solver; see `solvers.set_optimizer`."""
    other = _converted(obj)
    return other.set_optimizer(obj, changes) if other else solvers.set_optimizer(obj, changes)


def fit(obj: Any, inputs: Table, target: Any, *, epochs: int | None, seed: int) -> Any:
    """A fitted copy; see `training.fit`."""
    from modelyard.frameworks.sklearn import training

    other = _converted(obj)
    trained = other.fit if other else training.fit
    return trained(obj, inputs, target, epochs=epochs, seed=seed)


def signature(obj: Any, example: Any) -> Json | None:
    """Inputs and outputs, found by predicting the example; see `answers.signature_of`."""
    from modelyard.frameworks.sklearn.answers import signature_of

    other = _converted(obj)
    return other.signature(obj, example) if other else signature_of(obj, example)


def _converted(obj: object) -> Framework | None:
    from modelyard.frameworks import named

    return named("onnx") if type(obj).__name__ == "ModelProto" else None
