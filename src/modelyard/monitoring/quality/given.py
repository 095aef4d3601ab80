"""Truths as they were sent: checked, one for each row of a request."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.monitoring.quality.answers import keys_of
from modelyard.monitoring.truths import UNKNOWN, UNLISTED
from modelyard.registry.classes import Coder, agreed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from modelyard.monitoring.rows import Array

__all__ = ["Given", "batches", "class_codes", "numbers_of"]

_BATCH: Final = 20_000
_PROBLEMS: Final = 20
"""That are told; more are left out."""
_LONGEST: Final = 200
"""Characters of an id, and of a truth."""
_ROWS: Final = 1 << 20


@dataclass(slots=True)
class Given:
    """Some truths, by request and the row in it."""

    requests: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    truths: list[Any] = field(default_factory=list)
    """Texts, numbers, booleans."""
    received: list[float] = field(default_factory=list)
    """Seconds since 1970."""

    def add(self, request: str, place: int, truth: Any, received: float) -> None:
        self.requests.append(request)
        self.places.append(place)
        self.truths.append(truth)
        self.received.append(received)

    def keys(self) -> Array:
        return keys_of(self.requests, np.array(self.places, np.int64))


def batches(
    truths: Iterable[Mapping[str, Any]], received: float, problems: list[str]
) -> Iterator[Given]:
    """What is right of them, some at a time; of what is not, `problems` tells the first ones."""
    given = Given()
    for number, one in enumerate(truths, 1):
        problem = _take(given, one, received)
        if problem is not None and len(problems) < _PROBLEMS:
            problems.append(f"truth {number}: {problem}")
        if len(given.requests) >= _BATCH:
            yield given
            given = Given()
    if given.requests:
        yield given


def _take(given: Given, one: Mapping[str, Any], received: float) -> str | None:
    """Add it; what is wrong with it otherwise."""
    request, row = one.get("request"), one.get("row")
    if not isinstance(request, str) or not request:
        return "it names no request"
    if len(request) > _LONGEST:
        return f"an id has at most {_LONGEST} characters"
    if not request.isprintable():  # neither is a surrogate, which is no UTF-8
        return "an id has no characters that can't be printed"
    truth: Any = one.get("truth")
    if isinstance(truth, np.ndarray | np.generic):
        truth = truth.tolist()
    if isinstance(truth, list | tuple):
        if row is not None:
            return "a list of truths begins with the request's first row: leave out `row`"
        rows = dict(enumerate(truth))
    else:
        if row is not None and (isinstance(row, bool) or not isinstance(row, int)):
            return f"its row is no whole number: {row!r:.40}"
        rows = {row or 0: truth}
    for place, value in rows.items():
        if not 0 <= place < _ROWS:
            return f"no request has a row {place}"
        if value is None:
            continue  # of this row it is not known
        if not isinstance(value, str | int | float | bool):
            return f"a truth is a text or a number, not {type(value).__name__}"
        if isinstance(value, str) and (problem := _text_problem(value)) is not None:
            return problem
        if isinstance(value, int) and value.bit_length() > 63:
            return "a whole number has at most 63 bits"
        if isinstance(value, float) and math.isnan(value):
            continue
        given.add(request, place, value, received)
    return None


def _text_problem(truth: str) -> str | None:
    if len(truth) > _LONGEST:
        return f"a truth has at most {_LONGEST} characters"
    try:
        truth.encode()
    except UnicodeEncodeError:
        return "a truth is no UTF-8"
    return None


def class_codes(truths: list[Any], classes: tuple[str, ...]) -> Array:
    """int16 [truths]: places of classes, matched by value (1, 1.0 and "1" are one); UNLISTED."""
    places = {name: place for place, name in enumerate(classes)}
    known: dict[tuple[type, Any], int] = {}
    codes = np.full(len(truths), UNKNOWN, np.int16)
    for at, truth in enumerate(truths):
        key = (type(truth), truth)
        code = known.get(key)
        if code is None:
            code = known[key] = _code(truth, places)
        codes[at] = code
    return codes


def _code(truth: Any, places: Mapping[str, int]) -> int:
    name = Coder.name(truth)
    if name in places:
        return places[name]
    try:
        number = float(name)
        name = Coder.name(number)
    except ValueError:
        pass
    try:
        same = agreed([name], list(places))
    except InvalidInput:
        return UNLISTED
    return places[same.get(name, name)]


def numbers_of(truths: list[Any]) -> Array:
    """float64 [truths]; NaN: no number."""
    found = np.full(len(truths), np.nan)
    for at, truth in enumerate(truths):
        try:
            found[at] = float(truth)
        except (ValueError, OverflowError):
            continue
    found[np.isinf(found)] = np.nan
    return found
