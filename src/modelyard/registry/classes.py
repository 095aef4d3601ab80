"""Classes as files and models spell them, matched by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Coder", "agreed", "ordered", "unnamed"]

_MOST = 5000
_TRUTHS = {"true": "1", "false": "0", "yes": "1", "no": "0"}


class Coder:
    """Gives each value a code, in the order of first sight."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def codes(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Shape (rows,). InvalidInput: `too-many-classes`."""
        if values.dtype.kind == "O":
            found = dict.fromkeys(values.tolist())
            own = {value: self._code(value) for value in found}
            codes = np.array([own[value] for value in values.tolist()], np.int64)
        else:
            distinct, inverse = np.unique(values, return_inverse=True)
            if len(distinct) <= _MOST:
                own_codes = [self._code(value) for value in distinct.tolist()]
                codes = np.array(own_codes, np.int64)[inverse.reshape(-1)]
            else:
                self.names += [""] * len(distinct)
                codes = inverse
        if len(self.names) > _MOST:
            raise InvalidInput(
                "too-many-classes", f"the target has more than {_MOST:,} different values",
                hint="--suite regression",
            )  # fmt: skip
        return codes

    def _code(self, value: object) -> int:
        name = self.name(value)
        if name not in self._codes:
            self._codes[name] = len(self.names)
            self.names.append(name)
        return self._codes[name]

    @staticmethod
    def name(value: object) -> str:
        """The text of a value: 1.0 is `1`."""
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        return str(value)[:200]


def unnamed(truth: Sequence[str], count: int) -> list[str] | None:
    """The classes of so many scores that nobody named, as the target has them.

    They are 0, 1, 2 and so on, or those of the target in order if there are as many. None: neither.
    """
    numbers = [str(place) for place in range(count)]
    if set(truth) <= set(numbers):
        return numbers
    return ordered(truth) if len(set(truth)) == count else None


def agreed(truth: Sequence[str], said: Sequence[str]) -> dict[str, str]:
    """How names of the target are to be read so that they are the model's.

    Raises:
        InvalidInput: `labels-differ`: no class of the target is one that the model knows.
    """
    if set(truth) & set(said):
        return {}
    by_meaning = {_meaning(name): name for name in said}
    found = {name: by_meaning[_meaning(name)] for name in truth if _meaning(name) in by_meaning}
    if not found:
        raise InvalidInput(
            "labels-differ",
            f"the target holds {_shown(truth)}, but the model says {_shown(said)}",
            hint="name the column of these classes with --target, or encode it as for training",
        )  # fmt: skip
    return found


def ordered(names: Iterable[str]) -> list[str]:
    """By number if all are numbers, else by text."""
    listed = list(names)
    try:
        return sorted(listed, key=float)
    except ValueError:
        return sorted(listed)


def _meaning(name: str) -> str:
    plain = name.strip().casefold()
    return _TRUTHS.get(plain, plain)


def _shown(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in ordered(names)[:8])
    return shown + (", ..." if len(names) > 8 else "")
