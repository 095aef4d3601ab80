"""Truths of requests as people write them down: JSON, JSON lines, CSV; read piece by piece.

Each is `{"request": ID, "truth": VALUE}`; of a request with several rows with `"row": N` (from 0),
or with a list of truths. CSV has the columns `request` and `truth`, and `row` if that is needed;
lines without a truth are left out: it is not known yet.
"""

from __future__ import annotations

import codecs
import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["CSV", "JSON", "JSON_LINES", "Keys", "read_truths"]

JSON: Final = "application/json"
JSON_LINES: Final = "application/jsonl"
CSV: Final = "text/csv"
_SAME: Final = {
    JSON: JSON, JSON_LINES: JSON_LINES, "application/x-ndjson": JSON_LINES,
    "application/x-jsonlines": JSON_LINES, CSV: CSV,
}  # fmt: skip
_LONGEST_LINE: Final = 1 << 20
_LONGEST_JSON: Final = 64 << 20
_HINT: Final = '{"request": ID, "truth": VALUE}, with "row": N of a request with several rows'


@dataclass(frozen=True, slots=True)
class Keys:
    """What the parts of a truth are called, by who wrote them down."""

    request: str = "request"
    truth: str = "truth"
    row: str = "row"


_USUAL: Final = Keys()


def read_truths(
    pieces: Iterable[bytes], kind: str, keys: Keys = _USUAL
) -> Iterator[Mapping[str, Any]]:
    """What a body says, as it arrives: `request`, `truth`, and `row` where that is told.

    Args:
        kind: A media type: `application/json` (one, or a list of them), `application/jsonl`,
            `text/csv`.
        keys: What these are called in it.

    Raises:
        InvalidInput: `wrong-media-type`, `bad-feedback`, with the line; `too-large`: JSON in one
            piece that is more than 64 MiB.
    """
    known = _SAME.get(kind.partition(";")[0].strip().lower())
    if known is None:
        raise InvalidInput(
            "wrong-media-type", f"feedback is not {kind[:60] or 'of no type'}",
            hint=f"{JSON}, {JSON_LINES} or {CSV}",
        )  # fmt: skip
    if known == JSON:
        return _of_json(pieces, keys)
    return _of_csv(pieces, keys) if known == CSV else _of_lines(pieces, keys)


def _of_json(pieces: Iterable[bytes], keys: Keys) -> Iterator[Mapping[str, Any]]:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > _LONGEST_JSON:
            raise InvalidInput(
                "too-large", f"JSON in one piece has at most {_LONGEST_JSON >> 20} MiB here",
                hint=f"{JSON_LINES} or {CSV} may be as long as you like",
            )  # fmt: skip
    try:
        found = msgspec.json.decode(bytes(body))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _bad(f"this is not JSON: {error}") from None
    for number, one in enumerate(found if isinstance(found, list) else [found], 1):
        yield _checked(one, f"truth {number}", keys)


def _of_lines(pieces: Iterable[bytes], keys: Keys) -> Iterator[Mapping[str, Any]]:
    number = 0
    for lines in _whole_lines(pieces):
        for line in lines:
            number += 1
            if not line.strip():
                continue
            try:
                found = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise _bad(f"line {number} is not JSON: {error}") from None
            yield _checked(found, f"line {number}", keys)


def _of_csv(pieces: Iterable[bytes], keys: Keys) -> Iterator[Mapping[str, Any]]:
    reader = csv.reader(_text_lines(pieces))
    try:
        names = [name.strip() for name in next(reader, [])]
        places = {name: at for at, name in enumerate(names)}
        if keys.request not in places or keys.truth not in places:
            raise _bad(f"its first line names no {keys.request} and {keys.truth}, but {names[:8]}")
        request, truth, row = places[keys.request], places[keys.truth], places.get(keys.row)
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                raise _bad(f"line {reader.line_num} has {len(cells)} cells, not {len(names)}")
            if cells[truth] == "":
                continue
            found: dict[str, Any] = {"request": cells[request], "truth": cells[truth]}
            if row is not None and cells[row] != "":
                found["row"] = _row(cells[row], reader.line_num)
            yield found
    except (csv.Error, UnicodeError) as error:
        raise _bad(f"line {reader.line_num + 1} is not CSV in UTF-8: {error}") from None


def _row(text: str, line: int) -> int:
    if not text.isdigit() or len(text) > 9:
        raise _bad(f"line {line}: {text[:40]!r} is no number of a row")
    return int(text)


def _checked(found: object, where: str, keys: Keys) -> Mapping[str, Any]:
    if not isinstance(found, dict) or not isinstance(found.get(keys.request), str):
        raise _bad(f"{where} names no request")
    truth, row = found.get(keys.truth), found.get(keys.row)
    if truth is None:
        raise _bad(f"{where} has no truth")
    told = {"request": found[keys.request], "truth": truth}
    return told if row is None else {**told, "row": row}


def _bad(sentence: str) -> InvalidInput:
    return InvalidInput("bad-feedback", sentence, hint=_HINT)


def _text_lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = ""
    for text in codecs.iterdecode(iter(pieces), "utf-8-sig"):
        *lines, rest = (rest + text).split("\n")
        _check_length(len(rest))
        for line in lines:
            yield line + "\n"
    if rest:
        yield rest


def _whole_lines(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        _check_length(len(rest))
        yield lines
    yield [rest]


def _check_length(length: int) -> None:
    if length > _LONGEST_LINE:
        raise _bad("a line has more than a MiB")
