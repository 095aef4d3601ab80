"""Addresses of servers, and paths on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Address", "is_address", "path_of"]

_PORTS = {"http": 80, "https": 443}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Address(NamedTuple):
    """Where a server is: `https://yard.example.org/models`."""

    scheme: str
    host: str
    port: int
    prefix: str
    """Path in front of everything; empty, or with a slash before it."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """InvalidInput: `bad-url`, `secret-in-url`."""
        try:
            parts = urlsplit(text.strip())
            port = parts.port
        except ValueError:
            raise _bad(text) from None
        if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
            raise _bad(text)
        if parts.username or parts.password or "@" in parts.netloc:
            raise InvalidInput(
                "secret-in-url", "a server's URL holds no user and no password",
                hint="yard login URL keeps a token, $YARD_TOKEN gives one",
            )  # fmt: skip
        if not parts.path.isprintable() or any(c in parts.path for c in ' "<>\\^`{|}%'):
            raise _bad(text)
        prefix = parts.path.rstrip("/")
        return cls(parts.scheme, parts.hostname.lower(), port or _PORTS[parts.scheme], prefix)

    @property
    def origin(self) -> str:
        """Scheme, host and port: who gets to see a token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def url(self) -> str:
        return self.origin + self.prefix

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can listen: TLS, or this machine itself."""
        return self.scheme == "https" or self.host in _LOOPBACK

    def __str__(self) -> str:
        return self.url


def is_address(text: str) -> bool:
    """Whether this is a server's URL, and no path."""
    return text.startswith(("http://", "https://"))


def path_of(parts: Sequence[str | int]) -> str:
    """A path of whole segments: whatever they hold, they stay segments."""
    return "".join(f"/{_segment(str(part))}" for part in parts)


def _segment(part: str) -> str:
    quoted = quote(part, safe="")
    return quoted.replace(".", "%2E") if set(part) == {"."} else quoted


def _bad(text: str) -> InvalidInput:
    return InvalidInput(
        "bad-url", f"{text[:120]!r} is no address of a server",
        hint="http://HOST:PORT or https://HOST/PATH",
    )  # fmt: skip
