"""Pipelines rebuilt after a plan: steps replaced, inserted, dropped, renamed."""

from __future__ import annotations

import copy
import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.sklearn.parameters import set_params
from modelyard.frameworks.sklearn.steps import LISTS, children, is_estimator, is_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Json

__all__ = ["rebuilt"]

_HINT = (
    'a plan holds "replace": {step: {"class", "params"}}, "insert": [{"before" or "after": step, '
    '"name", "class", "params"}], "drop": [step], "rename": {step: name}; steps of steps are '
    "outer__inner"
)
_PARTS = {"replace": dict, "insert": list, "drop": list, "rename": dict}
_INSERTED = ("name", "class", "params", "before", "after")
_PASSED = ("passthrough", "drop", None)

_Marks = dict[int, str]
"""What happened to the outermost steps, by `id`: `new`, `inside` or `before` them."""


def rebuilt(obj: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    """A new pipeline around the old steps; the given estimator stays as it is.

    Replaces, inserts, drops and renames in this order, by the names that steps have before.
    Steps that stay keep what they have learnt. An estimator that is no pipeline becomes the last
    step of one, named after its class, when something is inserted before it.

    Returns:
        The estimator, and a sentence for each step: kept as fitted, or to be fitted again.

    Raises:
        InvalidInput: `bad-structure`, `no-param`, `bad-param`.
        Denied: `untrusted`: a class of no `sklearn.` module.
    """
    _check_plan(plan)
    classes = [_class_name(entry) for entry in _entries(plan)]
    trust.require("the plan", (c for c in classes if not c.startswith("sklearn.")))
    if plan.get("insert") and not is_pipeline(obj):
        obj = _wrapped(obj)
    new = _shell(obj)
    marks: _Marks = {}
    for path, entry in plan.get("replace", {}).items():
        _replace(new, path, _made(entry), marks)
    for entry in plan.get("insert", []):
        _insert(new, entry, marks)
    for path in plan.get("drop", []):
        _drop(new, path, marks)
    for path, name in plan.get("rename", {}).items():
        _rename(new, path, name)
    _check_pipelines(new)
    return new, tuple(_report(new, marks))


# --- the plan --------------------------------------------------------------------------------


def _check_plan(plan: Json) -> None:
    if not isinstance(plan, dict) or not plan:
        raise _bad("the plan is no object with changes")
    for part, content in plan.items():
        if part not in _PARTS:
            raise _bad(f"a plan has no part {part!r:.60}")
        if not isinstance(content, _PARTS[part]):
            raise _bad(f"{part!r} holds no {_PARTS[part].__name__}")
    if not all(isinstance(name, str) for name in (*plan.get("drop", []), *_names(plan))):
        raise _bad("a step is named by a text")
    steps: list[tuple[str, ...]] = [(step, "class", "params") for step in plan.get("replace", {})]
    steps += [("an inserted step", *_INSERTED) for _ in plan.get("insert", [])]
    for (step, *known), entry in zip(steps, _entries(plan), strict=True):
        if isinstance(entry, dict):
            _check_keys(entry, step, known)
        if not isinstance(entry, dict) or not isinstance(entry.get("class"), str):
            raise _bad("a new step needs a class, such as sklearn.svm.SVC")
        if not isinstance(entry.get("params", {}), dict):
            raise _bad("params of a new step are an object of names and values")


def _check_keys(entry: Mapping[str, Any], step: str, known: Sequence[str]) -> None:
    for key in entry:
        if key not in known:
            raise _bad(
                f"{printable(step, 80)} has {printable(repr(key), 60)}, which means nothing there: "
                f"its keys are {', '.join(known)}"
            )


def _names(plan: Mapping[str, Any]) -> list[Any]:
    renamed = plan.get("rename", {})
    return [*renamed, *renamed.values(), *plan.get("replace", {})]


def _entries(plan: Mapping[str, Any]) -> list[Any]:
    return [*plan.get("replace", {}).values(), *plan.get("insert", [])]


def _class_name(entry: Mapping[str, Any]) -> str:
    name: str = entry["class"]
    if not all(part.isidentifier() for part in name.split(".")) or "." not in name:
        raise _bad(f"{printable(name, 80)!r} is no name of a class, such as sklearn.svm.SVC")
    return name


def _made(entry: Mapping[str, Any]) -> Any:
    """A new estimator of a class that is of scikit-learn, or trusted."""
    name = _class_name(entry)
    module, _, own = name.rpartition(".")
    try:
        cls = getattr(import_module(module), own)
    except (ImportError, AttributeError):
        raise _bad(f"there is no {printable(name, 80)} here") from None
    if not isinstance(cls, type) or inspect.isabstract(cls) or not hasattr(cls, "get_params"):
        raise _bad(f"{printable(name, 80)} is no estimator")
    params = entry.get("params", {})
    try:
        made = cls(**{n: v for n, v in params.items() if n in inspect.signature(cls).parameters})
    except TypeError as error:
        raise _bad(f"{own} can't be made: {printable(str(error))}") from None
    return set_params(made, params) if params else made


# --- changing --------------------------------------------------------------------------------


def _wrapped(obj: Any) -> Any:
    from sklearn.pipeline import Pipeline

    return Pipeline([(type(obj).__name__.lower(), obj)])


def _shell(obj: Any) -> Any:
    """A copy of the composition; steps that hold no others are shared, with what they learnt."""
    if not any(True for _ in children(obj)):
        return obj
    own = copy.copy(obj)
    for name, value in obj.get_params(deep=False).items():
        if name in LISTS and isinstance(value, list | tuple):
            entries = [(entry[0], _shell(entry[1]), *entry[2:]) for entry in value]
            setattr(own, name, entries)
        elif is_estimator(value):
            setattr(own, name, _shell(value))
    return own


def _replace(new: Any, path: str, made: Any, marks: _Marks) -> None:
    owner, name = _place(new, path)
    if name not in {child for child, *_ in children(owner)}:
        raise _no_step(owner, path)
    if is_pipeline(owner):
        owner.steps = [(n, made if n == name else step) for n, step in owner.steps]
    else:
        owner.set_params(**{name: made})
    _mark(new, path, made, "new", marks)


def _insert(new: Any, entry: Mapping[str, Any], marks: _Marks) -> None:
    sides = [side for side in ("before", "after") if side in entry]
    only = new.steps[-1][0] if len(new.steps) == 1 else None
    path = entry[sides[0]] if sides else only
    name = entry.get("name")
    if len(sides) > 1 or not isinstance(path, str) or not isinstance(name, str):
        raise _bad("an inserted step needs a name, and before or after which step it comes")
    owner, beside = _pipeline(new, path)
    made = _made(entry)
    at = [own for own, _ in owner.steps].index(beside) + (sides == ["after"])
    owner.steps = [*owner.steps[:at], (name, made), *owner.steps[at:]]
    _mark(new, path, made, "new", marks)


def _drop(new: Any, path: str, marks: _Marks) -> None:
    owner, name = _pipeline(new, path)
    at = [own for own, _ in owner.steps].index(name)
    if len(owner.steps) == 1:
        raise _bad(f"{path} is the only step: a pipeline needs one")
    if at + 1 < len(owner.steps):
        _mark(new, path, owner.steps[at + 1][1], "before", marks)
    owner.steps = [*owner.steps[:at], *owner.steps[at + 1 :]]


def _mark(new: Any, path: str, step: Any, what: str, marks: _Marks) -> None:
    """Remember a change by the outermost step that it concerns."""
    outermost, _, inner = path.partition("__")
    if inner:
        step = {name: child for name, child, _ in children(new)}[outermost]
        what = "inside"
    marks.setdefault(id(step), what)


def _rename(new: Any, path: str, name: str) -> None:
    owner, old = _pipeline(new, path)
    owner.steps = [(name if own == old else own, step) for own, step in owner.steps]


def _pipeline(new: Any, path: str) -> tuple[Any, str]:
    owner, name = _place(new, path)
    if not is_pipeline(owner):
        raise _bad(f"{path}: steps of a {type(owner).__name__} can be replaced, nothing else")
    if name not in {own for own, _ in owner.steps}:
        raise _no_step(owner, path)
    return owner, name


def _place(new: Any, path: str) -> tuple[Any, str]:
    """The composition that holds a step, and the step's name there."""
    outer, _, name = path.rpartition("__")
    for part in outer.split("__") if outer else ():
        found = {child: inner for child, inner, _ in children(new)}
        if part not in found or not is_estimator(found[part]):
            raise _no_step(new, path)
        new = found[part]
    return new, name


def _check_pipelines(new: Any) -> None:
    if not is_estimator(new):
        return
    if is_pipeline(new):
        names = [name for name, _ in new.steps]
        own = set(new.get_params(deep=False))
        if any("__" in n or not n or n in own for n in names) or len(set(names)) < len(names):
            raise _bad(f"steps can't be named {', '.join(map(repr, names))}")
        for name, step in new.steps[:-1]:
            if step not in _PASSED and not hasattr(step, "transform"):
                raise _bad(f"{name} is a {type(step).__name__}: it transforms nothing, so it is "
                           "only good as the last step")  # fmt: skip
    for _, child, _ in children(new):
        _check_pipelines(child)


# --- telling ---------------------------------------------------------------------------------


def _report(new: Any, marks: _Marks) -> Iterator[str]:
    """Of the outermost steps: what they have learnt, and whether it still fits its inputs."""
    if not is_pipeline(new):
        yield f"the {type(new).__name__} changed inside: it must be fitted again"
        return
    same = True
    for name, step in new.steps:
        if not is_estimator(step):
            yield f"{name} is {step!r}"
            continue
        mark = marks.get(id(step))
        same = same and mark is None
        if mark == "new":
            yield f"{name} is new: it must be fitted"
        elif mark == "inside":
            yield f"{name} changed inside: it must be fitted again"
        elif not _is_fitted(step):
            yield f"{name} is not fitted"
        elif same:
            yield f"{name} is kept as fitted"
        else:
            yield f"{name} is kept as fitted, but what it is given changed: fit it again"


def _is_fitted(step: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(step)
    except (NotFittedError, TypeError, AttributeError):
        return False
    return True


def _no_step(owner: Any, path: str) -> InvalidInput:
    there = ", ".join(name for name, *_ in children(owner)) or "no steps"
    return _bad(f"there is no step {printable(path, 80)}: a {type(owner).__name__} has {there}")


def _bad(message: str) -> InvalidInput:
    return InvalidInput("bad-structure", message, hint=_HINT)
