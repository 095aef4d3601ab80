"""Steps put into pipelines; the estimators of the given object are not touched."""

from __future__ import annotations

from typing import Any

from modelyard.core.extras import need
from modelyard.optimization.passes.data.learning import is_composed

__all__ = ["only_columns", "put_before", "with_beside", "with_first", "without_first"]


def put_before(obj: Any, name: str, step: Any) -> Any:
    """A pipeline of a step and then the object; not fitted. A step of that name is replaced."""
    steps = [(own, each) for own, each in _steps(obj) if own != name]
    return _pipeline([(name, step), *steps])


def with_first(obj: Any, name: str, step: Any) -> Any:
    """A pipeline whose first step is this one, in place of what looks at columns one by one."""
    return _pipeline([(name, step), *without_first(obj)])


def without_first(obj: Any) -> list[tuple[str, Any]]:
    """The steps of a pipeline without those that look at columns one by one, or at text."""
    steps = _steps(obj)
    return steps[1:] if is_composed(obj) and len(steps) > 1 else steps


def _steps(obj: Any) -> list[tuple[str, Any]]:
    clone = need("sklearn.base", "optimize").clone
    if hasattr(obj, "steps"):
        return [(name, each if isinstance(each, str) else clone(each)) for name, each in obj.steps]
    return [("model", clone(obj))]


def _pipeline(steps: list[tuple[str, Any]]) -> Any:
    return need("sklearn.pipeline", "optimize").Pipeline(steps)


def only_columns(obj: Any, columns: list[Any]) -> Any:
    """A pipeline that looks at these columns only; it takes the others, and leaves them."""
    compose = need("sklearn.compose", "optimize")
    steps = _steps(obj)
    first = steps[0][1]
    if hasattr(first, "transformers"):
        first.set_params(transformers=[
            (name, step, left) for name, step, given in first.transformers
            if (left := _left(given, columns))
        ])  # fmt: skip
        return _pipeline(steps)
    chosen = compose.ColumnTransformer(
        [("kept", "passthrough", columns)], verbose_feature_names_out=False
    )
    return put_before(obj, "select", chosen)


def with_beside(obj: Any, name: str, step: Any) -> Any:
    """A pipeline in which what a step makes of the inputs stands beside what was there before."""
    union = need("sklearn.pipeline", "optimize").FeatureUnion
    steps = _steps(obj)
    begins = is_composed(obj) and len(steps) > 1
    before = steps[0][1] if begins else "passthrough"
    rest = steps[1:] if begins else steps
    return _pipeline([(name, union([("given", before), ("made", step)])), *rest])


def _left(given: Any, columns: list[Any]) -> Any:
    """Columns of a part of a `ColumnTransformer` that stay; those it finds itself stay as well."""
    if callable(given) or isinstance(given, slice):
        return given
    if isinstance(given, str | int):
        return given if given in columns else None
    return [each for each in list(given) if each in columns]
