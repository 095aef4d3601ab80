"""Names people type: models, refs, labels and revisions. Text becomes a value here, once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from modelyard.errors import InvalidInput

__all__ = [
    "ByCommit",
    "ByName",
    "ByNumber",
    "Latest",
    "ModelName",
    "ModelRevision",
    "RefName",
    "Revision",
    "parse_label",
    "parse_revision",
]

MAIN = "main"
"""The branch that a commit goes to when none is named."""

_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?\Z")
_REF_PART = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\@{}/]{1,100}\Z")
_HEX = re.compile(r"[0-9a-fA-F]{7,40}\Z")
_LABEL_KEY = re.compile(r"[^\W_](?:[\w./-]{0,61}[^\W_])?\Z")


@dataclass(frozen=True, slots=True, order=True)
class ModelName:
    """`[namespace/]name`: letters, digits, dot, dash and underscore, at most 96 a part."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        parts = text.split("/")
        good = len(parts) <= 2 and all(_PART.match(part) and ".." not in part for part in parts)
        if not good or text.endswith((".git", ".lock")):
            raise InvalidInput(
                "bad-model-name",
                f"{text[:120]!r} can't name a model",
                hint="use [namespace/]name of letters, digits, '.', '-' and '_'",
            )
        return cls(text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class RefName:
    """The name of a branch, tag or alias: what git allows, less what reads as a version."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        if text in ("latest", "HEAD") or text.isdigit() or _HEX.match(text):
            raise InvalidInput(
                "reserved-ref-name",
                f"{text[:120]!r} means a version already, so no ref may have this name",
                hint="numbers, 7 or more hex digits, 'latest' and 'HEAD' are taken",
            )
        if not _is_ref(text):
            raise InvalidInput(
                "bad-ref-name",
                f"{text[:120]!r} can't name a branch, tag or alias",
                hint="no spaces, no '..', none of ~ ^ : ? * [ \\ @ { }",
            )
        return cls(text)

    def __str__(self) -> str:
        return self.text


def _is_ref(text: str) -> bool:
    if not text or len(text) > 200 or ".." in text or text.startswith("-"):
        return False
    parts = text.split("/")
    return all(
        _REF_PART.match(part) and not part.startswith(".") and not part.endswith((".", ".lock"))
        for part in parts
    )


@dataclass(frozen=True, slots=True)
class ByNumber:
    """`12`: the version with this number."""

    number: int

    def __str__(self) -> str:
        return str(self.number)


@dataclass(frozen=True, slots=True)
class ByCommit:
    """`3f9c2ab`: the version whose commit begins with these 7 to 40 hex digits."""

    prefix: str

    def __str__(self) -> str:
        return self.prefix


@dataclass(frozen=True, slots=True)
class ByName:
    """`champion`: where this branch, tag or alias points."""

    name: RefName

    def __str__(self) -> str:
        return self.name.text


@dataclass(frozen=True, slots=True)
class Latest:
    """`latest`: the version with the highest number that is not deleted."""

    def __str__(self) -> str:
        return "latest"


Revision = ByNumber | ByCommit | ByName | Latest


def parse_revision(text: str | int) -> Revision:
    """What a person may write for a version: number, ref, commit prefix, `latest` or `HEAD`.

    `HEAD` is the tip of `main`, as in a fresh clone.
    """
    if isinstance(text, int):
        text = str(text)
    if text.isascii() and text.isdigit():
        if len(text) <= 15 and not (text.startswith("0") and len(text) >= 7):
            return ByNumber(int(text))
        if _HEX.match(text) is None:
            raise InvalidInput("bad-revision", f"{text[:40]}... is too large for a version number")
        return ByCommit(text)  # a commit whose first digits happen to be decimal
    if text == "latest":
        return Latest()
    if text == "HEAD":
        return ByName(RefName(MAIN))
    if _HEX.match(text):
        return ByCommit(text.lower())
    if not _is_ref(text):
        raise InvalidInput(
            "bad-revision",
            f"{text[:120]!r} is no revision",
            hint="a number, branch, tag, alias, commit (7 or more hex digits) or 'latest'",
        )
    return ByName(RefName(text))


@dataclass(frozen=True, slots=True)
class ModelRevision:
    """`vision/resnet@12`; without `@`, the tip of `main`, or else the latest version."""

    model: ModelName
    revision: Revision | None

    @classmethod
    def parse(cls, text: str) -> Self:
        name, at, revision = text.partition("@")
        if at and not revision:
            raise InvalidInput(
                "bad-revision", f"{text[:120]!r} names no revision after '@'", hint="MODEL@12"
            )
        return cls(ModelName.parse(name), parse_revision(revision) if at else None)

    def __str__(self) -> str:
        return f"{self.model}@{self.revision}" if self.revision else self.model.text


def parse_label(text: str) -> tuple[str, str]:
    """`key=value`, or a bare `key` whose value is then empty."""
    key, _, value = text.partition("=")
    if _LABEL_KEY.match(key) is None or len(value) > 256 or not value.isprintable():
        raise InvalidInput(
            "bad-label",
            f"{text[:120]!r} is no label",
            hint="key=value: a key of letters, digits, '.', '-', '/' and '_', a value of one line",
        )
    return key, value
