"""Steps put into pipelines; the estimators of the given object are not touched.

A pipeline that data passes have made is, in this order: `clean`; what looks at columns one by one
(`encode`, `select`, or what the model came with), beside `features` if there are; the rest. So the
passes can follow each other in any order. Steps are known by what they are: people call theirs
`clean` and `features` as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from modelyard.core.extras import need
from modelyard.optimization.passes.data.narrowing import by_names, counts_places, narrowed

__all__ = ["encoded", "filled", "made_beside", "only_columns", "selected", "with_beside"]

_CLEAN = "clean"
_FEATURES = "features"
_SELECT = "select"
_GIVEN = "given"
_MADE = "made"

Named = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class _Parts:
    """A pipeline taken apart."""

    clean: Any
    """A step, or None."""
    columns: Named | None
    """What looks at columns one by one, or at text."""
    made: tuple[Any, ...]
    """What makes more columns of the inputs."""
    rest: tuple[Named, ...]

    def pipeline(self) -> Any:
        """It put together, not fitted."""
        pipes = need("sklearn.pipeline", "optimize")
        rest = list(self.rest)
        taken = {name for name, _ in rest}
        steps: list[Named] = []
        if self.made and self.columns is None and _is_union(rest[0][1]):
            name, union = rest[0]  # beside what stands there beside each other already
            rest[0] = (name, _united(union, [*union.transformer_list, *self._named(union)]))
        elif self.made:
            given = "passthrough" if self.columns is None else self.columns[1]
            union = pipes.FeatureUnion([(_GIVEN, given), *self._named()])
            steps.append((_free(_FEATURES, taken), union))
        elif self.columns is not None:
            steps.append((_free(self.columns[0], taken), self.columns[1]))
        if self.clean is not None:
            taken |= {name for name, _ in steps}
            steps.insert(0, (_free(_CLEAN, taken), self.clean))
        return need("sklearn.base", "optimize").clone(pipes.Pipeline([*steps, *rest]))

    def _named(self, union: Any = None) -> list[Named]:
        taken = set() if union is None else {name for name, _ in union.transformer_list}
        found: list[Named] = []
        for each in self.made:
            found.append((_free(_MADE, taken), each))
            taken.add(found[-1][0])
        return found


def filled(obj: Any, step: Any) -> Any:
    """A pipeline that begins with a step that fills what is missing."""
    parts = _parts(obj)
    if parts.columns is not None and hasattr(parts.columns[1], "transformers"):
        # filled columns may come in another order
        parts = replace(parts, columns=(parts.columns[0], by_names(parts.columns[1])))
    return replace(parts, clean=step).pipeline()


def encoded(obj: Any, step: Any) -> Any:
    """A pipeline in which this step looks at the columns, in place of what did."""
    return replace(_parts(obj), columns=("encode", step)).pipeline()


def with_beside(obj: Any, step: Any) -> Any:
    """A pipeline in which what a step makes of the inputs stands beside what was there before."""
    parts = _parts(obj)
    return replace(parts, made=(*parts.made, step)).pipeline()


def made_beside(obj: Any) -> list[list[Any]]:
    """The formulas of the columns that `with_beside` has put there."""
    steps = [made.steps[0][1] for made in _parts(obj).made]
    return [[name, list(of)] for step in steps for name, of in step.formulas]


def only_columns(obj: Any, columns: list[Any]) -> Any | None:
    """A pipeline that looks at these columns only; it takes the others, and leaves them.

    None if none would be left, or if steps know columns in ways that can't be told of fewer.

    Args:
        obj: Fitted.
    """
    parts = _parts(obj)
    if any(counts_places(step) for _, step in parts.rest):
        return None
    if parts.columns is None:
        compose = need("sklearn.compose", "optimize")
        kept = compose.ColumnTransformer([("kept", "passthrough", columns)])
        return replace(parts, columns=(_SELECT, kept)).pipeline()
    name, step = parts.columns
    left = narrowed(step, columns) if hasattr(step, "transformers") else None
    return None if left is None else replace(parts, columns=(name, left)).pipeline()


def selected(obj: Any) -> list[Any] | None:
    """The columns that `only_columns` left, by name or position; None if it did not."""
    for _, step in getattr(obj, "steps", ()):
        found = step
        if _is_union(step) and step.transformer_list[0][0] == _GIVEN:
            found = step.transformer_list[0][1]
        if [each[:2] for each in getattr(found, "transformers", ())] == [("kept", "passthrough")]:
            return list(found.transformers[0][2])
    return None


def _parts(obj: Any) -> _Parts:
    steps: list[Named] = list(obj.steps) if hasattr(obj, "steps") else [("model", obj)]
    clean: Any = None
    columns: Named | None = None
    made: list[Any] = []
    if len(steps) > 1 and _bare(steps[0][0]) == _CLEAN and _fills(steps[0][1]):
        clean = steps.pop(0)[1]
    if len(steps) > 1:
        name, first = steps[0]
        if _is_union(first):
            made = [each for own, each in first.transformer_list if _makes(own, each)]
            others = [(own, each) for own, each in first.transformer_list if not _makes(own, each)]
            if made and [own for own, _ in others] == [_GIVEN]:
                steps.pop(0)
                own = _SELECT if selected(obj) is not None else "columns"
                columns = None if _passes(others[0][1]) else (own, others[0][1])
            elif made:
                steps[0] = (name, _united(first, others))
        elif hasattr(first, "transformers") or hasattr(first, "analyzer"):
            columns = steps.pop(0)
    return _Parts(clean, columns, tuple(made), tuple(steps))


def _fills(step: Any) -> bool:
    """Whether it is what `clean` makes."""
    if hasattr(step, "transformers"):
        named = {name for name, _, _ in step.transformers} <= {"numbers", "categories"}
        return named and all(_fills(each) for _, each, _ in step.transformers)
    filler = type(step).__name__ in ("SimpleImputer", "KNNImputer")
    return filler and bool(step.keep_empty_features) and not step.add_indicator


def _makes(name: str, step: Any) -> bool:
    """Whether it is what `features` makes."""
    steps: list[Named] = getattr(step, "steps", [])
    return _bare(name) == _MADE and bool(steps) and hasattr(steps[0][1], "formulas")


def _passes(step: Any) -> bool:
    """Whether it leaves everything as it is; a fitted union has a step for that."""
    if isinstance(step, str):
        return step == "passthrough"
    return type(step).__name__ == "FunctionTransformer" and step.func is None


def _is_union(step: Any) -> bool:
    return hasattr(step, "transformer_list")


def _united(union: Any, steps: list[Named]) -> Any:
    return need("sklearn.base", "optimize").clone(union).set_params(transformer_list=steps)


def _bare(name: str) -> str:
    return name.rstrip("0123456789")


def _free(name: str, taken: set[str]) -> str:
    """A name that no step has yet: the same, or with a number."""
    count, found = 1, name
    while found in taken:
        count += 1
        found = f"{name}{count}"
    return found
