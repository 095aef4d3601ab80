"""From a URL to the backend behind it. A URL never holds a secret: those come from elsewhere.

`check_url` is asked before a URL is written down, `shown` whenever one is printed.
"""

from __future__ import annotations

import difflib
import re
import threading
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from modelyard.core.urls import hides, is_plain_database, is_plain_user
from modelyard.errors import InvalidInput
from modelyard.store.local import LocalBackend
from modelyard.store.memory import MemoryBackend
from modelyard.store.schemes import SCHEMES, Scheme

if TYPE_CHECKING:
    from modelyard.store.interface import Backend

__all__ = ["Place", "check_url", "open_backend", "parse_url", "shown"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}\Z")
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?\Z|\[[0-9a-fA-F:]+\](:\d{1,5})?\Z")
_USERINFO = re.compile(r"(://)[^?#]*@")
_memories: dict[str, MemoryBackend] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Place:
    """An object store's URL, taken apart and free of secrets."""

    scheme: Scheme
    url: str
    name: str
    """The scheme as it was written."""
    host: str
    """Bucket or container; for WebDAV host and port."""
    prefix: str
    """Without slashes at its ends."""
    options: dict[str, str]


def open_backend(url: str, *, folder: Path) -> Backend:
    """The store at `url`; paths without scheme begin at `folder`.

    Nothing is asked of the service yet. Errors: as `check_url`; `Unsupported` `no-extra`.
    """
    check_url(url)
    match = _SCHEME.match(url)
    if match is None:
        return LocalBackend(folder / Path(url).expanduser())
    name = match[1].lower()
    rest = url[match.end() :]
    if name in ("fs", "file"):
        return LocalBackend(Path(unquote(rest)))
    if name == "memory":
        with _lock:
            return _memories.setdefault(rest, MemoryBackend())
    if name == "sqlite":
        from modelyard.store.sql import SqlBackend

        file = str(folder.absolute() / unquote(rest[1:])).replace("%", "%25").replace("?", "%3F")
        return SqlBackend(f"sqlite:///{file}")
    if name in ("postgresql", "mysql", "mariadb"):
        from modelyard.store.sql import SqlBackend

        return SqlBackend(url)
    if name.startswith("mongodb"):
        from modelyard.store.mongodb import MongoBackend

        return MongoBackend(url)
    from modelyard.store.opendal import OpenDalBackend

    return OpenDalBackend(parse_url(url))


def check_url(url: str) -> None:
    """Refuse what is no store's URL: InvalidInput `bad-store-url`, `secret-in-url`."""
    if not url or any(unicodedata.category(letter) == "Cc" for letter in url):
        raise InvalidInput("bad-store-url", "a store's URL has letters, and only such")
    match = _SCHEME.match(url)
    if match is None:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/?[^/]", url) or "://" in url:
            raise _bad(url, "is neither a path nor a URL", hint="as s3://bucket/prefix")
        return
    scheme = SCHEMES.get(match[1].lower())
    if scheme is None:
        raise _unknown_scheme(match[1])
    parts = _split(url)
    user = unquote(parts.username or "")
    refused = parts.password is not None or not scheme.is_database or not is_plain_user(user)
    if parts.username is not None and refused:
        raise _secret(url, scheme)
    _check_query(url, scheme, parts.query)
    if parts.fragment or "#" in url:
        raise _bad(url, "has a # in it", hint="leave out what follows it")
    _check_form(url, scheme, parts)


def parse_url(url: str) -> Place:
    """The parts of an object store's URL, after `check_url`."""
    check_url(url)
    parts = _split(url)
    prefix = unquote(parts.path).strip("/")
    options = dict(parse_qsl(parts.query))
    name = parts.scheme.lower()
    return Place(SCHEMES[name], shown(url), name, parts.netloc, prefix, options)


def shown(url: str) -> str:
    """The URL as it may be printed: without passwords and without secret parameters."""
    match = _SCHEME.match(url)
    if match is None:
        return url if "@" not in url else url.rpartition("@")[2]
    url, fragment, _ = url.partition("#")
    head, mark, query = url.partition("?")
    scheme = SCHEMES.get(match[1].lower())
    head = _without_userinfo(head, match[1].lower())
    if scheme is None or scheme.is_database:
        head = re.sub(r"[;=&].*", "***", head)
    words = []
    for word in re.split("[&;]", query):
        key, _, value = word.partition("=")
        hidden = scheme is None or key not in scheme.keys or hides(key, unquote(value))
        words.append(f"{key}=***" if value and hidden else word)
    if fragment:
        words[-1] += "#***"
    text = head + mark + "&".join(words)
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _without_userinfo(head: str, scheme: str) -> str:
    found = _USERINFO.search(head)
    if found is None:
        return head
    inside = found[0][3:-1]
    is_user = is_plain_user(unquote(inside)) and scheme in SCHEMES and SCHEMES[scheme].is_database
    is_path = scheme.startswith("webdav") and re.match(r"[\w.-]+(:\d{1,5})?/", inside)
    return head if is_user or is_path else _USERINFO.sub(r"\1***@", head)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = None
    if parts is None or (parts.scheme.startswith("mongodb") and "," in parts.netloc):
        return _split_hosts(url, parts)
    return parts


def _split_hosts(url: str, parts: SplitResult | None) -> SplitResult:
    """MongoDB may name several hosts; anything else whose port is none is refused."""
    scheme = url.partition("://")[0].lower()
    if "@" in url.partition("?")[0] and ":" in url.partition("://")[2].rpartition("@")[0]:
        raise _secret(url, SCHEMES[scheme])
    if parts is None and scheme.startswith("mongodb"):
        first = re.sub(r",[^/?]*", "", url)
        if first != url:
            return _split(first)
    if parts is None:
        raise _bad(url, "has no host that can be read")
    return parts


def _check_query(url: str, scheme: Scheme, query: str) -> None:
    pairs = parse_qsl(query, keep_blank_values=True)
    for key, value in pairs:
        if hides(key, value):
            raise _secret(url, scheme)
    known = ", ".join(scheme.keys) or "none"
    for number, (key, value) in enumerate(pairs):
        if key not in scheme.keys:
            near = difflib.get_close_matches(key, scheme.keys, 1)
            hint = f"did you mean {near[0]}? known: {known}" if near else f"known: {known}"
            raise _bad(url, f"has the unknown parameter {key[:40]!r}", hint=hint)
        if not value or key in dict(pairs[:number]):
            raise _bad(url, f"gives {key} {'no value' if not value else 'twice'}")
        allowed = _CHOICES.get(key)
        if allowed is not None and value not in allowed:
            raise _bad(url, f"gives {key} another value than {' or '.join(allowed)}")


_CHOICES = {
    "addressing_style": ("path", "virtual"),
    "anonymous": ("true", "false"),
    "list_version": ("1", "2"),
}


def _check_form(url: str, scheme: Scheme, parts: SplitResult) -> None:
    name = scheme.names[0]
    if name in ("fs", "sqlite"):
        if parts.netloc or len(parts.path) < 2:
            raise _bad(url, "names no file", hint=f"{scheme.form}: three slashes")
    elif name == "memory":
        if parts.path.strip("/") or not parts.netloc:
            raise _bad(url, "has no plain name", hint=scheme.form)
    elif scheme.is_database:
        if not is_plain_database(unquote(parts.path)):
            raise _bad(url, "names no plain database", hint=scheme.form)
    else:
        pattern = _HOST if name == "webdav" else _BUCKET
        if pattern.match(parts.netloc) is None:
            raise _bad(url, "names no bucket" if name != "webdav" else "names no host", scheme.form)
        _check_prefix(url, unquote(parts.path, errors="replace"))
        endpoint = dict(parse_qsl(parts.query)).get("endpoint")
        if endpoint is not None and not re.match(r"https?://[^/?#\s]+(/[^?#\s]*)?\Z", endpoint):
            raise _bad(url, "has an endpoint that is none", hint="endpoint=https://HOST[:PORT]")


def _check_prefix(url: str, prefix: str) -> None:
    """A relative path without tricks."""
    words = prefix.strip("/").split("/") if prefix.strip("/") else []
    strange = any(word in ("", ".", "..") for word in words) or not prefix.isprintable()
    if strange or re.search(r"[\\%?#*�]", prefix) or len(prefix.encode()) > 500:
        raise _bad(url, "has a prefix that is no plain path", hint="words with / between them")


def _unknown_scheme(name: str) -> InvalidInput:
    near = difflib.get_close_matches(name.lower(), SCHEMES, 1)
    known = ", ".join(SCHEMES)
    return InvalidInput(
        "bad-store-url", f"{name[:40]}:// is no kind of store",
        hint=f"did you mean {near[0]}://? known: {known}" if near else f"known: {known}",
    )  # fmt: skip


def _secret(url: str, scheme: Scheme) -> InvalidInput:
    hint = "leave it out" + (f" and set {scheme.credentials}" if scheme.credentials else "")
    return InvalidInput(
        "secret-in-url", f"{shown(url)[:200]}: a key or password has no place in a store's URL",
        hint=hint,
    )  # fmt: skip


def _bad(url: str, problem: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput("bad-store-url", f"{shown(url)[:200]} {problem}", hint=hint)
