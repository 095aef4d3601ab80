"""Commits as git objects and back. Each is the record of one version; `git fsck --strict` holds.

Times are whole seconds in UTC: the catalog keeps the microseconds. What git can't hold is cleaned,
never refused, and `clean_author` and `clean_message` tell beforehand what will be read again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from modelyard.errors import Corrupt, InvalidInput
from modelyard.history.gitobject import COMMIT, GitObject

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CommitFields", "clean_author", "clean_message", "read_commit", "write_commit"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
_NOBODY = "unknown"
_MADE_MAIL = "@yard"
"""Ends the mail that we make for an author who gave none."""
_MAX_NAME = 190

_FULL = re.compile(r"([^<>]*)<([^<>]*)>\s*\Z")
_UNFIT = re.compile(r"[\x00-\x20\x7f-\x9f<>\u2028\u2029\ud800-\udfff]+")
_UNFIT_MAIL = re.compile(r"[^A-Za-z0-9.@+_-]+")
_CRUD = " .,:;\"'\\"
"""git cuts these from both ends of a name."""
_HEADER = re.compile(rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)")
_PERSON = re.compile(rb"^author (.*?) ?<([^\n]*)> (-?[0-9]{1,20}) ([+-][0-9]{4,})$", re.MULTILINE)
_ENCODING = re.compile(rb"^encoding ([\x21-\x7e]{1,40})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CommitFields:
    """What a commit says."""

    tree: bytes
    """Name of the root tree: 20 bytes."""
    parents: tuple[bytes, ...]
    author: str
    """`ann`, `ann@example.org` or `Ann Lee <ann@example.org>`."""
    time: datetime
    message: str


def write_commit(
    *, tree: bytes, parents: Sequence[bytes], author: str, time: datetime | int, message: str
) -> GitObject:
    """Encode a commit.

    Args:
        author: A name, a mail address, or `Name <mail>`.
        time: An aware datetime, or microseconds since 1970.
    """
    name, mail = _identity(author)
    person = f"{name} <{mail}> {_seconds(time)} +0000".encode()
    lines = [b"tree " + tree.hex().encode()]
    lines += [b"parent " + parent.hex().encode() for parent in parents]
    lines += [b"author " + person, b"committer " + person, b""]
    text = clean_message(message)
    lines.append(text.encode() + b"\n" if text else b"")
    return GitObject.of(COMMIT, b"\n".join(lines))


def read_commit(body: bytes) -> CommitFields:
    """Read a commit, of this or any other git writer. Corrupt: `bad-git-commit`."""
    head, _, message = body.partition(b"\n\n")
    header = _HEADER.match(head + b"\n")
    person = _PERSON.search(head, header.end()) if header else None
    if header is None or person is None:
        raise Corrupt("bad-git-commit", "a git commit is cut or broken")
    encoding = _ENCODING.search(head)
    codec = encoding[1].decode() if encoding else "utf-8"
    parents = header[2].split(b"\n")[:-1]
    seconds = min(max(int(person[3]), 0), _LAST)
    return CommitFields(
        bytes.fromhex(header[1].decode()),
        tuple(bytes.fromhex(parent[7:].decode()) for parent in parents),
        _shown(_decode(person[1], codec), _decode(person[2], codec)),
        _EPOCH + timedelta(seconds=seconds),
        clean_message(_decode(message, codec)),
    )


def clean_author(author: str) -> str:
    """The author as a commit keeps it."""
    return _shown(*_identity(author))


def clean_message(message: str) -> str:
    """The message as a commit keeps it: no blank lines around it, no NUL, no broken Unicode."""
    if "\0" in message:
        message = message.replace("\0", "\ufffd")
    if not message.isascii():
        message = message.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return re.sub(r"\A(?:[ \t\r]*\n)+", "", message.rstrip())


def _identity(author: str) -> tuple[str, str]:
    full = _FULL.match(author)
    if full is not None:
        name, mail = _clean(full[1]), _UNFIT.sub("", full[2])[:_MAX_NAME]
        name = name or _clean(mail)
    else:
        name, mail = _clean(author), ""
    name = name or _NOBODY
    return name, mail or _mail_of(name)


def _clean(name: str) -> str:
    return _UNFIT.sub(" ", name).strip(_CRUD)[:_MAX_NAME].rstrip(_CRUD)


def _mail_of(name: str) -> str:
    """A mail address for who gave none; an address given as a name is its own."""
    mail = _UNFIT_MAIL.sub("-", name).strip("-") or _NOBODY
    return mail if "@" in mail else mail + _MADE_MAIL


def _shown(name: str, mail: str) -> str:
    return name if mail == _mail_of(name) else f"{name} <{mail}>"


def _seconds(time: datetime | int) -> int:
    if isinstance(time, datetime):
        time = (time - _EPOCH) // timedelta(microseconds=1)
    seconds = time // 1_000_000
    if not 0 <= seconds <= _LAST:
        raise InvalidInput("bad-time", "a commit's time is between the years 1970 and 9999")
    return seconds


def _decode(raw: bytes, codec: str) -> str:
    try:
        return raw.decode(codec, "replace")
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace")
