"""Sentences that were kept in English, told in another language.

What an optimization found out is kept as it was written, and values carry no language. A page that
tells it in Chinese knows the pattern that the code made a sentence from, and that of its
translation: `trial 3 failed: it is for classification` is `trial {number} failed: {reason}`, and
what is filled in is told in the same way. `make words` collects patterns from the code.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Patterns", "told_in"]

_FOLDER = Path(__file__).parent / "locales"
_FIELD = re.compile(r"\{(\w+)\}")
_DEEP: Final = 4
"""Sentences inside of sentences."""
_LONGEST: Final = 600
"""Characters of a sentence; longer ones are no sentences of ours."""
_PARTS: Final = 12
"""Parts that a sentence is looked at in; one of more is no sentence of ours."""
_KNOWN: Final = 10_000
_SEVERAL: Final = "; "
"""What joins several sentences."""
_BETWEEN: Final = (_SEVERAL, ": ", ", ")
"""What stands between a sentence, or a part of one, and another."""


@cache
def told_in(code: str) -> Callable[[str], str]:
    """What tells a sentence in a language; as it is where there are no translations."""
    path = _FOLDER / code / "LC_MESSAGES" / "told.json"
    if not path.is_file():
        return str
    known = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    return lru_cache(_KNOWN)(Patterns(known).tell)


@dataclass(frozen=True, slots=True)
class _Pattern:
    texts: tuple[str, ...]
    """What stands before, between and behind the fields: one more than there are fields."""
    names: tuple[str, ...]
    translation: str
    longest: str
    """Of `texts`: most sentences do not have it, and need not be looked at."""

    @classmethod
    def of(cls, pattern: str, translation: str) -> _Pattern:
        parts = _FIELD.split(pattern)
        texts = tuple(parts[::2])
        return cls(texts, tuple(parts[1::2]), translation, max(texts, key=len))

    @property
    def weight(self) -> int:
        """Letters that must be there: the more, the surer is a match."""
        return sum(map(len, self.texts))

    @property
    def is_several(self) -> bool:
        """Whether it is a pattern of several sentences."""
        return any(_SEVERAL in text for text in self.texts)

    def fields(self, sentence: str) -> dict[str, str] | None:
        """What is filled in, each as short as can be but the last; None: it is another sentence."""
        first, *inner = self.texts
        if not inner:
            return {} if sentence == first else None
        last = inner.pop()
        end = len(sentence) - len(last)
        at = len(first)
        if end < at or not sentence.startswith(first) or not sentence.endswith(last):
            return None
        found = []
        for text in inner:
            there = sentence.find(text, at, end)
            if there < 0:
                return None
            found.append(sentence[at:there])
            at = there + len(text)
        found.append(sentence[at:end])
        return dict(zip(self.names, found, strict=True))


class Patterns:
    """Patterns of sentences with their translations, which name the same fields, or fewer."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._whole = {text: told for text, told in known.items() if not _FIELD.search(text)}
        self._by_start: dict[str, list[_Pattern]] = defaultdict(list)
        """Patterns by the first letter that they need; none: they begin with a field."""
        for text, told in known.items():
            if text not in self._whole:
                made = _Pattern.of(text, told)
                self._by_start[made.texts[0][:1]].append(made)

    def tell(self, sentence: str) -> str:
        """The sentence in the other language; as it is if nobody translated it."""
        if len(sentence) > _LONGEST:
            return sentence
        return self._told(sentence, _DEEP)

    def _told(self, sentence: str, deep: int) -> str:
        if sentence in self._whole:
            return self._whole[sentence]
        if not deep or " " not in sentence:
            return sentence
        several = _SEVERAL in sentence
        found = self._match(sentence, several=several)
        if found is not None:
            pattern, fields = found
            told = {name: self._told(text, deep - 1) for name, text in fields.items()}
            return _FIELD.sub(lambda field: told[field[1]], pattern.translation)
        for between in _BETWEEN:
            parts = sentence.split(between)
            if 1 < len(parts) <= _PARTS:
                told_parts = [self._told(part, deep - 1) for part in parts]
                if told_parts != parts:
                    return self._whole.get(between, between).join(told_parts)
        return sentence

    def _match(self, sentence: str, *, several: bool) -> tuple[_Pattern, dict[str, str]] | None:
        """The pattern that says most of what the sentence says.

        Args:
            several: Only patterns of several sentences.
        """
        candidates: Iterable[_Pattern] = (*self._by_start[sentence[:1]], *self._by_start[""])
        matches = [
            (each, fields) for each in candidates
            if each.longest in sentence and each.is_several >= several
            and (fields := each.fields(sentence)) is not None
        ]  # fmt: skip
        return max(matches, key=lambda match: match[0].weight, default=None)
