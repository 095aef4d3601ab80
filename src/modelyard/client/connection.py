"""Requests to one server: repeated where that is safe, and errors as everywhere else.

The token goes to the server's own origin only: redirects are not followed. TLS is verified with
what the system trusts (`$SSL_CERT_FILE` adds to it); proxies are those of the environment.
"""

from __future__ import annotations

import random
import ssl
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from modelyard import __version__
from modelyard.client.addresses import Address, path_of
from modelyard.client.credentials import check_token
from modelyard.client.direct import Store
from modelyard.client.failures import failed_to_reach, refusal, strange, unsigned
from modelyard.client.ranges import Ranges
from modelyard.core.wire import decode, encode
from modelyard.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from modelyard.client.failures import Answer

__all__ = ["BASE", "Connection", "Reply"]

T = TypeVar("T")
Path = "Sequence[str | int]"

BASE = "/api/v1"
_LARGEST = 512 << 20
"""Bytes of an answer that is held in memory; a server that sends more is none of ours."""
_PATIENCE = 20.0
"""Seconds for which a server that was there a moment ago may be away."""
_BROKEN = 4
"""How often the same answer may break off."""
_CONNECTIONS = 16
_AGAIN = (429, 502, 503, 504)


class Reply:
    """A whole answer that is good."""

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content

    def as_(self, cls: type[T]) -> T:
        """The value that it holds. Unavailable: `strange-answer`."""
        return decode(self.content, cls)


class Connection:
    """One server. Safe for many threads."""

    def __init__(self, address: Address, token: str | None = None) -> None:
        self.address = address
        self._token = check_token(token) if token else None
        headers = {"user-agent": f"modelyard/{__version__}", "accept-encoding": "identity"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        self._headers = headers
        self._ranges = Ranges(address, httpx2.create_ssl_context)
        self.store = Store()
        """What the server's store is read with, where it signed URLs for that."""
        self._client = httpx2.Client(
            headers=headers,
            timeout=httpx2.Timeout(60.0, connect=10.0, read=120.0),
            limits=httpx2.Limits(max_connections=_CONNECTIONS, keepalive_expiry=30.0),
            follow_redirects=False,
        )
        self._reached = False
        self._closed = threading.Event()

    @property
    def is_signed_in(self) -> bool:
        """Whether there is a token to show."""
        return self._token is not None

    @property
    def token(self) -> str | None:
        """What is shown to the server, and to nobody else."""
        return self._token

    def close(self) -> None:
        self._closed.set()
        self._ranges.close()
        self.store.close()
        self._client.close()

    # -- values ----------------------------------------------------------------------------------

    def get(self, path: Sequence[str | int], cls: type[T], **query: Any) -> T:
        """A value. `None` in the query is left out."""
        return self.request("GET", path, query=query).as_(cls)

    def post(self, path: Sequence[str | int], cls: type[T], body: object = None, **query: Any) -> T:
        return self.request("POST", path, query=query, body=body).as_(cls)

    def put(
        self,
        path: Sequence[str | int],
        cls: type[T],
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        return self.request("PUT", path, body=body, headers=headers).as_(cls)

    def patch(self, path: Sequence[str | int], cls: type[T], body: object = None) -> T:
        return self.request("PATCH", path, body=body).as_(cls)

    def delete(self, path: Sequence[str | int], cls: type[T], **query: Any) -> T:
        return self.request("DELETE", path, query=query).as_(cls)

    # -- requests --------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        path: Sequence[str | int],
        *,
        query: Mapping[str, Any] | None = None,
        body: object = None,
        content: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int = _LARGEST,
        key: str | None = None,
    ) -> Reply:
        """Send a request, again if it got lost, and give the whole answer.

        Args:
            body: A value, sent as JSON.
            content: Bytes to send instead; or pieces of them, with their `content-length` among the
                headers, which are gone through again if the request is repeated.
            limit: Bytes that the answer may have.
            key: The `Idempotency-Key` of a write; one of its own if None, none at all if empty:
                for writes of which the second changes nothing.
        """
        sent = dict(headers or {})
        if body is not None:
            content, sent["content-type"] = encode(body), "application/json"
        if method not in ("GET", "HEAD") and key != "":
            sent["idempotency-key"] = key or uuid.uuid4().hex
        for left in reversed(range(_BROKEN)):
            with self._answered(method, path, query, content, sent) as response:
                try:
                    content_of = self._read(response, limit)
                except Unavailable as error:
                    if error.kind != "unreachable" or not left:
                        raise
                    continue
                return Reply(response.status_code, response.headers, content_of)
        raise AssertionError

    def read_into(
        self, path: Sequence[str | int], headers: Mapping[str, str], room: memoryview
    ) -> bool:
        """Fill memory with a range. False if that failed: `request` tells why, or does it."""
        return self._ranges.read(
            self.address.prefix + BASE + path_of(path), {**self._headers, **headers}, room
        )

    @contextmanager
    def stream(
        self,
        path: Sequence[str | int],
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[httpx2.Response]:
        """The answer to a GET, to be read piece by piece with `pieces`."""
        with self._answered("GET", path, query, None, dict(headers or {})) as response:
            yield response

    def pieces(self, response: httpx2.Response) -> Iterator[bytes]:
        """What a stream holds. Unavailable: `connection-lost` if it ends too early."""
        try:
            yield from response.iter_raw()
        except httpx2.HTTPError as error:
            raise failed_to_reach(self.address, error, reached=True) from None

    @contextmanager
    def _answered(
        self,
        method: str,
        path: Sequence[str | int],
        query: Mapping[str, Any] | None,
        content: Any,
        headers: dict[str, str],
    ) -> Iterator[httpx2.Response]:
        url = self.address.url + BASE + path_of(path)
        params = {k: _text(v) for k, v in (query or {}).items() if v is not None}
        tries = _Tries(self)
        while True:
            request = self._client.build_request(
                method, url, params=params or None, headers=headers, content=_sent(content)
            )
            try:
                response = self._client.send(request, stream=True)
            except (httpx2.HTTPError, RuntimeError, ssl.SSLError) as error:
                if self._closed.is_set():
                    raise strange(self.address, "this yard is closed") from None
                if not tries.again(error):
                    raise failed_to_reach(self.address, error, reached=self._reached) from None
                continue
            try:
                self._reached = True
                if response.is_success:
                    yield response
                    return
                answer = self._failed(response)
            finally:
                response.close()
            if response.status_code not in _AGAIN or not tries.later(response, answer):
                raise self._error(answer)

    def _failed(self, response: httpx2.Response) -> Answer:
        content = self._read(response, 1 << 20)
        return refusal(response.status_code, response.headers, content)

    def _error(self, answer: Answer) -> Exception:
        if answer.status == 401:
            return unsigned(self.address, answer, shown=self.is_signed_in)
        return answer.error

    def _read(self, response: httpx2.Response, limit: int) -> bytes:
        said = response.headers.get("content-length", "0")
        if not said.isdigit() or len(said) > 18 or int(said) > limit:
            raise strange(self.address, f"an answer of {said[:20]} bytes")
        pieces, size = [], 0
        for piece in self.pieces(response):
            size += len(piece)
            if size > limit:
                raise strange(self.address, f"an answer of more than {limit:,} bytes")
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Tries:
    """How often, and how long, a request is tried again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._started = time.monotonic()
        self._count = 0

    def again(self, error: Exception) -> bool:
        """Wait a moment, unless there is no hope."""
        if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL | ssl.SSLError):
            return False
        if isinstance(error, RuntimeError) or "CERTIFICATE" in str(error).upper():
            return False
        if not self._connection._reached and self._count >= 1:
            return False
        return self._wait(0.1 * 2 ** min(self._count, 5))

    def later(self, response: httpx2.Response, answer: Answer) -> bool:
        """Wait as long as the server asks for."""
        said = response.headers.get("retry-after", "")
        if not said and answer.is_problem:
            return False  # the server itself says no: what to do is in its words
        seconds = int(said) if said.isdigit() and len(said) < 6 else 0.3 * 2 ** min(self._count, 5)
        return self._wait(float(seconds))

    def _wait(self, seconds: float) -> bool:
        self._count += 1
        if time.monotonic() - self._started + seconds > _PATIENCE:
            return False
        return not self._connection._closed.wait(seconds * random.uniform(0.8, 1.2))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _sent(content: Any) -> Any:
    """What httpx2 takes: bytes at once, pieces one after the other."""
    return content if content is None or isinstance(content, bytes) else iter(content)
