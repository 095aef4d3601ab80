"""Sentences for people in their language: English as written in the code, Chinese by gettext.

`locales/zh/LC_MESSAGES/modelyard.po` holds the translations, and the `.mo` beside it is what is
read (`make words` collects new sentences and compiles). Used at the edge only: values and errors
carry no language.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LANGUAGES", "Language", "choose"]

LANGUAGES = {"en": "English", "zh": "中文"}
_FOLDER = Path(__file__).parent / "locales"


class Language:
    """One language. `say` and `say_many` mark what is to be translated, and do it."""

    def __init__(self, code: str, words: gettext.NullTranslations) -> None:
        self.code = code
        self.words = words

    @staticmethod
    @cache
    def of(code: str) -> Language:
        """`en` or `zh`; English for any other."""
        if code not in LANGUAGES:
            code = "en"
        fallback = code == "en"
        return Language(code, gettext.translation("modelyard", _FOLDER, [code], fallback=fallback))

    def say(self, sentence: str, **values: object) -> str:
        """A sentence with its `%(name)s` filled in."""
        text = self.words.gettext(sentence)
        return text % values if values else text

    def say_many(self, one: str, many: str, number: int, **values: object) -> str:
        """As `say`, in the form that fits `number`, which is `%(number)s` in the sentence."""
        return self.words.ngettext(one, many, number) % {"number": number, **values}


def choose(wished: str | None, accepted: str) -> str:
    """The code of the language that somebody reads.

    Args:
        wished: What they chose themselves, if they did.
        accepted: The header `Accept-Language`.
    """
    if wished in LANGUAGES:
        return wished
    return next((code for code in _in_order(accepted) if code in LANGUAGES), "en")


def _in_order(accepted: str) -> Iterable[str]:
    """`zh-CN,zh;q=0.9,en;q=0.8`: codes without their country, the best liked first."""
    liked = []
    for part in accepted[:500].split(","):
        tag, _, quality = part.strip().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if weight > 0:
            liked.append((weight, tag.partition("-")[0].lower()))
    return [code for _, code in sorted(liked, key=lambda each: -each[0])]
