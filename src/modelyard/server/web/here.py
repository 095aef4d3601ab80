"""What every template knows beside its page: who looks, in which language, and where."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import msgspec

from modelyard.core.decoding import decode_json
from modelyard.i18n import LANGUAGES, Language, choose
from modelyard.server.web import static_files
from modelyard.server.web.places import page_at

if TYPE_CHECKING:
    from starlette.requests import Request

    from modelyard.core.access import Caller

__all__ = [
    "LANGUAGE",
    "SAID",
    "THEME",
    "THEMES",
    "Here",
    "Said",
    "Undo",
    "language_of",
    "pack",
    "said_in",
]

LANGUAGE = "yard_language"
THEME = "yard_theme"
SAID = "yard_said"
THEMES = ("auto", "light", "dark")
_LONGEST = 3000


class Undo(msgspec.Struct, frozen=True):
    """A form that takes back what was just done."""

    act: str
    """Path below the prefix, `/do/...`."""
    fields: dict[str, str]


class Said(msgspec.Struct, frozen=True):
    """What an act tells on the page after it."""

    text: str
    """A sentence in the language of who did it."""
    is_problem: bool = False
    undo: Undo | None = None


@dataclass(frozen=True, slots=True)
class Here:
    """The surroundings of one page."""

    prefix: str
    """Path that a proxy puts in front; empty if there is none."""
    path: str
    """Of this page, without the prefix."""
    query: str
    """Of this page's address, without the question mark."""
    language: Language
    theme: str
    """`auto`, `light` or `dark`."""
    caller: Caller
    base: str
    """Address of the server as the browser knows it, for commands that people copy."""
    said: Said | None
    accounts: bool
    """Whether this server has accounts at all."""

    @property
    def languages(self) -> dict[str, str]:
        """Their own names by code."""
        return LANGUAGES

    @property
    def name(self) -> str:
        """Of who is signed in; empty if nobody is."""
        return (self.caller.name or "") if self.caller.account is not None else ""

    def may(self, model: str, role: str) -> bool:
        """Whether the caller has at least this role for a model, or for `*`."""
        return self.caller.may(model, role)  # type: ignore[arg-type]

    def static(self, name: str) -> str:
        """The address of a file of ours."""
        return static_files.address(self.prefix, name)

    def to(self, path: str, **query: object) -> str:
        """A link to a path of this server; values that are None or empty are left out."""
        told = {k: v for k, v in query.items() if v or (v == 0 and v is not False)}
        more = f"?{urlencode(told, doseq=True)}" if told else ""
        return f"{self.prefix}{path}{more}"

    def to_model(self, model: str, kind: str = "models", **query: object) -> str:
        """A page about a model: `models`, `history`, `lineage`, ..."""
        return self.to(page_at(f"/{kind}/{quote(model)}"), **query)

    def to_version(
        self, model: str, revision: str | int, kind: str = "versions", **query: object
    ) -> str:
        """A page about a version: `versions`, `files`, `tensors`, ..."""
        return self.to(page_at(f"/{kind}/{quote(model)}@{quote(str(revision))}"), **query)

    def to_deployment(self, name: str, **query: object) -> str:
        """The page of a deployment."""
        return self.to(page_at(f"/deployments/{quote(name)}"), **query)

    @property
    def twin(self) -> str:
        """This page as JSON."""
        path = "/models" if self.path == "/" else self.path.removesuffix(".html")
        return f"{self.prefix}{path}.json" + (f"?{self.query}" if self.query else "")


def language_of(request: Request) -> Language:
    """What the browser asks for, or what was chosen on a page."""
    wished = request.cookies.get(LANGUAGE)
    return Language.of(choose(wished, request.headers.get("accept-language", "")))


def said_in(request: Request) -> Said | None:
    """What the last act left for this page."""
    kept = request.cookies.get(SAID, "")
    if not kept or len(kept) > _LONGEST * 2:
        return None
    try:
        said = decode_json(base64.urlsafe_b64decode(kept), Said)
        ours = said.undo is None or said.undo.act.startswith("/do/")
        return said if ours else None  # a page of a neighbouring host may have set the cookie
    except (binascii.Error, msgspec.MsgspecError, ValueError):
        return None


def pack(said: Said) -> str:
    """For the cookie."""
    short = Said(said.text[:600], said.is_problem, said.undo)
    text = base64.urlsafe_b64encode(msgspec.json.encode(short)).decode()
    if len(text) > _LONGEST and said.undo is not None:  # a cookie has room for 4 KB
        return pack(Said(said.text, said.is_problem))
    return text
