"""Rows varied so that what is to be predicted of them stays the same, or changes along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.core.table import Table
from modelyard.optimization.passes.data.columns import kinds_of, of_kind
from modelyard.optimization.passes.data.rows import codes_of
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.optimization.state import Task

__all__ = ["KINDS", "fitting", "varied"]

Array = np.ndarray[Any, Any]

_PICTURES: Final = ("shift", "flip", "rotate", "cut-out")
_TEXTS: Final = ("drop-words", "swap-words")
KINDS: Final = ("noise", "mixup", *_PICTURES, *_TEXTS)

_LARGEST_ANGLE: Final = 45.0
_FEW_CHANNELS: Final = 4


def fitting(inputs: Table, kind: str | None = None) -> str:
    """The kind that fits the columns best; or the given one, if it fits; else empty."""
    kinds = set(kinds_of(inputs).values())
    pictures = any(c.ndim in (3, 4) and c.dtype.kind in "iuf" for c in inputs.columns.values())
    vectors = any(c.ndim > 1 and c.dtype.kind == "f" for c in inputs.columns.values())
    found = [
        *(_PICTURES if pictures else ()), *(_TEXTS if "text" in kinds else ()),
        *(("noise", "mixup") if "number" in kinds or vectors else ()),
    ]  # fmt: skip
    if kind is not None:
        return kind if kind in found else ""
    return found[0] if found else ""


def varied(rows: Rows, kind: str, strength: float, task: Task, seed: tuple[int, int]) -> Rows:
    """As many rows again, each varied; columns that the kind is not for stay.

    Args:
        strength: 0 to 1, see `augment`.
    """
    chance = np.random.default_rng(seed)
    if kind == "mixup":
        return _mixed(rows, strength, task, chance)
    columns = dict(rows.inputs.columns)
    if kind == "noise":
        for name, column in columns.items():
            if column.dtype.kind == "f" and (column.ndim > 1 or name in _numbers(rows.inputs)):
                spread = np.nanstd(column, axis=0)
                made = column + chance.normal(size=column.shape) * spread * strength
                columns[name] = made.astype(column.dtype)
    elif kind in _PICTURES:
        for name, column in columns.items():
            if column.ndim in (3, 4):
                columns[name] = _pictures(column, kind, strength, chance)
    else:
        change = _dropped if kind == "drop-words" else _swapped
        for name in of_kind(rows.inputs, "text"):
            texts = [
                value if value is None else change(str(value).split(), strength, chance)
                for value in columns[name].tolist()
            ]
            columns[name] = np.array(texts, object)
    return Rows(Table(columns), rows.target, rows.weights)


def _numbers(inputs: Table) -> set[str]:
    return set(of_kind(inputs, "number"))


def _mixed(rows: Rows, strength: float, task: Task, chance: np.random.Generator) -> Rows:
    """Each row with a bit of another (Zhang 2018, "mixup"): of classes, one of the same class."""
    count = len(rows)
    target = np.asarray(rows.target)
    partner = chance.permutation(count)
    if task == "classification":
        codes = codes_of(target)
        for code in range(codes.max(initial=0) + 1):
            own = np.flatnonzero(codes == code)
            partner[own] = chance.permutation(own)
    part = np.minimum(chance.beta(2 * strength, 2 * strength, count), 1.0)
    part = np.minimum(part, 1 - part)  # mostly itself
    columns = dict(rows.inputs.columns)
    numbers = _numbers(rows.inputs)
    for name, column in columns.items():
        if column.dtype.kind == "f" and (column.ndim > 1 or name in numbers):
            share = part.reshape(-1, *[1] * (column.ndim - 1))
            columns[name] = (column * (1 - share) + column[partner] * share).astype(column.dtype)
    if task == "regression":
        mixed = target * (1 - part) + target[partner] * part
        target = mixed if target.dtype.kind != "f" else mixed.astype(target.dtype)
    return Rows(Table(columns), target, rows.weights)


# --- pictures ------------------------------------------------------------------------------------


def _pictures(column: Array, kind: str, strength: float, chance: np.random.Generator) -> Array:
    """Shape (rows, height, width), (rows, channels, height, width) or channels last."""
    last = column.ndim == 4 and column.shape[-1] <= _FEW_CHANNELS < column.shape[1]
    planes = column if column.ndim == 4 else column[:, None]
    if last:
        planes = np.moveaxis(column, -1, 1)
    change: dict[str, Callable[[Array, float, np.random.Generator], Array]] = {
        "shift": _shifted, "flip": _flipped, "rotate": _turned, "cut-out": _cut,
    }  # fmt: skip
    made = np.stack([change[kind](each, strength, chance) for each in planes])
    if column.ndim == 3:
        return np.asarray(made[:, 0])
    return np.ascontiguousarray(np.moveaxis(made, 1, -1)) if last else made


def _shifted(picture: Array, strength: float, chance: np.random.Generator) -> Array:
    """Moved by up to a share of its size, at least by one; what comes in is its darkest value."""
    height, width = picture.shape[1:]
    down, right = (
        int(chance.integers(-most, most + 1))
        for most in (max(1, round(strength * height)), max(1, round(strength * width)))
    )
    made = np.full_like(picture, picture.min())
    made[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = picture[
        :, max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return made


def _flipped(picture: Array, _strength: float, _chance: np.random.Generator) -> Array:
    return picture[:, :, ::-1]


def _turned(picture: Array, strength: float, chance: np.random.Generator) -> Array:
    """Turned by up to a share of 45 degrees around its middle, between its elements linearly."""
    angle = np.deg2rad(chance.uniform(-1, 1) * strength * _LARGEST_ANGLE)
    height, width = picture.shape[1:]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    up = np.clip(np.cos(angle) * y - np.sin(angle) * x + (height - 1) / 2, 0, height - 1)
    along = np.clip(np.sin(angle) * y + np.cos(angle) * x + (width - 1) / 2, 0, width - 1)
    top, left = np.floor(up).astype(int), np.floor(along).astype(int)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, over = up - top, along - left
    given = picture.astype(np.float64)
    made: Array = (
        given[:, top, left] * (1 - down) * (1 - over)
        + given[:, top, right] * (1 - down) * over
        + given[:, bottom, left] * down * (1 - over)
        + given[:, bottom, right] * down * over
    )
    return (np.rint(made) if picture.dtype.kind in "iu" else made).astype(picture.dtype)


def _cut(picture: Array, strength: float, chance: np.random.Generator) -> Array:
    """A square of a share of its size is its mean (DeVries 2017, "cutout")."""
    height, width = picture.shape[1:]
    tall, wide = max(1, round(strength * height)), max(1, round(strength * width))
    top, left = (
        int(chance.integers(0, height - tall + 1)),
        int(chance.integers(0, width - wide + 1)),
    )
    made = picture.copy()
    made[:, top : top + tall, left : left + wide] = picture.mean()
    return made


# --- text ----------------------------------------------------------------------------------------


def _dropped(words: list[str], strength: float, chance: np.random.Generator) -> str:
    """Without a share of its words (Wei and Zou 2019, "EDA"); one stays at least."""
    kept = chance.random(len(words)) >= strength
    found = [word for word, stays in zip(words, kept, strict=True) if stays]
    return " ".join(found or words[:1])


def _swapped(words: list[str], strength: float, chance: np.random.Generator) -> str:
    """Neighbours exchanged, for a share of its words."""
    found = list(words)
    for place in range(len(found) - 1):
        if chance.random() < strength:
            found[place], found[place + 1] = found[place + 1], found[place]
    return " ".join(found)
