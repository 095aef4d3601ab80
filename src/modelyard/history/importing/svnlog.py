"""What `svn` tells as XML: read without entities, so that no answer can grow when it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from modelyard.errors import Corrupt

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Change", "Element", "Revision", "read_log", "read_xml"]

_DEEPEST = 50


@dataclass(slots=True)
class Element:
    """A part of an XML document."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    inside: list[Element] = field(default_factory=list)

    def find(self, name: str) -> Element | None:
        return next((part for part in self.inside if part.name == name), None)

    def every(self, name: str) -> Iterator[Element]:
        """All parts of this name, however deep."""
        for part in self.inside:
            if part.name == name:
                yield part
            yield from part.every(name)

    def said(self, name: str) -> str:
        part = self.find(name)
        return "" if part is None else part.text


@dataclass(frozen=True, slots=True)
class Change:
    """One path that a revision changed."""

    path: str
    """From the top of the repository, without a slash in front."""
    action: str
    """`A`, `M`, `D` or `R` (deleted and added)."""
    kind: str
    """`file`, `dir`, or empty if the server does not say."""
    copied: tuple[str, int] | None
    has_text: bool
    has_properties: bool


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision as `svn log -v` tells it."""

    number: int
    author: str
    time: int
    """Microseconds since 1970."""
    message: str
    changes: tuple[Change, ...]


def read_xml(data: bytes) -> Element:
    """The outermost element. Corrupt: `bad-svn-answer`."""
    top = Element("", {})
    stack = [top]
    texts: list[list[str]] = [[]]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > _DEEPEST:
            raise _bad("it is nested too deep")
        made = Element(name, attributes)
        stack[-1].inside.append(made)
        stack.append(made)
        texts.append([])

    def end(_name: str) -> None:
        stack.pop().text = "".join(texts.pop())

    def refuse(*_: Any) -> None:
        raise _bad("it declares a document type")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: texts[-1].append(text)
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise _bad(str(error)) from None
    if len(top.inside) != 1:
        raise _bad("it has no element")
    return top.inside[0]


def read_log(data: bytes) -> list[Revision]:
    """Revisions in the order in which they are told."""
    try:
        return [_revision(entry) for entry in read_xml(data).every("logentry")]
    except (KeyError, ValueError, OverflowError) as error:
        raise _bad(str(error)) from None


def _revision(entry: Element) -> Revision:
    changes = [_change(path) for path in entry.every("path")]
    return Revision(
        int(entry.attributes["revision"]), entry.said("author"), _time(entry.said("date")),
        entry.said("msg"), tuple(sorted(changes, key=lambda change: change.path.split("/"))),
    )  # fmt: skip


def _change(path: Element) -> Change:
    known = path.attributes
    copied = None
    if "copyfrom-path" in known:
        copied = (known["copyfrom-path"].strip("/"), int(known["copyfrom-rev"]))
    return Change(
        path.text.strip("/"), known["action"], known.get("kind", ""), copied,
        known.get("text-mods", "true") == "true", known.get("prop-mods", "true") == "true",
    )  # fmt: skip


def _time(text: str) -> int:
    if not text:
        return 0
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return max(int(moment.timestamp() * 1_000_000), 0)


def _bad(reason: str) -> Corrupt:
    return Corrupt("bad-svn-answer", f"svn's answer can't be read: {reason}")
