"""Which options a class has, or all the steps of a pipeline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.optimization.passes.interface import Range
from modelyard.optimization.passes.tables.spaces import kernels, linear, others, trees
from modelyard.optimization.passes.tables.steps import steps_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.optimization.passes.interface import Option

__all__ = ["space_of", "spaces_in"]

_SCALERS = (
    "StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "PowerTransformer",
    "QuantileTransformer", "Normalizer", "SplineTransformer",
)  # fmt: skip
_SPACES = linear.SPACES | kernels.SPACES | trees.SPACES | others.SPACES


def space_of(class_name: str, *, columns: int, rows: int, scaled: bool = True) -> dict[str, Option]:
    """Options of one class by the names of its parameters; empty if none are known.

    Args:
        class_name: With or without its module.
        columns, rows: Of the data to learn from; 0 if that is not known.
        scaled: Whether its columns are near to one; not if nobody knows.
    """
    name = class_name.rpartition(".")[2]
    if name == "Booster":
        name = class_name.partition(".")[0]
    options = _SPACES.get(name)
    found = dict(options(max(columns, 1), rows or 1000)) if options else {}
    if not scaled and isinstance(gamma := found.get("gamma"), Range):
        found["gamma"] = _of_any_scale(gamma)
    return found


def spaces_in(structure: Sequence[str], *, columns: int, rows: int) -> dict[str, Option]:
    """Options of every step: `clf__C`, `prep__num__imputer__strategy`.

    Args:
        structure: Lines as scikit-learn's framework gives them.
    """
    steps = list(_steps(structure))
    scaled = any(cls in _SCALERS for _, cls in steps)
    found: dict[str, Option] = {}
    for path, cls in steps:
        for name, option in space_of(cls, columns=columns, rows=rows, scaled=scaled).items():
            found["__".join([*path, name])] = option
    return found


def _of_any_scale(gamma: Range) -> Range:
    """A kernel's width goes with the square of what columns are like: thousands, or thousandths."""
    also = (gamma.default * 1e-3, gamma.default, gamma.default * 1e-5, gamma.default * 0.1)
    return replace(gamma, low=1e-8, also=tuple(float(f"{each:.4g}") for each in also))


def _steps(structure: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    searched: int | None = None
    for line in steps_in(structure):
        if searched is not None and line.depth > searched:
            continue  # what a search holds it tunes itself
        searched = line.depth if line.class_name.endswith("SearchCV") else None
        yield line.path, line.class_name
