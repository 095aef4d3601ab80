"""Words of any script as index terms that every full-text engine keeps whole.

Text is folded (NFKC, caseless, blanks collapsed) and cut into runs: Chinese, Japanese and Korean
runs give pairs of characters, all other runs triples, and each run's tail gives what is shorter.
Invariant: if `fold(word)` occurs in `fold(text)`, then `document_terms(text)` holds every term of
`query_terms(word)` (or one that begins with it, where the term is a prefix). The opposite does not
hold, so whoever finds a document by terms looks at its text again with `contains`.

A term is ASCII letters and digits, begins with `q` (no stop word does) and has at least three
characters (or MySQL drops it).
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Term", "caseless", "contains", "document_terms", "exact_term", "fold", "query_terms"]

_GRAM = "qg"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PLAIN = frozenset("0123456789abcdefghijklmnopqrstuvwxy")
_CJK = (
    (0x1100, 0x11FF),  # Hangul jamo
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3130, 0x318F),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA960, 0xA97F),
    (0xAC00, 0xD7FF),  # Hangul
    (0xF900, 0xFAFF),
    (0x1B000, 0x1B16F),
    (0x20000, 0x3FFFF),
)


@dataclass(frozen=True, slots=True)
class Term:
    """What a document must hold: this term, or (`prefix`) one that begins with it."""

    text: str
    prefix: bool = False


def fold(text: str) -> str:
    """The form in which texts are compared."""
    return _short_fold(text) if len(text) <= 200 else _fold(text)


def _fold(text: str) -> str:
    return " ".join(caseless(text).split())


def caseless(text: str) -> str:
    """One form for all cases and widths; blanks stay as they are."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


_short_fold = lru_cache(maxsize=4096)(_fold)


def contains(text: str, folded_word: str) -> bool:
    """Whether a word, folded before, occurs in `text`."""
    return folded_word in fold(text)


def document_terms(text: str) -> frozenset[str]:
    """The terms under which `text` is found."""
    return _cached_terms(text) if len(text) <= 200 else _terms(text)


def query_terms(word: str) -> tuple[Term, ...]:
    """The terms that every text containing `word` has; none only if `word` is blank.

    Words shorter than a pair or triple give a prefix.
    """
    full: dict[Term, None] = {}
    short: dict[Term, None] = {}
    for codes, width in _runs(fold(word)):
        for start in range(len(codes) - width + 1):
            full[Term(_join(codes[start : start + width]))] = None
        if len(codes) < width:
            short[Term(_join(codes), prefix=True)] = None
    return tuple(full or short)


def exact_term(kind: str, value: str) -> str:
    """A term for a whole value, such as a label; `kind` is one letter other than `g`."""
    return f"q{kind}{hashlib.blake2b(value.encode(), digest_size=6).hexdigest()}"


def _terms(text: str) -> frozenset[str]:
    terms: set[str] = set()
    for codes, width in _runs(fold(text)):
        if width == 3:
            triples = zip(codes, codes[1:], codes[2:], strict=False)
            terms.update([f"{_GRAM}{a}{b}{c}" for a, b, c in triples])
        else:
            terms.update([f"{_GRAM}{a}{b}" for a, b in pairwise(codes)])
        for tail in range(1, min(width, len(codes) + 1)):
            terms.add(_join(codes[-tail:]))
    return frozenset(terms)


_cached_terms = lru_cache(maxsize=2048)(_terms)


def _runs(folded: str) -> Iterator[tuple[list[str], int]]:
    """Runs of one kind of script: the code of each character, and how many make a term."""
    if folded.isascii():
        if folded:
            yield [char if char in _PLAIN else _escape(char) for char in folded], 3
        return
    start = 0
    while start < len(folded):
        cjk = _is_cjk(folded[start])
        end = start + 1
        while end < len(folded) and _is_cjk(folded[end]) == cjk:
            end += 1
        yield [_code(char) for char in folded[start:end]], 2 if cjk else 3
        start = end


def _join(codes: list[str]) -> str:
    return _GRAM + "".join(codes)


def _code(char: str) -> str:
    return char if char in _PLAIN else _escape(char)


@lru_cache(maxsize=4096)
def _escape(char: str) -> str:
    """`z` and four digits of base 36, so that no code begins another."""
    number = ord(char)
    digits = ""
    for _ in range(4):
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return "z" + digits


@lru_cache(maxsize=4096)
def _is_cjk(char: str) -> bool:
    number = ord(char)
    return number >= 0x1100 and any(low <= number <= high for low, high in _CJK)
