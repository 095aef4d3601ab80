"""Requests to URLs that somebody else chose: to public addresses only, and within bounds.

The name is resolved once; every address that it has must be allowed, and the connection goes to one
of exactly these, so that a name which answers differently the next time leads nowhere. No redirect
is followed, no proxy asked, and of the answer only the status is looked at (but by `exchange`).
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modelyard.core.hooks import Tried

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Resolver = Callable[[str, int], Sequence[str]]

__all__ = ["addresses_of", "allowed", "exchange", "post", "resolve"]

SECONDS = 10.0
"""For everything together, from the name to the answer."""
PORTS = frozenset({80, 443, 8080, 8443})
"""Where hooks may go; private ones may go to any."""
_LARGEST = 64 << 10

_NEVER = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32", "100.100.100.200/32", "192.0.0.0/24", "192.88.99.0/24",
        "::/128", "fe80::/10", "ff00::/8", "fd00:ec2::254/128",
    )
]  # fmt: skip
"""Link-local, multicast, and where clouds tell secrets: not even for hooks that may be private."""
_HIDING = [
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10")
]
"""IPv6 addresses that carry another address (NAT64, 6to4, Teredo), or that nobody has any more."""


class _Refused(Exception):
    """Not sent; the words are for the owner of the hook."""


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    private: bool = False,
    seconds: float = SECONDS,
    resolver: Resolver | None = None,
) -> Tried:
    """Send a body; never raises for what the other side, the network or the URL do.

    Args:
        private: Whether loopback and private networks may be reached too.
        resolver: Gives the addresses of a host, as text.
    """
    return exchange(url, body, headers, private=private, seconds=seconds, resolver=resolver)[0]


def exchange(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    private: bool = False,
    seconds: float = SECONDS,
    resolver: Resolver | None = None,
) -> tuple[Tried, bytes]:
    """`post`, and the beginning of what was answered: for services that say 200 to everything."""
    began = time.monotonic()
    status, error, told = None, "", b""
    try:
        status, told = _post(url, body, headers, private, seconds, resolver or resolve)
        if not 200 <= status < 300:
            error = f"answered with status {status}"
    except _Refused as refused:
        error = str(refused)
    except TimeoutError:
        error = f"no answer within {seconds:g} s"
    except ssl.SSLError as failure:
        error = f"TLS: {failure.reason or 'failed'}"
    except (OSError, http.client.HTTPException, ValueError):
        late = time.monotonic() - began >= seconds
        error = f"no answer within {seconds:g} s" if late else "no connection, or no HTTP"
    return Tried(status=status, error=error, seconds=round(time.monotonic() - began, 3)), told


def addresses_of(
    host: str, port: int, *, private: bool = False, resolver: Resolver | None = None
) -> Sequence[str]:
    """Addresses of a host to which something may be sent; none if there are none, or if one of them
    is none that may be reached."""
    try:
        return _addresses(host, port, private, resolver or resolve)
    except _Refused:
        return ()


def allowed(text: str, *, private: bool = False) -> bool:
    """Whether something may be sent to an address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        if address.ipv4_mapped is not None:
            return allowed(str(address.ipv4_mapped), private=private)
    if any(address in network for network in _NEVER):
        return False
    if private and (address.is_loopback or address.is_private):
        return True
    if any(address in network for network in _HIDING):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host; also of one that is written as a number."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def _post(
    url: str, body: bytes, headers: Mapping[str, str], private: bool, seconds: float,
    resolver: Resolver,
) -> tuple[int, bytes]:  # fmt: skip
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    if parts.scheme not in ("http", "https") or not host:
        raise _Refused("the URL is no http:// or https:// one")
    if not private and port not in PORTS:
        raise _Refused(f"port {port} is none that webhooks may go to")
    connection = _Pinned(host, port, _addresses(host, port, private, resolver), secure, seconds)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with connection.within(seconds):
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            if connection.is_late:  # cut off in the middle of its headers
                raise TimeoutError
            told = b""
            with suppress(OSError, http.client.HTTPException):
                told = answer.read(_LARGEST)  # also so that the other side is not cut off
            return answer.status, told
    finally:
        connection.close()


def _addresses(host: str, port: int, private: bool, resolver: Resolver) -> Sequence[str]:
    """The same words whether there is no such host or a forbidden one: names inside stay secret."""
    try:
        found = resolver(host, port)
    except (OSError, UnicodeError):
        found = ()
    if not found or not all(allowed(address, private=private) for address in found):
        raise _Refused("the host has no address, or one that webhooks may not go to")
    return found


class _Pinned(http.client.HTTPConnection):
    """Connects to addresses that were looked at, whatever the name means by now."""

    def __init__(
        self, host: str, port: int, addresses: Sequence[str], secure: bool, seconds: float
    ) -> None:
        super().__init__(host, port, timeout=seconds)
        if secure:
            self.default_port = 443
        self._addresses = addresses
        self._context = ssl.create_default_context() if secure else None
        self._deadline = time.monotonic() + seconds
        self.is_late = False

    def within(self, seconds: float) -> _Watch:
        """Ends the connection after this time, however busy the other side is with it."""
        return _Watch(self, seconds)

    def connect(self) -> None:
        error: OSError | None = None
        for address in self._addresses[:4]:
            left = self._deadline - time.monotonic()
            if left <= 0:
                break
            try:
                self.sock = socket.create_connection((address, self.port), left)
                break
            except OSError as failure:
                error = failure
        if self.sock is None:
            raise error or TimeoutError
        if self._context is not None:
            self.sock = self._context.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def cut(self) -> None:
        self.is_late = True
        sock = self.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class _Watch:
    """A timer around a connection."""

    def __init__(self, connection: _Pinned, seconds: float) -> None:
        self._timer = threading.Timer(seconds, connection.cut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
