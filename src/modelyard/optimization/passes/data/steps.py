"""Steps put into pipelines; the estimators of the given object are not touched."""

from __future__ import annotations

from typing import Any

from modelyard.core.extras import need
from modelyard.optimization.passes.data.learning import is_composed

__all__ = ["put_before", "with_first", "without_first"]


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
        return [
            (name, each if isinstance(each, str) else clone(each)) for name, each in obj.steps
        ]
    return [("model", clone(obj))]


def _pipeline(steps: list[tuple[str, Any]]) -> Any:
    return need("sklearn.pipeline", "optimize").Pipeline(steps)
