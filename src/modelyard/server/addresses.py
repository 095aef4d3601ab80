"""Where a request comes from and what it was sent to, also behind proxies; and who is not answered.

A name that nobody allowed is refused, since any page in a browser can make its own name point to
this machine (DNS rebinding). A page of another site can send requests too, with the cookie of
whoever looks at it: what changes something must come from our own pages, or from no browser.
"""

from __future__ import annotations

import ipaddress
import socket
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from modelyard.errors import Denied, InvalidInput
from modelyard.server.settings import Settings, is_loopback

__all__ = ["COOKIE", "Addresses", "Seen", "check_site"]

COOKIE = "yard_session"
_SAFE = ("GET", "HEAD", "OPTIONS")
_TRUSTED_HEADERS = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")


class Seen(NamedTuple):
    """One request's surroundings."""

    address: str | None
    scheme: str
    host: str


class Addresses:
    """Reads what the settings allow to be believed."""

    def __init__(self, settings: Settings) -> None:
        self._proxies = [ipaddress.ip_network(p, strict=False) for p in settings.proxies]
        self._open = not is_loopback(settings.host)
        names = {"localhost", settings.host.strip("[]").lower(), *map(str.lower, settings.hosts)}
        if self._open:
            names |= {socket.gethostname().lower()}
        self._names = {name for name in names if "*" not in name}
        self._globs = [name for name in names if "*" in name]

    def seen(self, scope: Any, headers: dict[bytes, bytes]) -> Seen:
        """Denied: `wrong-host`. InvalidInput: `bad-request`."""
        address = scope["client"][0] if scope.get("client") else None
        scheme, host = scope["scheme"], headers.get(b"host", b"").decode("latin-1")
        if self._proxies and address is not None and self._trusts(address):
            told = {name: headers.get(name, b"").decode("latin-1") for name in _TRUSTED_HEADERS}
            address = self._first_stranger(told[b"x-forwarded-for"]) or address
            proto = told[b"x-forwarded-proto"].split(",")[-1].strip().lower()
            scheme = proto if proto in ("http", "https") else scheme
            host = told[b"x-forwarded-host"].split(",")[-1].strip() or host
        if sum(name == b"host" for name, _ in scope["headers"]) > 1:
            raise InvalidInput("bad-request", "there is more than one Host header")
        if not self._answers(host):
            raise Denied(
                "wrong-host", "this server does not answer for that host",
                hint="yard server --allow-host NAME lets it",
            )  # fmt: skip
        return Seen(address, scheme, host)

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)

    def _first_stranger(self, forwarded: str) -> str | None:
        """The nearest address that is no proxy of ours: those before it can be made up."""
        for part in reversed(forwarded.split(",")[-20:]):
            text = part.strip().strip("[]")
            try:
                address = str(ipaddress.ip_address(text))
            except ValueError:
                return None
            if not self._trusts(address):
                return address
        return None

    def _answers(self, host: str) -> bool:
        name = _name(host)
        if name in self._names or any(fnmatchcase(name, glob) for glob in self._globs):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self._open or address.is_loopback  # an address can't be made to point elsewhere


def check_site(method: str, headers: dict[bytes, bytes], seen: Seen) -> None:
    """Denied `cross-site`: a page of another site sends what changes something."""
    if method in _SAFE:
        return
    site = headers.get(b"sec-fetch-site")
    origin = headers.get(b"origin")
    if site is not None:
        good = site in (b"same-origin", b"none")
    elif origin is not None:
        good = origin.decode("latin-1").lower() == f"{seen.scheme}://{seen.host}".lower()
    else:
        good = f"{COOKIE}=".encode() not in headers.get(b"cookie", b"")
    if not good:
        raise Denied(
            "cross-site", "a page of another site may not change anything here",
            hint="programs send a token in the header Authorization, and no cookie",
        )  # fmt: skip


def _name(host: str) -> str:
    """Of `name:port`, in small letters; empty if it is no host."""
    if host.startswith("["):
        name, closed, rest = host[1:].partition("]")
        if not closed:
            return ""
    else:
        name, colon, port = host.partition(":")
        rest = colon + port
    fine = not rest or (rest[0] == ":" and rest[1:].isdigit())
    return name.lower().removesuffix(".") if fine else ""
