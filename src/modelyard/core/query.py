"""The search language: one line of text becomes conditions that a version must all meet.

`parse_query` and `str` are inverse: `parse_query(str(query)) == query`. Every look at the text goes
forward only, so time grows with its length and no more. `docs/reference/query.md` tells the
language.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.core.conditions import (
    DATE,
    HOURS,
    Age,
    Compare,
    Condition,
    Date,
    FileGlob,
    HasLabel,
    HasMetric,
    HasParam,
    HasSize,
    HasText,
    HasTime,
    HasValue,
    HasWord,
    Not,
    PointedBy,
    Query,
    Sort,
    TimeField,
    quoted,
    read_number,
)
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "QUALIFIERS",
    "SORTS",
    "Age",
    "Compare",
    "Condition",
    "Date",
    "FileGlob",
    "HasLabel",
    "HasMetric",
    "HasParam",
    "HasSize",
    "HasText",
    "HasTime",
    "HasValue",
    "HasWord",
    "Not",
    "PointedBy",
    "Query",
    "Sort",
    "parse_query",
]

QUALIFIERS = (
    "label", "name", "description", "message", "author", "framework", "format", "kind", "branch",
    "alias", "tag", "created", "updated", "size", "file", "sort",
)  # fmt: skip
SORTS = ("created", "updated", "name", "size", "number")
"""What to sort by, besides `metric.NAME`."""

_LIMIT_BYTES = 4096
_LIMIT_CONDITIONS = 64
_OPERATORS: tuple[Compare, ...] = ("!=", "<=", ">=", "=", "<", ">")
_SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
          "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text up to the next blank outside of quotes; `plain` has each quoted character as NUL."""

    text: str
    plain: str

    def split(self, mark: str) -> tuple[_Piece, _Piece]:
        """Before and after the first unquoted `mark`, which is there."""
        at = self.plain.index(mark)
        end = at + len(mark)
        return _Piece(self.text[:at], self.plain[:at]), _Piece(self.text[end:], self.plain[end:])

    def drop(self, count: int) -> _Piece:
        return _Piece(self.text[count:], self.plain[count:])

    @property
    def value(self) -> str:
        """The text without its quotes."""
        if '"' not in self.text:
            return self.text
        if not (self.text[0] == '"' and self.plain.strip("\0") == ""):
            raise _refused(
                f"quotes must enclose the whole value in {_shown(self.text)}", 'name:"my model"'
            )
        return self.text[1:-1].replace('\\"', '"').replace("\\\\", "\\")


def parse_query(text: str) -> Query:
    """Read a query; the empty text finds everything. InvalidInput: `bad-query`."""
    _check_size(text)
    conditions: list[Condition | Not] = []
    sort: Sort | None = None
    for piece in _pieces(text):
        if piece.plain.startswith("sort:"):
            if sort is not None:
                raise _refused(f"{_shown(piece.text)} is a second order", "sort by one key")
            sort = _sort(piece.drop(5))
            continue
        conditions.append(_signed(piece))
        if len(conditions) > _LIMIT_CONDITIONS:
            raise _refused(f"{_shown(piece.text)} is the 65th condition", "at most 64")
    return Query(tuple(conditions), sort)


def _check_size(text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        bad = _shown(text[error.start : error.end])
        raise _refused(f"{bad} is no character", "use valid Unicode") from None
    if "\0" in text:
        raise _refused(f"{_shown(chr(0))} can't be looked for", "leave it out")
    if size > _LIMIT_BYTES:
        raise _refused(f"a query from {_shown(text[:40])} on is too long", "at most 4096 bytes")


def _pieces(text: str) -> Iterator[_Piece]:
    start: int | None = None
    plain: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char.isspace():
            if start is not None:
                yield _Piece(text[start:at], "".join(plain))
            start, at, plain = None, at + 1, []
            continue
        if start is None:
            start = at
        end = _quote_end(text, at) if char == '"' else at + 1
        plain.append("\0" * (end - at) if char == '"' else char)
        at = end
    if start is not None:
        yield _Piece(text[start:], "".join(plain))


def _quote_end(text: str, start: int) -> int:
    at = start + 1
    while at < len(text):
        if text[at] == '"':
            return at + 1
        at += 2 if text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\") else 1
    raise _refused(f"the quote in {_shown(text[start:])} has no end", 'close it with "')


def _signed(piece: _Piece) -> Condition | Not:
    if not piece.plain.startswith("-"):
        return _condition(piece)
    rest = piece.drop(1)
    if not rest.text or rest.plain.startswith("-"):
        raise _refused(f"{_shown(piece.text)} excludes nothing", 'write -word, or quote it: "-"')
    return Not(_condition(rest))


def _condition(piece: _Piece) -> Condition:
    for prefix in ("metric.", "params."):
        if piece.plain.startswith(prefix) and (operator := _first_operator(piece.plain)):
            return _measured(prefix, piece, operator)
    if ":" in piece.plain:
        return _qualified(piece)
    _refuse_forgotten_prefix(piece)
    return HasWord(_text(piece, piece))


def _qualified(piece: _Piece) -> Condition:
    before, value = piece.split(":")
    name = before.text
    match name:
        case "name" | "description" | "message" | "author":
            return HasText(name, _text(value, piece))
        case "framework" | "format" | "kind" | "branch":
            return HasValue(name, _value(name, value, piece))
        case "alias" | "tag":
            return PointedBy(name, _text(value, piece))
        case "label":
            return _label(value, piece)
        case "file":
            return FileGlob(_text(value, piece))
        case "size":
            return _size(value, piece)
        case "created" | "updated":
            return _time(name, value, piece)
    raise _unknown(name, piece)


def _text(value: _Piece, piece: _Piece) -> str:
    text = value.value
    if not text.strip():
        raise _refused(f"{_shown(piece.text)} has no value", "write what to look for")
    return text


def _value(name: str, value: _Piece, piece: _Piece) -> str:
    text = _text(value, piece)
    if name == "branch":
        return text
    if name == "kind" and text.casefold() not in ("model", "dataset"):
        raise _refused(f"{_shown(piece.text)} names no kind", "kind:model or kind:dataset")
    return text.casefold()


def _label(value: _Piece, piece: _Piece) -> HasLabel:
    if "=" not in value.plain:
        return HasLabel(_text(value, piece), None)
    key, wanted = value.split("=")
    return HasLabel(_text(key, piece), wanted.value)


def _size(value: _Piece, piece: _Piece) -> HasSize:
    compare, rest = _leading_operator(value)
    text = rest.value.strip().lower()
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    number, unit = read_number(digits), _SIZES.get(text[len(digits) :].strip())
    if number is None or unit is None or not 0 <= number * unit < 2**62:
        raise _refused(f"{_shown(piece.text)} is no size", "size:<10MB, size:>=1.5GB")
    return HasSize(compare, int(digits) * unit if digits.isdigit() else round(number * unit))


def _time(field: TimeField, value: _Piece, piece: _Piece) -> HasTime:
    compare, rest = _leading_operator(value)
    text = rest.value
    if text[-1:] in HOURS and text[:-1].isascii() and text[:-1].isdigit():
        if compare in ("=", "!=") or len(text) > 6:
            raise _refused(f"{_shown(piece.text)} is no age", f"{field}:<7d or {field}:>1y")
        return HasTime(field, compare, Age(int(text[:-1]), text[-1]))
    date = Date(text)
    try:
        if DATE.match(text) is None or not "1970" <= text[:4] < "9999":
            raise ValueError
        date.span()
    except ValueError:
        hint = f"{field}:>2026-01-31 or {field}:<7d"
        raise _refused(f"{_shown(piece.text)} names no time", hint) from None
    return HasTime(field, compare, date)


def _measured(prefix: str, piece: _Piece, operator: Compare) -> Condition:
    before, value = piece.split(operator)
    name = _text(before.drop(len(prefix)), piece)
    if prefix == "params.":
        param = HasParam(name, operator, value.value)
        if operator not in ("=", "!=") and param.number is None:
            raise _refused(f"{_shown(piece.text)} compares with no number", f"params.{name}>1")
        return param
    number = read_number(value.value)
    if number is None:
        raise _refused(f"{_shown(piece.text)} compares with no number", f"metric.{name}>0.9")
    return HasMetric(name, operator, number)


def _sort(value: _Piece) -> Sort:
    text = value.value
    key, descending = text, True
    for ending, down in (("-desc", True), ("-asc", False)):
        if text.endswith(ending):
            key, descending = text.removesuffix(ending), down
            break
    if key in SORTS or (key.startswith("metric.") and key != "metric."):
        return Sort(key, descending)
    near = difflib.get_close_matches(key, SORTS, n=1)
    known = f"did you mean sort:{near[0]}?" if near else f"{', '.join(SORTS)} or metric.NAME"
    raise _refused(f"can't sort by {_shown(text)}", known)


def _leading_operator(value: _Piece) -> tuple[Compare, _Piece]:
    for operator in _OPERATORS:
        if value.plain.startswith(operator):
            return operator, value.drop(len(operator))
    return "=", value


def _first_operator(plain: str) -> Compare | None:
    found = [(plain.find(operator), -len(operator), operator) for operator in _OPERATORS]
    found = [item for item in found if item[0] >= 0]
    return min(found)[2] if found else None


def _unknown(name: str, piece: _Piece) -> InvalidInput:
    near = difflib.get_close_matches(name.lower(), QUALIFIERS, n=1)
    if near:
        hint = f"did you mean {near[0]}:{piece.text[len(name) + 1 :][:80]}?"
    else:
        text = piece.text.replace('"', "")
        hint = f"to look for the text itself, quote it: {quoted(text[:80])}"
    return _refused(f"{_shown(name + ':')} in {_shown(piece.text)} is no qualifier", hint)


def _refuse_forgotten_prefix(piece: _Piece) -> None:
    """`accuracy>0.9` is meant as a condition, not as text."""
    operator = _first_operator(piece.plain)
    if operator is None or operator in ("=", "!="):
        return
    before, value = piece.split(operator)
    if before.text and read_number(value.text) is not None:
        raise _refused(
            f"{_shown(piece.text)} does not say what {_shown(before.text)} is",
            f"metric.{piece.text[:80]} or params.{piece.text[:80]}",
        )


def _refused(message: str, hint: str) -> InvalidInput:
    return InvalidInput("bad-query", message, hint=hint)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
