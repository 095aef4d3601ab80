"""A proxy between a client and an HTTP service that fails as it is told to.

    proxy = FaultProxy("http://127.0.0.1:9000")
    proxy.plan([PASS, Reply(503, retry_after=0), Cut(100), LOSE, RESET])  # then PASS for ever
    proxy.plan(lambda method, path, count: RESET if method == "PUT" and count == 3 else PASS)
    proxy.log  # every request that came: method, path, size of its body, what was done

The Host header stays what the client sent, so that signed requests stay valid. The proxy is a
process of its own, since OpenDAL holds Python's lock while it waits for a page of a list: a plan
that is a function runs there, and what it changes is not seen in the test.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from tests.services.state import ROOT
from tests.services.web import Answer, Handler, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["LOSE", "PASS", "RESET", "Action", "Cut", "FaultProxy", "Lose", "Pass", "Reply", "Reset"]


@dataclass(frozen=True)
class Pass:
    """Forward it, after `delay` seconds."""

    delay: float = 0.0


@dataclass(frozen=True)
class Reply:
    """Answer by itself, the service sees nothing."""

    status: int = 503
    retry_after: float | None = None
    """Seconds; None sends no Retry-After."""
    body: bytes = b"<Error><Code>SlowDown</Code><Message>said by a test</Message></Error>"
    delay: float = 0.0


@dataclass(frozen=True)
class Cut:
    """Forward it, promise the whole answer, close after `after` bytes of its body."""

    after: int = 0
    delay: float = 0.0


@dataclass(frozen=True)
class Lose:
    """Forward it, let it take effect, close without an answer."""

    delay: float = 0.0


@dataclass(frozen=True)
class Reset:
    """Don't forward it; the client sees `connection reset`."""

    delay: float = 0.0


Action = Pass | Reply | Cut | Lose | Reset
PASS, LOSE, RESET = Pass(), Lose(), Reset()


@dataclass(frozen=True)
class Request:
    """One line of the log."""

    method: str
    path: str
    """With the query."""
    size: int
    """Bytes of the body."""
    action: Action
    status: int | None
    """What the service answered; None if it was not asked."""
    received: int
    """Bytes of the answer's body."""


class FaultProxy:
    """The proxy; `close` ends it."""

    def __init__(self, target: str) -> None:
        code = "from tests.services.fault_proxy import work; work()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        try:
            port = self._ask("serve", target)
        except BaseException:
            self.close()
            raise
        self.url = f"http://127.0.0.1:{port}{urllib.parse.urlsplit(target).path}"
        """The target's address with the proxy in place of host and port."""

    def plan(self, actions: Iterable[Action] | Callable[[str, str, int], Action]) -> None:
        """What happens to the requests from now on; `count` begins at 0 with each plan.

        Of an iterable (of at most 10,000) each request takes the next action; then all pass.
        """
        if not callable(actions):
            actions = list(itertools.islice(actions, 10_000))
        self._ask("plan", actions)

    @property
    def log(self) -> list[Request]:
        """All requests since the proxy began, in the order in which they were answered."""
        return self._ask("log")

    def close(self) -> None:
        with self._process:
            self._process.kill()

    def _ask(self, verb: str, *words: Any) -> Any:
        import cloudpickle  # it knows lambdas; joblib brings it

        _send(self._process.stdin, cloudpickle.dumps((verb, *words)))
        return pickle.load(self._process.stdout)


def _send(pipe: BinaryIO, data: bytes) -> None:
    pipe.write(data)
    pipe.flush()


class _Proxy:
    """The proxy, inside its own process."""

    def __init__(self) -> None:
        self.target = ("", 0)
        self._log: list[Request] = []
        self._count = 0
        self._plan: list[Action] | Callable[[str, str, int], Action] = []
        self._lock = threading.Lock()

    def serve(self, target: str) -> int:
        parts = urllib.parse.urlsplit(target)
        self.target = (parts.hostname or "127.0.0.1", parts.port or 80)
        server = serve(type("Connection", (_Connection,), {"proxy": self}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_port

    def plan(self, plan: list[Action] | Callable[[str, str, int], Action]) -> None:
        with self._lock:
            self._plan, self._count = plan, 0

    def log(self) -> list[Request]:
        return list(self._log)

    def wrote(self, request: Request) -> None:
        self._log.append(request)

    def next_action(self, method: str, path: str) -> Action:
        with self._lock:
            count, self._count = self._count, self._count + 1
            if callable(self._plan):
                return self._plan(method, path, count)
            return self._plan[count] if count < len(self._plan) else PASS


def work() -> None:
    """Serve and obey the test at the other end of the pipes, until it hangs up."""
    proxy = _Proxy()
    orders, told = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a plan that prints must not print into the answers
    with contextlib.suppress(EOFError):
        while True:
            verb, *words = pickle.load(orders)
            _send(told, pickle.dumps(getattr(proxy, verb)(*words)))


_OWN = ("connection", "content-length", "transfer-encoding", "expect")
_THEIRS = ("connection", "transfer-encoding", "server", "date", "keep-alive")
"""Headers of requests and of answers that each side of the proxy makes for itself."""


class _Connection(Handler):
    """One connection of a client, with one of its own to the service per request."""

    proxy: _Proxy
    lock = contextlib.nullcontext()  # type: ignore[assignment] # requests run beside each other

    def respond(self) -> Answer:
        action = self.proxy.next_action(self.command, self.path)
        time.sleep(action.delay)
        answer = None
        if isinstance(action, Pass | Cut | Lose):
            answer = self._forward()
        status = answer.status if answer else None
        size, back = len(self.body), len(answer.body) if answer else 0
        self.proxy.wrote(Request(self.command, self.path, size, action, status, back))
        if isinstance(action, Reply):
            wait = action.retry_after
            headers = {} if wait is None else {"Retry-After": f"{wait:g}"}
            return Answer(action.status, action.body, headers)
        if isinstance(action, Cut):
            self._cut(answer, action.after)
        if answer is None or isinstance(action, Lose | Cut):
            self._hang_up(hard=answer is None)
        return answer

    def _forward(self) -> Answer:
        connection = http.client.HTTPConnection(*self.proxy.target, timeout=120)
        with contextlib.closing(connection):
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in (
                    "connection",
                    "content-length",
                    "transfer-encoding",
                    "expect",
                ):
                    connection.putheader(name, value)
            connection.putheader("Connection", "close")
            connection.putheader("Content-Length", str(len(self.body)))
            connection.endheaders(self.body)
            reply = connection.getresponse()
            headers = dict(reply.getheaders())
            body = reply.read()
        kept = {name: value for name, value in headers.items() if name.lower() not in _THEIRS}
        return Answer(reply.status, body, kept)

    def _cut(self, answer: Answer, after: int) -> None:
        """The whole answer is promised by its Content-Length."""
        self._send_head(answer)
        self.wfile.write(answer.body[:after])

    def _hang_up(self, *, hard: bool) -> None:
        """End the connection without (more of) an answer; `hard` sends RST instead of FIN."""
        if hard:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())
        raise ConnectionAbortedError
