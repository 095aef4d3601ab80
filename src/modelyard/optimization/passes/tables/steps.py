"""Steps of pipelines, by the lines in which scikit-learn's framework tells a structure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["StepLine", "steps_in"]

_LINE = re.compile(r"( *)(?:([^:]+): )?([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class StepLine:
    """One object inside of another."""

    depth: int
    """0 is the model itself."""
    path: tuple[str, ...]
    """Names on the way to it: `("prep", "num")`."""
    class_name: str
    """Without its module."""


def steps_in(structure: Sequence[str]) -> Iterator[StepLine]:
    """The model, and what it is made of; lines that tell something else are passed over."""
    path: list[str] = []
    for line in structure:
        match = _LINE.match(line)
        if match is not None:
            depth = len(match[1]) // 2
            path = path[: max(depth - 1, 0)] + ([match[2]] if depth and match[2] else [])
            yield StepLine(depth, tuple(path), match[3])
