"""Which parameters the objects of tables have, found by their classes: no object is loaded."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from modelyard.errors import InvalidInput
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.allowed import Number, OneOf
from modelyard.optimization.passes.tables.portfolio import algorithms
from modelyard.optimization.passes.tables.steps import steps_in
from modelyard.optimization.passes.takes import check_name, check_value, given_values, text_hint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelyard.core.optimization import Step
    from modelyard.optimization.passes.allowed import Allowed
    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.state import Subject

__all__ = ["check_chosen", "check_named", "check_tuned"]

Json = Any

_NETWORKS: Final = ("torch", "keras")
_OF_NETWORKS: Final[Mapping[str, Allowed]] = {
    "learning_rate": Number(0, above=True), "epochs": Number(0, whole=True),
    "patience": Number(0, whole=True),
}  # fmt: skip
_STOP: Final = "early_stopping_by_valid"
_LIBRARIES: Final = ("sklearn", "xgboost", "lightgbm")
_MODULES: Final = (
    "svm", "linear_model", "ensemble", "preprocessing", "pipeline", "compose", "impute", "tree",
    "neighbors", "naive_bayes", "decomposition", "feature_selection", "feature_extraction.text",
    "neural_network", "discriminant_analysis", "calibration", "model_selection", "multiclass",
    "multioutput", "kernel_ridge", "kernel_approximation", "gaussian_process", "cluster",
    "random_projection", "cross_decomposition", "isotonic", "dummy", "semi_supervised", "manifold",
)  # fmt: skip
"""Of scikit-learn, where its classes are: those that people use most come first."""


def check_named(
    step: Step, subject: Subject, options: Mapping[str, Option], earlier: Sequence[Step]
) -> None:
    """Whether options whose names depend on the model can be. InvalidInput: `wrong-recipe`.

    Args:
        options: Those that the pass itself would have trials choose.
        earlier: Steps before this one: what they make of object and rows is not known yet.
    """
    others = any(
        each.name in ("choose", "combine") or pass_named(each.name).KIND == "data"
        for each in earlier
    )
    if step.name == "choose":
        check_chosen(step, replace(subject, rows=0) if others else subject)
    elif step.name == "tune" and not others:
        check_tuned(step, subject, options)


def check_tuned(step: Step, subject: Subject, options: Mapping[str, Option]) -> None:
    """Whether a model has the parameters that a recipe names for `tune`.

    Of classes that nobody knows without the object (code of one's own) nothing is refused here:
    `tune` says it when it runs.

    Raises:
        InvalidInput: `wrong-recipe`: it has no such parameter, or that can't be such a value.
    """
    if subject.framework in _NETWORKS:
        for key, value in step.options.items():
            check_name(step.name, key, _OF_NETWORKS)
            check_value(step.name, key, value, _OF_NETWORKS[key])
        return
    named = {key: value for key, value in step.options.items() if key != _STOP}
    if not named:
        return
    classes = {"__".join(path): _class_named(name) for path, name in _estimators(subject)}
    for key, value in named.items():
        prefix, _, inner = key.rpartition("__")
        cls = classes.get(prefix)
        if all(classes.values()) and (subject.structure or not prefix):
            check_name(step.name, key, [*_names_in(classes), *options, _STOP])
        if cls is not None:
            _check_parameter(step, key, cls, inner, value)


def check_chosen(step: Step, subject: Subject) -> None:
    """The same for `choose`, whose names have the algorithm before them: `forest.max_depth`."""
    fit = [each.name for each in algorithms(subject.task, subject.rows)]
    classes = {
        each.name: _class_named(which[0])
        for each in algorithms(subject.task, 0)
        if (which := each.of(subject.task)) is not None
    }
    for key, value in step.options.items():
        if key == "algorithm":
            check_value(step.name, key, value, OneOf(("best", *fit)))
            continue
        group, _, inner = key.partition(".")
        cls = classes.get(group)
        if cls is None:
            check_name(step.name, key, ["algorithm", *(f"{name}.PARAMETER" for name in classes)])
            continue
        check_name(step.name, key, [f"{group}.{each}" for each in _parameters(cls)])
        _check_parameter(step, key, cls, inner, value)


def _estimators(subject: Subject) -> Iterator[tuple[tuple[str, ...], str]]:
    """The class of a model and those of its steps, by the names on the way to them.

    Nothing where its steps are not known: an object of several classes tells them in `structure`.
    """
    for step in steps_in(subject.structure if subject.framework == "sklearn" else ()):
        if step.class_name not in ("passthrough", "drop"):
            yield step.path, step.class_name if step.depth else subject.class_name
    if subject.framework != "sklearn" or not subject.structure:
        yield (), subject.class_name


def _class_named(name: str) -> type | None:
    """A class of the libraries that we know, with or without its module; None for all others."""
    module, _, short = name.rpartition(".")
    if module and module.partition(".")[0] not in _LIBRARIES:
        return None
    places = [module] if module else [f"sklearn.{each}" for each in _MODULES]
    if not module and short.startswith(("XGB", "LGBM")):
        places = ["xgboost" if short.startswith("XGB") else "lightgbm"]
    for place in places:
        try:
            found = getattr(import_module(place), short, None)
        except ImportError:
            continue
        if isinstance(found, type) and hasattr(found, "get_params"):
            return found
    return None


def _names_in(classes: Mapping[str, type | None]) -> Iterator[str]:
    for prefix, cls in classes.items():
        if prefix:
            yield prefix
        for name in _parameters(cls) if cls is not None else ():
            yield f"{prefix}__{name}" if prefix else name


def _parameters(cls: Any) -> list[str]:
    try:
        return sorted(cls().get_params(deep=False))
    except TypeError:  # it must be told what it is made of
        return sorted(cls._get_param_names())


def _check_parameter(step: Step, key: str, cls: Any, inner: str, value: Json) -> None:
    """Whether scikit-learn says that a class takes a value; other libraries say nothing."""
    known = getattr(cls, "_parameter_constraints", None)
    if not isinstance(known, dict) or inner not in known:
        return
    ends = [value["low"], value["high"]] if isinstance(value, dict) and "low" in value else None
    for each in ends or given_values(value):
        why = _why_not(known[inner], cls.__name__, inner, each)
        if why:
            raise InvalidInput(
                "wrong-recipe", f"{key} of {step.name} can't be {each!r:.40}: {why}",
                hint=text_hint(each),
            )  # fmt: skip


def _why_not(constraints: Any, name: str, inner: str, value: Json) -> str:
    """In scikit-learn's words; empty if it may be."""
    try:
        from sklearn.utils._param_validation import validate_parameter_constraints
    except ImportError:  # it is none of its public parts
        return ""
    said = ""
    for tried in (value, tuple(value)) if isinstance(value, list) else (value,):
        try:
            validate_parameter_constraints({inner: constraints}, {inner: tried}, name)
        except ValueError as error:
            said = str(error).partition(" Got ")[0].rstrip(".")
        else:
            return ""
    return said
