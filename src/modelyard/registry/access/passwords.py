"""Passwords: argon2id, a few at a time, and as slow for a name that is not there."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from collections import OrderedDict
from functools import cache
from typing import TYPE_CHECKING

from modelyard.errors import InvalidInput, Unsupported

if TYPE_CHECKING:
    from argon2 import PasswordHasher

__all__ = ["SHORTEST", "check_new", "hashed", "matches"]

SHORTEST = 12
"""Characters of a password."""
_LONGEST = 1024
_DIFFERENT = 5
_AT_ONCE = threading.BoundedSemaphore(2)
"""One takes 64 MiB and as long as a thread may: a flood of sign-ins must not take all."""

_KEY = os.urandom(32)
_RECENT: OrderedDict[bytes, None] = OrderedDict()
"""What matched lately in this process, under a key that nobody else has: git asks many times."""
_REMEMBERED = 256
_remembering = threading.Lock()


def check_new(password: str, name: str) -> str:
    """InvalidInput: `weak-password`."""
    if len(password) < SHORTEST:
        reason = f"a password has at least {SHORTEST} characters"
    elif len(password.encode()) > _LONGEST:
        reason = f"a password has at most {_LONGEST} bytes"
    elif name.lower() in password.lower() and len(password) < len(name) + SHORTEST:
        reason = "the password is little more than the name of the account"
    elif len(set(password)) < _DIFFERENT:
        reason = "the password repeats a few characters"
    else:
        return password
    raise InvalidInput("weak-password", reason, hint="some words that do not belong together do")


def hashed(password: str) -> str:
    """As it is kept."""
    with _AT_ONCE:
        return _hasher().hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether a password is the one that was kept; as slow if none was."""
    if len(password.encode(errors="replace")) > _LONGEST:
        kept, password = None, ""
    seen = hmac.digest(_KEY, f"{kept}\0{password}".encode(errors="replace"), hashlib.sha256)
    with _remembering:
        if kept and seen in _RECENT:
            _RECENT.move_to_end(seen)
            return True
    if not _verify(kept or _nobody(), password) or not kept:
        return False
    with _remembering:
        _RECENT[seen] = None
        while len(_RECENT) > _REMEMBERED:
            _RECENT.popitem(last=False)
    return True


def _verify(kept: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    _nobody()  # made by whoever comes first, known name or not
    with _AT_ONCE:
        try:
            return _hasher().verify(kept, password.encode(errors="replace"))
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobody() -> str:
    """What is compared with when there is nothing to compare with."""
    return _hasher().hash(os.urandom(16).hex())


@cache
def _hasher() -> PasswordHasher:
    try:
        from argon2 import PasswordHasher
    except ImportError:
        raise Unsupported(
            "no-extra", "passwords need the extra 'server'", hint="pip install 'modelyard[server]'"
        ) from None
    return PasswordHasher()
