"""A `ColumnTransformer` told to look at fewer columns, whichever way it was told of them."""

from __future__ import annotations

from typing import Any, Final

from modelyard.core.extras import need

__all__ = ["by_names", "counts_places", "narrowed"]

_BY_PLACE: Final = frozenset({
    "categories", "categorical_features", "feature_types", "formulas", "interaction_constraints",
    "interaction_cst", "monotone_constraints", "monotonic_cst",
})  # fmt: skip
"""Parameters that say something of each column, by its place or its name."""


def counts_places(step: Any) -> bool:
    """Whether a step, or one within it, knows columns by place or name: fewer would confuse it."""
    if not hasattr(step, "get_params"):
        return False
    if hasattr(step, "transformers"):
        return True
    for name, value in step.get_params(deep=True).items():
        said = name.rpartition("__")[2] in _BY_PLACE and value is not None
        if hasattr(value, "transformers") or (said and not isinstance(value, str)):
            return True
    return False


def narrowed(step: Any, columns: list[Any]) -> Any | None:
    """The same with these columns only; None if nothing would be left, or that can't be done.

    What it found in fitting by a slice, a mask or a question, and what remained, is named.

    Args:
        step: Fitted.
        columns: Names, or positions if it was fitted without.
    """
    if any(counts_places(each) for each in (*(t[1] for t in step.transformers), step.remainder)):
        return None
    found = _limited(step, columns)
    return found if found is not None and found.transformers else None


def by_names(step: Any) -> Any:
    """The same with its columns named, so that they may be given in another order.

    As it is if they are named already, or were found by what they hold.
    """
    names = getattr(step, "feature_names_in_", None)
    if names is None or all(_is_named(given) for _, _, given in step.transformers):
        return step
    found = _limited(step, [str(name) for name in names])
    return step if found is None else found


def _limited(step: Any, columns: list[Any]) -> Any | None:
    places = getattr(step, "_transformer_to_input_indices", None)
    labels = _labels(step, columns)
    if places is None or labels is None:
        return None
    wanted = set(columns)
    fitted = {name: given for name, _, given in step.transformers_}
    parts: list[tuple[str, Any, Any]] = []
    for name, each, _ in step.transformers:
        left = [labels[place] for place in places[name] if labels[place] in wanted]
        if left and not _is_drop(each):
            alone = isinstance(fitted.get(name), str | int)  # it gets the column, not a table of it
            parts.append((name, each, left[0] if alone else left))
    rest = [labels[place] for place in places["remainder"] if labels[place] in wanted]
    if rest and not _is_drop(step.remainder):
        taken = {name for name, _, _ in step.transformers}
        parts.append(("others" if "others" not in taken else "others2", step.remainder, rest))
    clone = need("sklearn.base", "optimize").clone
    return clone(step).set_params(transformers=parts, remainder="drop")


def _labels(step: Any, columns: list[Any]) -> list[Any] | None:
    """What each of its columns is called: by name if these are names, else by position."""
    if not all(isinstance(each, str) for each in columns):
        return list(range(step.n_features_in_))
    names = getattr(step, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _is_named(given: Any) -> bool:
    if callable(given) or isinstance(given, str):
        return True
    return not isinstance(given, int | slice) and all(isinstance(each, str) for each in given)


def _is_drop(step: Any) -> bool:
    return isinstance(step, str) and step == "drop"
