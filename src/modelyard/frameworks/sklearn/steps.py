"""Estimators inside of estimators: pipelines, column transformers, unions, ensembles, searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LISTS", "Step", "children", "is_estimator", "is_pipeline", "lines"]

Step = tuple[str, Any, str]
"""Name, estimator (or `passthrough`, `drop`), and a word on what it works on."""

_SHOWN = 6
LISTS = ("steps", "transformers", "transformer_list", "estimators")
"""Parameters that hold (name, estimator) or (name, estimator, columns)."""


def is_estimator(value: object) -> bool:
    return hasattr(value, "get_params") and not isinstance(value, type)


def is_pipeline(value: object) -> bool:
    return any(
        f"{cls.__module__}.{cls.__qualname__}" == "sklearn.pipeline.Pipeline"
        for cls in type(value).__mro__
    )


def children(obj: Any) -> Iterator[Step]:
    """The estimators that a composed one was given, in their order."""
    if not is_estimator(obj):
        return
    given = obj.get_params(deep=False)
    for name, value in given.items():
        if name in LISTS and isinstance(value, list | tuple):
            yield from _listed(value)
        elif is_estimator(value):
            yield name, value, ""


def lines(obj: Any) -> tuple[str, ...]:
    """The class, and indented below it a line for each step, at any depth."""
    return tuple(_lines(obj, type(obj).__name__, 0))


def _lines(obj: Any, text: str, depth: int) -> Iterator[str]:
    yield "  " * depth + text
    for name, child, where in children(obj):
        title = child if isinstance(child, str) else type(child).__name__
        yield from _lines(child, f"{name}: {title}{where}", depth + 1)


def _listed(entries: list[Any] | tuple[Any, ...]) -> Iterator[Step]:
    for entry in entries:
        if isinstance(entry, tuple | list) and len(entry) in (2, 3):
            yield str(entry[0]), entry[1], _columns(entry[2]) if len(entry) == 3 else ""


def _columns(columns: Any) -> str:
    if callable(columns):
        return " on columns that it selects itself"
    if isinstance(columns, str | int):
        return f" on {columns}"
    try:
        names = [str(column) for column in columns]
    except TypeError:
        return f" on {columns!r}"[:100]
    return f" on {', '.join(names[:_SHOWN])}" + (", ..." if len(names) > _SHOWN else "")
