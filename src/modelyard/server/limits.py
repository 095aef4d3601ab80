"""How often who may ask, and how often somebody may guess a password. Counted in each process."""

from __future__ import annotations

import base64
import binascii
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from modelyard.core.access import Caller
from modelyard.errors import Denied, Unavailable
from modelyard.registry.access.secrets import read_token
from modelyard.server.settings import Settings

__all__ = ["Rates", "TooMany"]

_GUESSES = RateLimitItemPerMinute(10, 5)
"""Wrong passwords for one account from one address."""
_GUESSES_FROM = RateLimitItemPerMinute(50, 5)
"""Wrong passwords or tokens from one address."""
_WRONG = ("wrong-password", "bad-token")


class TooMany(Unavailable):
    """Come again in so many seconds."""

    def __init__(self, message: str, seconds: float) -> None:
        self.seconds = max(1, math.ceil(seconds))
        super().__init__(
            "too-many-requests", message, hint=f"go on in {self.seconds} s, and more slowly"
        )


class _Minute:
    """Counts what happens in each minute. `limits` would start a thread for every request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._end = 0.0

    def count(self, who: str) -> int:
        """Once more; how often it was in this minute."""
        with self._lock:
            if time.monotonic() >= self._end:
                self._counts.clear()
                self._end = time.monotonic() + 60
            found = self._counts[who] = self._counts.get(who, 0) + 1
            return found

    def left(self) -> float:
        """Seconds until a new minute begins."""
        return self._end - time.monotonic()


class Rates:
    """Counts requests of accounts and strangers, and guesses."""

    def __init__(self, settings: Settings) -> None:
        self._requests = _Minute()
        self._guesses = MovingWindowRateLimiter(MemoryStorage())
        self._account = settings.requests_per_minute
        self._stranger = settings.strangers_per_minute

    def check(self, caller: Caller) -> None:
        """Count a request. Unavailable: `too-many-requests`."""
        if caller.account is not None:
            limit, who = self._account, f"account:{caller.account.id}"
        else:
            limit, who = self._stranger, f"address:{caller.address}"
        if self._requests.count(who) > limit:
            raise TooMany("too many requests", self._requests.left())

    @contextmanager
    def guessing(self, authorization: str, address: str | None) -> Iterator[None]:
        """Count what turns out to be wrong.

        After too many wrong passwords none is looked at any more for a while; a right token is
        always let through, since nobody guesses 256 bits.
        """
        name = user_of(authorization)
        if name is not None:
            self.check_guesses(name, address)
        try:
            yield
        except Denied as error:
            if error.kind in _WRONG:
                self.guessed(name or "", address)
            raise

    def check_guesses(self, name: str, address: str | None) -> None:
        """Before a password is looked at. Unavailable: `too-many-requests`."""
        for limit, keys in ((_GUESSES, (name, str(address))), (_GUESSES_FROM, (str(address),))):
            if not self._guesses.test(limit, "guess", *keys):
                reset = self._guesses.get_window_stats(limit, "guess", *keys).reset_time
                raise TooMany("too many wrong passwords", reset - time.time())

    def guessed(self, name: str, address: str | None) -> None:
        """A wrong password or token was shown. Unavailable: `too-many-requests` if too often."""
        if name:
            self._guesses.hit(_GUESSES, "guess", name, str(address))
        if not self._guesses.hit(_GUESSES_FROM, "guess", str(address)):
            raise TooMany("too many wrong tokens", 60)


def user_of(authorization: str) -> str | None:
    """Whose password is shown by `Basic`; None if it is another kind of proof, or a token."""
    kind, _, rest = authorization.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return None if read_token(password) or read_token(name) else name[:100]
