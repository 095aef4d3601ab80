"""What differs between two versions: files, tensors, parameters, metrics, and one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Diff", "FileChange", "TensorChange", "ValueChange", "summarize"]

Change = Literal["added", "removed", "changed", "renamed", "unchanged"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that is not the same on both sides."""

    path: str
    change: Change
    old_path: str | None
    """The former path of a renamed file."""
    old_size: int | None
    new_size: int | None


@dataclass(frozen=True, slots=True)
class TensorChange:
    """A tensor that is not the same on both sides; statistics where shapes agree."""

    file: str
    name: str
    """The tensor's name on the new side, or on the old if it was removed."""
    change: Change
    dtype: str
    shape: tuple[int, ...]
    old_dtype: str | None = None
    """Given if it differs."""
    old_shape: tuple[int, ...] | None = None
    """Given if it differs."""
    relative_change: float | None = None
    """Euclidean norm of the difference over that of the old values."""
    cosine: float | None = None
    """Cosine of the angle between old and new values."""
    max_abs: float | None = None
    """Largest absolute difference of one element."""


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A parameter or metric that is not the same; None where one side has none."""

    name: str
    """Of the parameter or metric."""
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """The difference from version `a` to version `b`."""

    a: str
    b: str
    files: tuple[FileChange, ...]
    """Those that differ, by path."""
    tensors: tuple[TensorChange, ...]
    """Largest relative change first; added and removed ones before them."""
    tensors_total: int
    """How many tensors `b` has."""
    tensors_changed: int
    """How many differ, also when `tensors` was cut by a limit."""
    params: tuple[ValueChange, ...]
    """Those that differ, by name."""
    metrics: tuple[ValueChange, ...]
    """Those that differ, by name."""
    card_changed: bool
    """Whether README.md differs."""
    text: str
    """One sentence that says it all."""
    structure: tuple[str, ...] = ()
    """Lines of an object's structure that differ, with `-` or `+` before them."""

    def summary(self) -> str:
        """The sentence, `text`."""
        return self.text

    def __bool__(self) -> bool:
        return bool(self.files or self.tensors or self.params or self.metrics)

    def __str__(self) -> str:
        return self.text


def summarize(
    files: Sequence[FileChange],
    tensors: Sequence[TensorChange],
    total: int,
    params: Sequence[ValueChange],
    metrics: Sequence[ValueChange],
) -> str:
    """`2 of 161 tensors changed, largest: fc.weight 3.1 %; accuracy 0.912 -> 0.931`."""
    parts: list[str] = []
    if tensors:
        parts.append(_tensor_sentence(tensors, total))
    elif files:
        parts.append(_count(files, "file"))
    parts += [f"{m.name} {_show(m.old)} -> {_show(m.new)}" for m in metrics[:3]]
    if params:
        names = ", ".join(p.name for p in params[:3]) + (", ..." if len(params) > 3 else "")
        parts.append(f"{len(params)} parameter{'s' * (len(params) > 1)} changed ({names})")
    return "; ".join(parts) if parts else "no difference"


def _tensor_sentence(tensors: Sequence[TensorChange], total: int) -> str:
    moved = [t for t in tensors if t.change in ("changed", "renamed")]
    parts = []
    if moved:
        largest = max(moved, key=lambda t: t.relative_change or 0.0)
        text = f"{len(moved)} of {total} tensors changed"
        if largest.relative_change:
            text += f", largest: {largest.name} {_percent(largest.relative_change)}"
        parts.append(text)
    for change in ("added", "removed"):
        count = sum(t.change == change for t in tensors)
        if count:
            parts.append(f"{count} tensor{'s' * (count > 1)} {change}")
    return ", ".join(parts)


def _count(files: Sequence[FileChange], noun: str) -> str:
    kinds: dict[str, int] = {}
    for file in files:
        kinds[file.change] = kinds.get(file.change, 0) + 1
    return ", ".join(f"{n} {noun}{'s' * (n > 1)} {kind}" for kind, n in kinds.items())


def _percent(ratio: float) -> str:
    if ratio >= 10:
        return f"{ratio:.3g}x"
    return f"{ratio * 100:.0f} %" if ratio >= 1 else f"{ratio * 100:.2g} %"


def _show(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
