"""Steps put into pipelines; the estimators of the given object are not touched.

A pipeline that data passes have made is, in this order: `clean`; what looks at columns one by one
(`encode`, `select`, or what the model came with), beside `features` if there are; the rest. So the
passes can follow each other in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from modelyard.core.extras import need

__all__ = ["encoded", "filled", "only_columns", "selected", "with_beside"]

_CLEAN = "clean"
_FEATURES = "features"
_SELECT = "select"

Named = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class _Parts:
    """A pipeline taken apart; nothing in it is fitted."""

    clean: Any
    """A step, or None."""
    columns: Named | None
    """What looks at columns one by one, or at text."""
    made: Any
    """What makes more columns of the inputs, or None."""
    rest: tuple[Named, ...]

    def pipeline(self) -> Any:
        pipes = need("sklearn.pipeline", "optimize")
        steps: list[Named] = []
        if self.clean is not None:
            steps.append((_CLEAN, self.clean))
        if self.made is not None:
            given = "passthrough" if self.columns is None else self.columns[1]
            union = pipes.FeatureUnion([("given", given), ("made", self.made)])
            steps.append((_FEATURES, union))
        elif self.columns is not None:
            steps.append(self.columns)
        return pipes.Pipeline([*steps, *self.rest])


def filled(obj: Any, step: Any) -> Any:
    """A pipeline that begins with a step that fills what is missing."""
    return replace(_parts(obj), clean=step).pipeline()


def encoded(obj: Any, step: Any) -> Any:
    """A pipeline in which this step looks at the columns, in place of what did."""
    return replace(_parts(obj), columns=("encode", step)).pipeline()


def with_beside(obj: Any, step: Any) -> Any:
    """A pipeline in which what a step makes of the inputs stands beside what was there before."""
    return replace(_parts(obj), made=step).pipeline()


def only_columns(obj: Any, columns: list[Any]) -> Any:
    """A pipeline that looks at these columns only; it takes the others, and leaves them."""
    parts = _parts(obj)
    if parts.columns is None:
        compose = need("sklearn.compose", "optimize")
        kept = compose.ColumnTransformer([("kept", "passthrough", columns)])
        return replace(parts, columns=(_SELECT, kept)).pipeline()
    name, step = parts.columns
    if not hasattr(step, "transformers"):
        return parts.pipeline()
    step.set_params(transformers=[
        (own, each, left) for own, each, given in step.transformers
        if _any(left := _left(given, columns))
    ])  # fmt: skip
    return replace(parts, columns=(name, step)).pipeline()


def selected(obj: Any) -> list[Any] | None:
    """The columns that `only_columns` left, by name or position; None if it did not."""
    for name, step in getattr(obj, "steps", ()):
        found = step
        if name == _FEATURES and hasattr(step, "transformer_list"):
            found = step.transformer_list[0][1]
        if hasattr(found, "transformers") and [each[0] for each in found.transformers] == ["kept"]:
            return list(found.transformers[0][2])
    return None


def _parts(obj: Any) -> _Parts:
    clone = need("sklearn.base", "optimize").clone
    steps: list[Named] = [("model", clone(obj))]
    if hasattr(obj, "steps"):
        steps = [(own, each if isinstance(each, str) else clone(each)) for own, each in obj.steps]
    clean = made = columns = None
    if len(steps) > 1 and steps[0][0] == _CLEAN:
        clean = steps.pop(0)[1]
    if len(steps) > 1:
        name, first = steps[0]
        if name == _FEATURES and hasattr(first, "transformer_list"):
            given, made = (each for _, each in first.transformer_list)
            own = _SELECT if selected(obj) is not None else "columns"
            columns = None if isinstance(given, str) else (own, given)
            steps.pop(0)
        elif hasattr(first, "transformers") or hasattr(first, "analyzer"):
            columns = steps.pop(0)
    return _Parts(clean, columns, made, tuple(steps))


def _left(given: Any, columns: list[Any]) -> Any:
    """Columns of a part of a `ColumnTransformer` that stay; those it finds itself stay as well."""
    if callable(given) or isinstance(given, slice):
        return given
    if isinstance(given, str | int):
        return given if given in columns else None
    return [each for each in list(given) if each in columns]


def _any(left: Any) -> bool:
    return left is not None and (not isinstance(left, list) or bool(left))
